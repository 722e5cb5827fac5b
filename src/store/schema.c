/* SPDX-License-Identifier: ISC */
#include "store/schema.h"

#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)

/*
 * recognition: what must be known of a mailbox to tell old messages from new
 * ones when all have new UIDs (recognise.c).  known_before: wall clock of the
 * baseline; until: headers are looked at up to then; asks: a person is asked
 * about so many messages, whose keys are in question.
 */
#define SCHEMA_RECOGNITION                                                     \
	"CREATE TABLE recognition ("                                           \
	" mailbox INTEGER PRIMARY KEY REFERENCES mailbox,"                     \
	" known_before INTEGER NOT NULL DEFAULT 0,"                            \
	" until INTEGER NOT NULL DEFAULT 0,"                                   \
	" asks INTEGER NOT NULL DEFAULT 0,"                                    \
	" listed INTEGER NOT NULL DEFAULT 0,"                                  \
	" decision INTEGER NOT NULL DEFAULT 0) STRICT;"                        \
	"CREATE TABLE question ("                                              \
	" mailbox INTEGER NOT NULL REFERENCES mailbox,"                        \
	" key BLOB NOT NULL,"                                                  \
	" PRIMARY KEY (mailbox, key)) STRICT, WITHOUT ROWID;"

/*
 * What became of messages, in the order of id; account is what it is looked up
 * by, besides.
 */
#define SCHEMA_HISTORY                                                         \
	"CREATE TABLE history ("                                               \
	" id INTEGER PRIMARY KEY,"                                             \
	" at INTEGER NOT NULL,"                                                \
	" account INTEGER NOT NULL REFERENCES account,"                        \
	" mailbox INTEGER NOT NULL REFERENCES mailbox,"                        \
	" uid ANY NOT NULL,"                                                   \
	" destination TEXT NOT NULL,"                                          \
	" size INTEGER NOT NULL,"                                              \
	" usec INTEGER NOT NULL,"                                              \
	" attempt INTEGER NOT NULL,"                                           \
	" duplicate INTEGER NOT NULL,"                                         \
	" state TEXT NOT NULL,"                                                \
	" trace TEXT NOT NULL,"                                                \
	" reply TEXT NOT NULL) STRICT;"                                        \
	"CREATE INDEX history_account ON history (account);"

/*
 * delivery.uid is an integer for IMAP, so that it sorts as UIDs do, and a blob
 * for POP3, whose UIDLs are opaque.  SQLite sorts every integer before every
 * blob, which lets one statement say "uid > highwater" for both.
 *
 * A message that was there before us has one row, `known`, without a
 * destination.  missed is set when one complete listing did not show the
 * message; the second one in a row makes it `gone`, and was keeps what it was.
 *
 * wrapped: refused as it is, it goes out enclosed in another message, and is
 * not wrapped a second time; until a person releases it.
 *
 * meta.epoch counts the backups that were restored, mailbox.restored says what
 * the first listing after it does (enum backup_rule).  meta.clock_seen and
 * clock_since belong to clock.c.
 */
#define SCHEMA_META                                                            \
	"CREATE TABLE meta ("                                                  \
	" one INTEGER PRIMARY KEY CHECK (one = 1),"                            \
	" install_id TEXT NOT NULL,"                                           \
	" install_key BLOB NOT NULL CHECK (length(install_key) = 32),"         \
	" created INTEGER NOT NULL,"                                           \
	" epoch INTEGER NOT NULL DEFAULT 0,"                                   \
	" tries INTEGER NOT NULL DEFAULT 0,"                                   \
	" clock_seen INTEGER NOT NULL DEFAULT 0,"                              \
	" clock_since INTEGER NOT NULL DEFAULT 0) STRICT;"

#define SCHEMA_MAILBOX                                                         \
	"CREATE TABLE account ("                                               \
	" id INTEGER PRIMARY KEY,"                                             \
	" uuid BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),"                \
	" name TEXT NOT NULL UNIQUE,"                                          \
	" user TEXT NOT NULL,"                                                 \
	" host TEXT NOT NULL) STRICT;"                                         \
	"CREATE TABLE mailbox ("                                               \
	" id INTEGER PRIMARY KEY,"                                             \
	" account INTEGER NOT NULL REFERENCES account,"                        \
	" folder TEXT NOT NULL,"                                               \
	" generation INTEGER NOT NULL DEFAULT 0,"                              \
	" highwater INTEGER NOT NULL DEFAULT 0,"                               \
	" baseline INTEGER NOT NULL DEFAULT 0,"                                \
	" restored INTEGER NOT NULL DEFAULT 0,"                                \
	" UNIQUE (account, folder)) STRICT;"

/* With OR: for an IN of more than two words SQLite builds a table, each time a
 * row is changed.  SCHEMA_PENDING is asked by an index, and is so, too. */
#define SCHEMA_STATE(q)                                                        \
	"(state = " q "relayed" q " OR state = " q "in_doubt" q                \
	" OR state = " q "new" q " OR state = " q "deferred" q                 \
	" OR state = " q "known" q " OR state = " q "held" q " OR state = " q  \
	"gone" q ")"

