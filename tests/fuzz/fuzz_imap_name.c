/* SPDX-License-Identifier: ISC */
/* What one direction accepts, the other turns back into the same bytes. */
#include "fuzz.h"

#include "proto/imap_name.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	char there[4096], back[4096], text[IMAP_NAME_MAX];

	if (imap_name_decode(in, there, sizeof(there)))
		fuzz_check(imap_name_encode(there, back, sizeof(back)) &&
			       span_is(in, back),
		    "another name");
	if (size >= sizeof(text))
		return 0;
	memcpy(text, in.p, size);
	text[size] = '\0';
	if (imap_name_encode(text, there, sizeof(there)) &&
	    strlen(there) < IMAP_NAME_MAX)
		fuzz_check(
		    imap_name_decode(span_str(there), back, sizeof(back)) &&
			strcmp(text, back) == 0,
		    "other UTF-8");
	return 0;
}
