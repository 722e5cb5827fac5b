/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf_fixture.h"

static void
test_folders(void **state)
{
	const struct conf_folder *f;
	struct conf *c;

	(void)state;
	c = conf_read_good(
	    WITH("after = \"move Done\"; first = \"all\";\n"
		 "folders = ( \"inbox\", \"Archive/2025\",\n"
		 "{ name = \"\\\\junk\"; after = \"keep\"; },\n"
		 "{ name = \"Work/*\"; first = \"new\"; },\n"
		 "{ name = \"W\"; after = \"delete-after 2d\"; } );"));
	assert_int_equal(c->accounts[0].nfolders, 5);
	f = c->accounts[0].folders;
	assert_string_equal(f[0].name, "INBOX");
	assert_int_equal(f[0].after, CONF_AFTER_MOVE);
	assert_string_equal(f[0].after_folder, "Done");
	assert_int_equal(f[0].first, CONF_FIRST_ALL);
	assert_string_equal(f[1].name, "Archive/2025");
	assert_string_equal(f[1].after_folder, "Done");
	assert_string_equal(f[2].name, "\\Junk");
	assert_true(f[2].special && !f[2].pattern);
	assert_int_equal(f[2].after, CONF_AFTER_KEEP);
	assert_null(f[2].after_folder);
	assert_int_equal(f[2].first, CONF_FIRST_ALL);
	assert_true(f[3].pattern && !f[3].special);
	assert_int_equal(f[3].after, CONF_AFTER_MOVE);
	assert_int_equal(f[3].first, CONF_FIRST_NEW);
	assert_int_equal(f[4].after, CONF_AFTER_DELETE_AFTER);
	assert_int_equal(f[4].after_period, 172800);
	conf_free(&c);

	c = conf_read_good(WITH("after = \"delete-after 3d\"; "
				"first = \"since 2026-01-31\";"));
	f = c->accounts[0].folders;
	assert_int_equal(f[0].after, CONF_AFTER_DELETE_AFTER);
	assert_int_equal(f[0].after_period, 259200);
	assert_int_equal(f[0].first, CONF_FIRST_SINCE);
	assert_int_equal(f[0].first_since, c->accounts[0].first_since);
	assert_true(f[0].first_since > 1769700000);
	conf_free(&c);

	/* One of them needs no list, and one backslash is understood. */
	c = conf_read_good(WITH("folders = \"\\Junk\";"));
	assert_string_equal(c->accounts[0].folders[0].name, "\\Junk");
	conf_free(&c);
	c = conf_read_good(WITH("folders = { name = \"a\"; };"));
	assert_string_equal(c->accounts[0].folders[0].name, "a");
	conf_free(&c);
	c = conf_read_good(WITH("folders = [ \"a\", \"b\" ];"));
	assert_int_equal(c->accounts[0].nfolders, 2);
	conf_free(&c);
}

#define WANTS_FOLDERS                                                          \
	"folders wants the name of a folder or a list of names and groups "    \
	"such as ( \"INBOX\", { name = \"\\\\Junk\"; } )\n"

