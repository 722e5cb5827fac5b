/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "../run_imap_lex.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_imap_lex r;
	struct trail_machine m = run_imap_lex_machine(&r);

	return fuzz_run(&m, data, size);
}
