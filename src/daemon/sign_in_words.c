/* SPDX-License-Identifier: ISC */
#include "daemon/sign_in_words.h"

#include <stdio.h>

#include "auth/token.h"
#include "conf/conf.h"
#include "relay/server.h"
#include "relay/trace.h"

const char *
sign_in_words(struct tokens *t, const struct conf_server *server,
    const char *name, char dst[SIGN_IN_WORDS_MAX], bool *soon_r)
{
	char date[TRACE_DATE_SIZE];
	struct token_identity id;
	enum token_standing standing;
	struct fault f;
	int64_t end;

	*soon_r = false;
	if (!conf_server_uses_token(server))
		return NULL;
	id = server_identity(server);
	standing = token_standing(t, &id, &f);
	end = token_ends(t, &id);
	if (standing == TOKEN_GOOD && end == 0)
		return NULL;
	*soon_r = standing == TOKEN_GOOD;
	if (*soon_r)
		trace_date(end, date);
	snprintf(dst, SIGN_IN_WORDS_MAX, "sign in%s: mailhaul login %s (%s%s)",
	    standing == TOKEN_NONE ? "" : " again", name,
	    *soon_r ? "it works until " : "", *soon_r ? date : f.text);
	return dst;
}
