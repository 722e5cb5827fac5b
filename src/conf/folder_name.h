/* SPDX-License-Identifier: ISC */
/*
 * Names of IMAP folders as a person writes them: UTF-8, "/" or whatever the
 * server has between levels, wildcards as of LIST (RFC 3501 6.3.8), and
 * special uses (RFC 6154).  How a name travels is not known here.
 */
#ifndef CONF_FOLDER_NAME_H
#define CONF_FOLDER_NAME_H

#include <stdbool.h>

#include "conf/conf.h"

#define FOLDER_NAME_MAX 512 /* bytes */

/* UTF-8 without control characters or space at either end, and no special
 * use. */
bool folder_name_is_legal(const char *name);

bool folder_name_is_pattern(const char *name);

/* The special use as it is spelt ("\Junk"), whatever the case of name; or
 * NULL, and nearest_r (may be NULL) then gets the closest one or NULL. */
const char *folder_name_special(const char *name, const char **nearest_r);

/* Whether there can be a folder that both of them mean.  "%" is taken for "*",
 * as nobody knows what the server has between levels.  Which folder has a
 * special use is not known either: only a pattern that means every folder
 * meets it. */
bool folder_names_meet(
    const struct conf_folder *a, const struct conf_folder *b);

#endif