#define SCHEMA_DELIVERY                                                        \
	"CREATE TABLE delivery ("                                              \
	" id INTEGER PRIMARY KEY,"                                             \
	" mailbox INTEGER NOT NULL REFERENCES mailbox,"                        \
	" generation INTEGER NOT NULL,"                                        \
	" uid ANY NOT NULL,"                                                   \
	" duplicate INTEGER NOT NULL,"                                         \
	" destination TEXT NOT NULL,"                                          \
	" state TEXT NOT NULL CHECK " SCHEMA_STATE(                            \
	    "'") ","                                                           \
		 " removing INTEGER NOT NULL DEFAULT 0,"                       \
		 " missed INTEGER NOT NULL DEFAULT 0,"                         \
		 " attempt INTEGER NOT NULL DEFAULT 0,"                        \
		 " doubt INTEGER NOT NULL DEFAULT 0,"                          \
		 " was TEXT NOT NULL DEFAULT '',"                              \
		 " fingerprint BLOB,"                                          \
		 " hash BLOB,"                                                 \
		 " size INTEGER NOT NULL DEFAULT 0,"                           \
		 " trace TEXT NOT NULL DEFAULT '',"                            \
		 " reply TEXT NOT NULL DEFAULT '',"                            \
		 " first_seen INTEGER NOT NULL,"                               \
		 " changed INTEGER NOT NULL,"                                  \
		 " next_try INTEGER NOT NULL DEFAULT 0,"                       \
		 " refusals INTEGER NOT NULL DEFAULT 0,"                       \
		 " first_refusal INTEGER NOT NULL DEFAULT 0,"                  \
		 " deaths INTEGER NOT NULL DEFAULT 0,"                         \
		 " wrapped INTEGER NOT NULL DEFAULT 0,"                        \
		 " UNIQUE (mailbox, generation, uid, duplicate, "              \
		 "destination)) STRICT;"

/* The few rows that matter, found without walking all the others. */
#define SCHEMA_PENDING_INDEX                                                   \
	"CREATE INDEX delivery_pending ON delivery"                            \
	" (mailbox, generation, uid, missed) WHERE " SCHEMA_PENDING ";"
#define SCHEMA_INDEXES                                                         \
	SCHEMA_PENDING_INDEX                                                   \
	"CREATE INDEX delivery_removing ON delivery"                           \
	" (mailbox, generation, uid, missed) WHERE removing = 1;"              \
	"CREATE INDEX delivery_relayed ON delivery"                            \
	" (mailbox, generation, changed)"                                      \
	" WHERE state = 'relayed' AND removing = 0;"                           \
	"CREATE INDEX delivery_missed ON delivery"                             \
	" (mailbox, generation) WHERE missed = 1;"                             \
	"CREATE INDEX delivery_trace ON delivery"                              \
	" (trace) WHERE trace <> '';"                                          \
	"CREATE INDEX delivery_held ON delivery"                               \
	" (mailbox, generation) WHERE state = 'held';"                         \
	"CREATE INDEX delivery_gone ON delivery"                               \
	" (mailbox, changed) WHERE state = 'gone';"

#define SCHEMA_PAUSE                                                           \
	"CREATE TABLE pause ("                                                 \
	" party INTEGER NOT NULL,"                                             \
	" name TEXT NOT NULL,"                                                 \
	" terms INTEGER NOT NULL,"                                             \
	" failures INTEGER NOT NULL DEFAULT 0,"                                \
	" since INTEGER NOT NULL DEFAULT 0,"                                   \
	" not_before INTEGER NOT NULL DEFAULT 0,"                              \
	" firm INTEGER NOT NULL DEFAULT 0,"                                    \
	" alerted INTEGER NOT NULL DEFAULT 0,"                                 \
	" reply TEXT NOT NULL DEFAULT '',"                                     \
	" last_login INTEGER NOT NULL DEFAULT 0,"                              \
	" login_delay INTEGER NOT NULL DEFAULT 0,"                             \
	" by_hand INTEGER NOT NULL DEFAULT 0,"                                 \
	" PRIMARY KEY (party, name)) STRICT, WITHOUT ROWID;"

const char schema_sql[] = "PRAGMA application_id = " NUMBER(
    SCHEMA_APPLICATION_ID) ";"
			   "PRAGMA user_version = " NUMBER(
			       SCHEMA_VERSION) ";" SCHEMA_META SCHEMA_MAILBOX
			       SCHEMA_DELIVERY SCHEMA_INDEXES SCHEMA_PAUSE
				   SCHEMA_RECOGNITION SCHEMA_HISTORY;

const char *const schema_upgrades[SCHEMA_VERSION] = {
	[2] = "ALTER TABLE delivery ADD COLUMN"
	      " wrapped INTEGER NOT NULL DEFAULT 0",
	/* Only what is asked is worded anew: no row changes (see "Making Other
	 * Kinds Of Table Schema Changes" in SQLite's ALTER TABLE). */
	[3] = "DROP INDEX delivery_pending;" SCHEMA_PENDING_INDEX
	      "PRAGMA writable_schema = ON;"
	      "UPDATE sqlite_schema SET sql = replace(sql, '(state IN"
	      " (''known'', ''new'', ''deferred'',  ''in_doubt'', ''relayed'',"
	      " ''held'', ''gone''))', '" SCHEMA_STATE(
		  "''") "')"
			" WHERE name = 'delivery';"
			"PRAGMA writable_schema = RESET",
};

/*
 * listing: what is listed and needs something (listed.c).
 * matched: rows that get a new UID (recognise.c).
 */
const char schema_temp_sql[] =
    "CREATE TEMP TABLE listing ("
    " mailbox INTEGER NOT NULL,"
    " uid ANY NOT NULL,"
    " duplicate INTEGER NOT NULL,"
    " number INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " found INTEGER NOT NULL DEFAULT 0,"
    " date INTEGER NOT NULL DEFAULT 0,"
    " fingerprint BLOB,"
    " marked INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (mailbox, uid, duplicate)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX temp.listing_number ON listing (mailbox, number);"
    "CREATE TEMP TABLE target (destination TEXT PRIMARY KEY) STRICT;"
    "CREATE TEMP TABLE matched (id INTEGER PRIMARY KEY, uid ANY NOT NULL,"
    " duplicate INTEGER NOT NULL) STRICT;"
    "CREATE INDEX temp.matched_uid ON matched (uid, duplicate);";
