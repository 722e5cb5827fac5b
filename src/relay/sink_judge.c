/* SPDX-License-Identifier: ISC */
#include "relay/sink_judge.h"

#include <string.h>

#include "base/ascii.h"
#include "proto/smtp.h"
#include "relay/retry.h"

#define STRANGER_MAX 2 /* refusals of the recipient that may be by chance */

static void
judge_login(struct fault *f, unsigned code)
{
	f->scope = FAULT_DESTINATION;
	if (code / 100 != 5 && code != 432)
		return;
	f->when = FAULT_NEVER;
	f->login = code == 535 || code == 534 || code == 432;
	f->hint = "check user and password of the destination; many providers "
		  "want an app password";
}

/* MAIL speaks of our sender, which is the same for every message: refused
 * before anything was accepted here, every message would be (CASES S4).  After
 * that, it can only be about this one. */
static void
judge_sender(struct fault *f, unsigned code, bool worked)
{
	if (worked || code == 552 || code == 452)
		return;
	f->scope = FAULT_DESTINATION;
	if (code / 100 == 5)
		f->hint = "check mail_from: it must be an address that this "
			  "login may send from";
}

/* The recipient is the same for every message, too; one refusal may be about
 * the message all the same (CASES S5). */
static void
judge_recipient(struct fault *f, unsigned code, unsigned strangers)
{
	if (code == 552)
		f->when = FAULT_LATER; /* RFC 5321 4.5.3.1.10 */
	else if (code / 100 == 5 && strangers >= STRANGER_MAX) {
		f->scope = FAULT_DESTINATION;
		f->hint = "check recipient";
	}
}

/* "452 4.5.3" counts recipients, "550 5.4.5" messages a day (CASES A4). */
static bool
is_daily_limit(const struct smtp_reply *r)
{
	return r->text_len >= 5 && (r->text[0] == '4' || r->text[0] == '5') &&
	       memcmp(r->text + 1, ".4.5", 4) == 0 &&
	       !ascii_is_digit(r->text[5]);
}

void
sink_judge(struct fault *f, enum smtp_stage stage, const struct smtp_reply *r,
    const struct sink_record *record)
{
	enum fault_when when = r->code / 100 == 5 ? FAULT_NEVER : FAULT_LATER;

	fault_set(
	    f, FAULT_MESSAGE, when, smtp_stage_name(stage), "%u", r->code);
	f->code = r->code;
	f->content = stage >= SMTP_DATA && stage <= SMTP_LAST;
	fault_quote(f, span_make(r->text, r->text_len));
	if (r->code == 421 || stage == SMTP_GREETING || stage == SMTP_EHLO)
		f->scope = FAULT_DESTINATION;
	else if (stage == SMTP_AUTH || r->code == 530 || r->code == 535)
		judge_login(f, r->code);
	else if (stage == SMTP_MAIL && !record->letter)
		judge_sender(f, r->code, record->worked);
	else if (stage == SMTP_RCPT && !record->letter)
		judge_recipient(f, r->code, record->strangers);
	if (is_daily_limit(r)) {
		f->scope = FAULT_DESTINATION;
		f->when = FAULT_LATER;
		f->busy = true;
	}
	retry_hear(f, span_make(r->text, r->text_len));
}

bool
sink_judge_caps(struct fault *f, const struct smtp_caps *caps, uint64_t size,
    bool eight_bit)
{
	if (eight_bit && !caps->eight_bit_mime) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "the destination takes no 8-bit messages (no 8BITMIME)");
		f->hint =
		    "relay it to a destination that does, then release it";
		return false;
	}
	if (caps->size_max > 0 && size > caps->size_max) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "%llu bytes are more than the destination takes (%llu)",
		    (unsigned long long)size,
		    (unsigned long long)caps->size_max);
		return false;
	}
	return true;
}
