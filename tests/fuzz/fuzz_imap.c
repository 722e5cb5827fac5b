/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "../run_imap.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const scripts[] = { "lsfd,z,b,tenuq", "clixbq", "A",
		"L", "a", "lm,m", "lswnw", "lsk,K,", "lsfr", "lsf,z,b,b,t,b",
		"lst,e,q" };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct run_imap r = { .script = scripts[i] };
		struct trail_machine m = run_imap_machine(&r);

		(void)fuzz_run(&m, data, size);
	}
	return 0;
}