static void
test_bad_folders(void **state)
{
	(void)state;
	conf_expect(WITH("folders = ();"), "4: " WANTS_FOLDERS);
	conf_expect(WITH("folders = 5;"), "4: " WANTS_FOLDERS);
	conf_expect(WITH("folders = \"\";"), "4: " WANTS_FOLDERS);
	conf_expect(WITH("folders = ( \"a\",\n5,\n( \"b\" ) );"),
	    "5: " WANTS_FOLDERS "6: " WANTS_FOLDERS);
	conf_expect(WITH("folders = \"\\\\Jnk\";"),
	    "4: there is no such special use; is \\\\Junk meant?\n");
	conf_expect(WITH("folders = ( {\nname = \"\\\\Trahs\"; } );"),
	    "5: there is no such special use; is \\\\Trash meant?\n");
	conf_expect(WITH("folders = \"\\\\Nonsense\";"), "4: " WANTS_FOLDERS);
	conf_expect(WITH("folders = ( {\nname = \"a\xff\"; } );"),
	    "5: name wants the name of a folder such as \"INBOX\", "
	    "\"Archive/2025\", \"Work/*\" or \"\\\\Junk\"\n");
	conf_expect(WITH("folders = (\n{ after = \"keep\"; } );"),
	    "5: name is missing; it wants the name of a folder such as "
	    "\"INBOX\", \"Archive/2025\", \"Work/*\" or \"\\\\Junk\"\n");
	conf_expect(WITH("folders = ( { name = \"a\";\nafter = \"burn\"; } );"),
	    "5: after wants \"keep\" or \"delete\" or \"delete-after "
	    "DURATION\" or \"move FOLDER\" or \"seen\", with a duration from "
	    "1h to 3650d\n");
	conf_expect(WITH("folders = ( { name = \"a\";\nfirst = \"last\"; } );"),
	    "5: first wants \"new\" or \"all\" or \"since DATE\", with a "
	    "date such as 2026-01-31\n");
	conf_expect(WITH("folders = ( { name = \"a\";\nnmae = \"b\"; } );"),
	    "5: unknown option nmae; is name meant?\n");
	conf_expect(
	    WITH("folders = ( { name = \"a\";\ninterval = \"1m\"; } );"),
	    "5: interval is an option of an account and does not belong "
	    "here\n");
	conf_expect(WITH("folders = ( \"a\", \"INBOX\",\n\"inbox\" );"),
	    "5: folder \"INBOX\" is listed twice\n");
	conf_expect(WITH("folders = ( \"\\\\Junk\",\n\"\\\\JUNK\" );"),
	    "5: folder \"\\Junk\" is listed twice\n");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\";\nfolders = \"INBOX\";"),
	    "5: over POP3 there are no folders, only the mailbox; leave "
	    "folders out\n");
}

static void
test_policies(void **state)
{
	(void)state;
	conf_expect(WITH("after = \"move inbox\";"),
	    "4: messages are in INBOX already; move wants another folder\n");
	conf_expect(
	    WITH("folders = ( \"INBOX\",\n{ name = \"a\"; after = \"move "
		 "Inbox\"; } );"),
	    "5: what is moved to INBOX would be fetched again from there; "
	    "move wants a folder that is not fetched\n");
	conf_expect(WITH("after = \"move a\";\nfolders = ( \"INBOX\", "
			 "{ name = \"a\"; after = \"keep\"; } );"),
	    "4: what is moved to a would be fetched again from there; move "
	    "wants a folder that is not fetched\n");
	conf_expect(
	    WITH("after = \"move A\"; folders = ( \"INBOX\", \"a\" );"), "");
	/* Only the server knows what this is. */
	conf_expect(
	    WITH("after = \"move a\"; folders = ( \"INBOX\", \"a*\" );"), "");
	conf_expect(WITH("folders = \"a\"; after = \"move INBOX\";"), "");
	/* Nothing is moved. */
	conf_expect(
	    WITH("after = \"move INBOX\";\nfolders = ( { name = \"INBOX\"; "
		 "after = \"seen\"; } );"),
	    "");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\";\nafter = \"seen\";"),
	    "5: over POP3 a message can only be kept or deleted: it has no "
	    "folders and no flags\n");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\";\nfirst = "
				 "\"since 2026-01-01\";"),
	    "5: over POP3 a server does not say when a message came in; "
	    "first is \"new\" or \"all\"\n");
}

#define BOTH(first, second)                                                    \
	HOME "accounts = ( { " OLD IMAP "folders = " first " },\n{ name = "    \
	     "\"new\"; host = \"mail.example.org\"; user = \"u\"; password "   \
	     "= \"env:P\"; protocol = \"imap\"; destination = \"home\"; "      \
	     "folders = " second " } );\n"
#define SAME                                                                   \
	"5: accounts \"new\" and \"old\" (@/main.conf:4) are the same "        \
	"mailbox: same host, same user, "

/* Two accounts may share a mailbox, but no folder of it. */
static void
test_shared_mailbox(void **state)
{
	(void)state;
	conf_expect(BOTH("\"INBOX\";", "\"\\\\Junk\";"), "");
	conf_expect(BOTH("( \"a\", \"b\" );", "( \"c\", \"d\" );"), "");
	conf_expect(
	    BOTH("( \"a\", \"b\" );", "( \"c\", \"b\" );"), SAME "folder b\n");
	conf_expect(
	    BOTH("\"a*\";", "\"*z\";"), SAME "folder *z and folder a*\n");
	conf_expect(BOTH("\"a*\";", "\"b*\";"), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_bad_folders),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_shared_mailbox),
	};

	return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
