/* SPDX-License-Identifier: ISC */
#include "daemon/sign_in_words.h"

#include <stdio.h>

#include "auth/token.h"
#include "conf/conf.h"
#include "relay/server.h"

const char *
sign_in_words(struct tokens *t, const struct conf_server *server,
    const char *name, char dst[SIGN_IN_WORDS_MAX])
{
	struct token_identity id;
	enum token_standing standing;
	struct fault f;

	if (!conf_server_uses_token(server))
		return NULL;
	id = server_identity(server);
	standing = token_standing(t, &id, &f);
	if (standing == TOKEN_GOOD)
		return NULL;
	snprintf(dst, SIGN_IN_WORDS_MAX, "sign in%s: mailhaul login %s (%s)",
	    standing == TOKEN_OVER ? " again" : "", name, f.text);
	return dst;
}
