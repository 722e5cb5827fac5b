/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "../run_pop3.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const scripts[] = { "cupsilrrdq", "a" };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct run_pop3 r = { .script = scripts[i] };
		struct trail_machine m = run_pop3_machine(&r);

		(void)fuzz_run(&m, data, size);
	}
	return 0;
}
