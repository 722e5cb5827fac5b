/* SPDX-License-Identifier: ISC */
#include "relay/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "config.h"

#define UUID_SIZE 16
#define KEY_SIZE 32
#define HASH_SIZE 32  /* of SHA-256 */
#define BLOCK_SIZE 64 /* that it works on */

/* RFC 4648 base32, lower case, without padding: safe in a header, an xtext
 * ENVID and a command line. */
static void
base32(const unsigned char *bytes, size_t chars, char *out)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned acc = 0, bits = 0;

	for (size_t i = 0; i < chars; i++) {
		if (bits < 5) {
			acc = acc << 8 | *bytes++;
			bits += 8;
		}
		bits -= 5;
		out[i] = alphabet[acc >> bits & 31];
	}
	out[chars] = '\0';
}

/* Each part is preceded by its length, so that no two lists of parts give the
 * same bytes. */
static void
add_part(struct buf *b, const void *p, size_t n)
{
	unsigned char len[4] = { (unsigned char)(n >> 24),
		(unsigned char)(n >> 16), (unsigned char)(n >> 8),
		(unsigned char)n };

	if (!buf_add(b, span_make(len, sizeof(len))) ||
	    !buf_add(b, span_make(p, n)))
		abort(); /* uid and folder are bounded far below the ceiling */
}

/* One of the two hashes of RFC 2104.  No type: that of the last one, which
 * saves OpenSSL the search for it. */
static void
keyed_hash(EVP_MD_CTX *ctx, const EVP_MD *type, const unsigned char *key,
    unsigned char pad, struct span s, unsigned char out[EVP_MAX_MD_SIZE])
{
	unsigned char block[BLOCK_SIZE];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < KEY_SIZE; i++)
		block[i] ^= key[i];
	if (EVP_DigestInit_ex(ctx, type, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, block, sizeof(block)) != 1 ||
	    EVP_DigestUpdate(ctx, s.p, s.n) != 1 ||
	    EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort();
}

/* HMAC-SHA256.  HMAC() would do it in one line and three times the time, which
 * it spends on finding and making what it needs; this is once a message. */
static void
mac(const struct trace_source *t, struct buf *parts,
    unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL)
		abort();
	keyed_hash(ctx, EVP_sha256(), t->key, 0x36, buf_span(parts), out);
	keyed_hash(ctx, NULL, t->key, 0x5c, span_make(out, HASH_SIZE), out);
	EVP_MD_CTX_free(ctx);
	buf_free(parts);
}

void
trace_compute(const struct trace_source *t, const char *uid,
    const unsigned char *hash, char trace_r[TRACE_SIZE])
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char generation[24];
	struct buf parts;

	snprintf(generation, sizeof(generation), "%llu",
	    (unsigned long long)t->generation);
	buf_init(&parts, 8192);
	add_part(&parts, t->account_uuid, UUID_SIZE);
	add_part(&parts, t->folder, strlen(t->folder));
	add_part(&parts, generation, strlen(generation));
	add_part(&parts, uid, strlen(uid));
	add_part(&parts, hash, 32);
	mac(t, &parts, out);
	base32(out, TRACE_SIZE - 1, trace_r);
}

void
trace_token(const struct trace_source *t, char token_r[TRACE_TOKEN_SIZE])
{
	unsigned char out[EVP_MAX_MD_SIZE];
	struct buf parts;

	buf_init(&parts, 128);
	add_part(&parts, "account", 7);
	add_part(&parts, t->account_uuid, UUID_SIZE);
	mac(t, &parts, out);
	base32(out, TRACE_TOKEN_SIZE - 1, token_r);
}

void
trace_notice(const unsigned char *key, char token_r[TRACE_TOKEN_SIZE])
{
	struct trace_source t = { .key = key };
	unsigned char out[EVP_MAX_MD_SIZE];
	struct buf parts;

	buf_init(&parts, 128);
	add_part(&parts, "notice", 6);
	mac(&t, &parts, out);
	base32(out, TRACE_TOKEN_SIZE - 1, token_r);
}

void
trace_date(int64_t when, char date_r[TRACE_DATE_SIZE])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm = { .tm_mday = 1 };

	/* Always UTC and English: the locale has no say in a header. */
	gmtime_r(&t, &tm);
	snprintf(date_r, TRACE_DATE_SIZE, "%s, %d %s %d %02d:%02d:%02d +0000",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
trace_head(struct buf *b, const struct trace_head *h)
{
	char date[TRACE_DATE_SIZE];

	trace_date(h->date, date);
	buf_addf(b,
	    "Received: from %s by %s (mailhaul %s)\r\n"
	    "\twith %s id %s\r\n"
	    "\tfor <%s>; %s\r\n",
	    h->source_host, h->our_host, PACKAGE_VERSION, h->protocol, h->trace,
	    h->recipient, date);
	if (h->folder != NULL)
		buf_addf(b, "X-Mailhaul-Folder: %s\r\n", h->folder);
	buf_addf(b, "X-Mailhaul-Trace: %s; account=%s; attempt=%u%s\r\n",
	    h->trace, h->token, h->attempt,
	    h->possible_duplicate ? "; possible-duplicate=yes" : "");
}
