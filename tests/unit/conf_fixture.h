/* SPDX-License-Identifier: ISC */
/*
 * A configuration in a directory of its own, and the complete list of problems
 * it must give: one "line: text" each, "w" in front of the line marks a
 * warning, and what is not of main.conf begins with the name of its file.
 * Before it: cmocka and what that wants.
 */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <sys/types.h>

#include "conf/conf.h"

/* In a buffer that the next but three calls reuse. */
const char *conf_path(const char *name);
const char *conf_directory(void);
void conf_put(const char *name, const char *text, mode_t mode);

/* What @ stands for in a configuration: the directory of the test. */
void conf_write(const char *name, const char *text);

/* Loads main.conf; the report is the caller's. */
struct conf *conf_read(char **report_r);
void conf_expect(const char *conf, const char *report);
struct conf *conf_read_good(const char *text);

int conf_set_up(void **state);
int conf_tear_down(void **state);

/* On lines 1 to 4: a destination and an account that are good. */
#define HOME                                                                   \
	"destinations = ( { name = \"home\"; host = \"smtp.example.net\";\n"   \
	"  user = \"me@example.net\"; password = \"env:PW\";\n"                \
	"  recipient = \"in@example.net\"; } );\n"
#define OLD                                                                    \
	"name = \"old\"; host = \"mail.example.org\"; user = \"u\"; "          \
	"password = \"env:PW\"; destination = \"home\"; "
#define IMAP "protocol = \"imap\"; "
#define ACCOUNT(rest) "accounts = ( { " OLD rest " } );\n"
#define GOOD HOME ACCOUNT(IMAP)
/* Account options on line 4. */
#define WITH(option) HOME ACCOUNT(IMAP option)

#endif
