/* SPDX-License-Identifier: ISC */
#include "proto/imap_private.h"

#include "proto/sasl_list.h"

static void
take_limit(struct imap_caps *caps, struct span number)
{
	uint64_t n;

	if (span_uint(number, UINT32_MAX, &n))
		caps->message_limit = (uint32_t)n;
}

void
imap_caps_add(struct imap_caps *caps, struct span word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "IMAP4REV1", &caps->imap4rev1 },
		{ "IMAP4REV2", &caps->imap4rev2 },
		{ "IDLE", &caps->idle },
		{ "ID", &caps->id },
		{ "UIDPLUS", &caps->uidplus },
		{ "UNSELECT", &caps->unselect },
		{ "MOVE", &caps->move },
		{ "LITERAL+", &caps->literal_plus },
		{ "SASL-IR", &caps->sasl_ir },
		{ "LOGINDISABLED", &caps->login_disabled },
		{ "CONDSTORE", &caps->condstore },
		{ "ESEARCH", &caps->esearch },
		{ "SPECIAL-USE", &caps->special_use },
		{ "LIST-EXTENDED", &caps->list_extended },
		{ "X-GM-EXT-1", &caps->gmail },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (span_iis(word, flags[i].name))
			*flags[i].flag = true;
	if (span_istarts(word, "MESSAGELIMIT="))
		take_limit(caps, span_skip(word, 13));
	if (span_istarts(word, "AUTH="))
		sasl_list_add(
		    caps->sasl, sizeof(caps->sasl), span_skip(word, 5));
}

/* IMAP4rev2 has these built in and need not list them (RFC 9051 app. E). */
void
imap_caps_end(struct imap *m)
{
	struct imap_caps *caps = &m->caps;

	if (caps->imap4rev2)
		caps->idle = caps->uidplus = caps->unselect = caps->move =
		    caps->sasl_ir = caps->esearch = caps->list_extended = true;
	caps->known = true;
	m->fresh_caps = true;
}

static void
take_caps(struct imap *m, struct span list)
{
	m->caps = (struct imap_caps){ .known = false };
	while (list.n > 0)
		imap_caps_add(&m->caps, span_cut(&list, ' '));
	imap_caps_end(m);
}

/* Before SELECT is answered the number belongs to the mailbox to come.  Later
 * a new value means that every UID we hold names something else. */
static void
take_uidvalidity(struct imap *m, struct span arg)
{
	uint64_t n;

	if (!imap_selecting(m) && !m->mailbox.selected)
		return;
	if (!span_uint(arg, UINT64_MAX, &n)) {
		imap_fail(m, "bad UIDVALIDITY");
	} else if (imap_selecting(m)) {
		m->pending.have_uidvalidity = true;
		m->pending.uidvalidity = n;
	} else if (!m->mailbox.have_uidvalidity ||
		   m->mailbox.uidvalidity != n) {
		m->mailbox.uidvalidity_changed = true;
	}
}

static void
take_uidnext(struct imap *m, struct span arg)
{
	struct imap_mailbox *box =
	    imap_selecting(m) ? &m->pending : &m->mailbox;

	if (!imap_selecting(m) && !m->mailbox.selected)
		return;
	if (!span_uint(arg, UINT64_MAX, &box->uidnext))
		imap_fail(m, "bad UIDNEXT");
	else
		box->have_uidnext = true;
}

static void
take_access(struct imap *m, bool read_only)
{
	if (imap_selecting(m))
		m->pending.read_only =
		    read_only || imap_awaits(m, IMAP_EXAMINE);
	else if (read_only)
		m->mailbox.read_only = true;
}

/* "(\Seen Ours \*)": \* says that any keyword may be stored.  A list without
 * its end is none.  It is looked for in the whole text, because a "]" in a
 * keyword is a byte like any other to some servers. */
static void
take_permanent_flags(struct imap *m, struct span list)
{
	struct imap_mailbox *box =
	    imap_selecting(m) ? &m->pending : &m->mailbox;

	box->keyword = false;
	if (m->keyword[0] == '\0' || list.n == 0 || list.p[0] != '(' ||
	    memchr(list.p, ')', list.n) == NULL)
		return;
	list = span_skip(list, 1);
	list = span_cut(&list, ')');
	while (list.n > 0) {
		struct span flag = span_cut(&list, ' ');

		if (span_is(flag, "\\*") || span_iis(flag, m->keyword))
			box->keyword = true;
	}
}

/* "1000 23221": the answer is about the messages from that UID upwards, and
 * there are more.  It may come with the answer or before it. */
static void
take_message_limit(struct imap *m, struct span arg)
{
	(void)span_cut(&arg, ' ');
	if (imap_awaits(m, IMAP_UID_SEARCH) &&
	    (m->line != LINE_TAGGED || m->answering == 0) &&
	    !imap_parse_uid(arg, &m->lowest))
		m->lowest = UINT32_MAX;
}

static enum imap_code
find_code(struct span name)
{
	static const struct {
		const char *name;
		enum imap_code code;
	} names[] = {
		{ "ALERT", IMAP_CODE_ALERT },
		{ "AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED },
		{ "AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED },
		{ "EXPIRED", IMAP_CODE_EXPIRED },
		{ "PRIVACYREQUIRED", IMAP_CODE_PRIVACYREQUIRED },
		{ "CONTACTADMIN", IMAP_CODE_CONTACTADMIN },
		{ "NOPERM", IMAP_CODE_NOPERM },
		{ "INUSE", IMAP_CODE_INUSE },
		{ "UNAVAILABLE", IMAP_CODE_UNAVAILABLE },
		{ "NONEXISTENT", IMAP_CODE_NONEXISTENT },
		{ "EXPUNGEISSUED", IMAP_CODE_EXPUNGEISSUED },
		{ "CORRUPTION", IMAP_CODE_CORRUPTION },
		{ "SERVERBUG", IMAP_CODE_SERVERBUG },
		{ "CLIENTBUG", IMAP_CODE_CLIENTBUG },
		{ "CANNOT", IMAP_CODE_CANNOT },
		{ "LIMIT", IMAP_CODE_LIMIT },
		{ "OVERQUOTA", IMAP_CODE_OVERQUOTA },
		{ "REFERRAL", IMAP_CODE_REFERRAL },
		{ "READ-ONLY", IMAP_CODE_READ_ONLY },
		{ "READ-WRITE", IMAP_CODE_READ_WRITE },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_iis(name, names[i].name))
			return names[i].code;
	return IMAP_CODE_OTHER;
}

void
imap_take_code(struct imap *m, struct span text)
{
	struct span code, name, all;

	m->code = IMAP_CODE_NONE;
	if (text.n == 0 || text.p[0] != '[' ||
	    memchr(text.p, ']', text.n) == NULL)
		return;
	text = all = span_skip(text, 1);
	code = span_cut(&text, ']');
	name = span_cut(&code, ' ');
	m->code = find_code(name);
	if (span_iis(name, "CAPABILITY"))
		take_caps(m, code);
	else if (span_iis(name, "UIDVALIDITY"))
		take_uidvalidity(m, code);
	else if (span_iis(name, "PERMANENTFLAGS"))
		take_permanent_flags(m, span_skip(all, name.n + 1));
	else if (span_iis(name, "UIDNEXT"))
		take_uidnext(m, code);
	else if (span_iis(name, "MESSAGELIMIT"))
		take_message_limit(m, code);
	else if (m->code == IMAP_CODE_READ_ONLY ||
		 m->code == IMAP_CODE_READ_WRITE)
		take_access(m, m->code == IMAP_CODE_READ_ONLY);
}
