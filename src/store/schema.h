/* SPDX-License-Identifier: ISC */
/*
 * The tables of the state database: the SQL that makes an empty one, its
 * version and application id.  The statements that use them stand beside the
 * code that runs them (mailbox.c, listing.c, delivery.c, pause.c); the settings
 * SQLite is opened with are in db.c.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#define SCHEMA_VERSION 4
#define SCHEMA_OLDEST 2                  /* that is brought up to date */
#define SCHEMA_APPLICATION_ID 0x4d6c4861 /* "MlHa" */

/* One text for the index and for the statements: SQLite uses a partial index
 * only where it sees its condition again. */
#define SCHEMA_PENDING                                                         \
	"(state = 'new' OR state = 'deferred' OR state = 'in_doubt')"

extern const char schema_sql[]; /* creates all tables */
/* Each brings a database from that version to the next; in one transaction. */
extern const char *const schema_upgrades[SCHEMA_VERSION];
extern const char schema_temp_sql[]; /* of one connection: the listings */

#endif
