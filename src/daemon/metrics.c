/* SPDX-License-Identifier: ISC */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <openssl/crypto.h>

#include "base/histogram.h"
#include "base/log.h"
#include "daemon/process.h"
#include "daemon/view.h"
#include "store/store.h"

#include "config.h"

/* --- the format */

/* Names and values in turn; NULL ends them. */
#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_LABELS ((const char *const[]){ NULL })

static void
describe(
    struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_escaped(struct evbuffer *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*s == '\\' || *s == '"')
			evbuffer_add_printf(out, "\\%c", *s);
		else
			evbuffer_add(out, s, 1);
	}
}

static void
begin_sample(struct evbuffer *out, const char *name, const char *const *labels)
{
	evbuffer_add(out, name, strlen(name));
	for (size_t i = 0; labels[i] != NULL; i += 2) {
		evbuffer_add_printf(
		    out, "%s%s=\"", i == 0 ? "{" : ",", labels[i]);
		add_escaped(out, labels[i + 1]);
		evbuffer_add(out, "\"", 1);
	}
	if (labels[0] != NULL)
		evbuffer_add(out, "}", 1);
}

static void
sample(struct evbuffer *out, const char *name, const char *const *labels,
    uint64_t value)
{
	begin_sample(out, name, labels);
	evbuffer_add_printf(out, " %" PRIu64 "\n", value);
}

static void
sample_real(struct evbuffer *out, const char *name, const char *const *labels,
    double value)
{
	begin_sample(out, name, labels);
	evbuffer_add_printf(out, " %.15g\n", value);
}

struct metric {
	const char *name, *type, *help;
};

/* One without labels. */
static void
single(struct evbuffer *out, const struct metric *m, uint64_t value)
{
	describe(out, m->name, m->type, m->help);
	sample(out, m->name, NO_LABELS, value);
}

/* What the bounds are, and what they and the sum are divided by. */
struct scale {
	const int64_t *bounds;
	double unit;
};
static const struct scale seconds = { tally_bounds_us, 1e6 };
static const struct scale commit_seconds = { store_commit_bounds_us, 1e6 };
static const struct scale requests = { store_group_bounds, 1 };

/* route NULL: the label is left out. */
static void
add_histogram(struct evbuffer *out, const char *name, const char *route,
    const struct histogram *h, const struct scale *scale)
{
	const char *const *labels =
	    route != NULL ? LABELS("route", route) : NO_LABELS;
	char part[64], le[32];
	uint64_t n = 0;

	snprintf(part, sizeof(part), "%s_bucket", name);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		n += h->bucket[i];
		if (scale->bounds[i] == INT64_MAX)
			strcpy(le, "+Inf");
		else
			snprintf(le, sizeof(le), "%.9g",
			    (double)scale->bounds[i] / scale->unit);
		sample(out, part,
		    route != NULL ? LABELS("route", route, "le", le)
				  : LABELS("le", le),
		    n);
	}
	snprintf(part, sizeof(part), "%s_sum", name);
	sample_real(out, part, labels, (double)h->sum / scale->unit);
	snprintf(part, sizeof(part), "%s_count", name);
	sample(out, part, labels, h->count);
}

/* --- accounts */

static const struct tally_account no_tally;

static const struct tally_account *
tally_of(const struct view_account *a)
{
	return a->tally != NULL ? a->tally : &no_tally;
}

static void
add_outcomes(struct evbuffer *out, const struct view_account *a)
{
	static const char name[] = "mailhaul_messages_total";
	const struct tally_account *t = tally_of(a);
	const struct {
		const char *result;
		uint64_t n;
	} rows[] = {
		{ "relayed", t->relayed },
		{ "deferred", t->deferred },
		{ "held", t->held },
		{ "indoubt", t->in_doubt },
		{ "possible_duplicate", t->duplicates },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		sample(out, name,
		    LABELS("account", a->name, "result", rows[i].result),
		    rows[i].n);
}

static void
add_polls(struct evbuffer *out, const struct view_account *a)
{
	static const char name[] = "mailhaul_polls_total";
	const struct tally_account *t = tally_of(a);

	sample(out, name, LABELS("account", a->name, "result", "ok"),
	    t->polls - t->polls_failed);
	sample(out, name, LABELS("account", a->name, "result", "failed"),
	    t->polls_failed);
}

static void
add_last_success(struct evbuffer *out, const struct view_account *a)
{
	if (a->last_success > 0)
		sample(out, "mailhaul_last_success_timestamp_seconds",
		    LABELS("account", a->name), (uint64_t)a->last_success);
}

/* Failing lasts while it is tried again, so its state does not say it. */
static bool
is_failing(const char *state, unsigned failures)
{
	return failures > 0 && strcmp(state, "paused") != 0 &&
	       strcmp(state, "sign-in") != 0 && strcmp(state, "asks") != 0;
}

static void
add_pauses(struct evbuffer *out, const struct view_account *a)
{
	static const char name[] = "mailhaul_account_paused";

	sample(out, name, LABELS("account", a->name, "reason", "hand"),
	    strcmp(a->state, "paused") == 0);
	sample(out, name, LABELS("account", a->name, "reason", "failure"),
	    is_failing(a->state, a->failures));
	sample(out, name, LABELS("account", a->name, "reason", "question"),
	    strcmp(a->state, "asks") == 0);
	sample(out, name, LABELS("account", a->name, "reason", "sign-in"),
	    strcmp(a->state, "sign-in") == 0);
}

static void
add_fetched(struct evbuffer *out, const struct view_account *a)
{
	sample(out, "mailhaul_fetched_bytes_total", LABELS("account", a->name),
	    tally_of(a)->fetched_bytes);
}

static const struct account_metric {
	struct metric metric;
	void (*add)(struct evbuffer *out, const struct view_account *a);
} account_metrics[] = {
	{ { "mailhaul_messages_total", "counter",
	      "What became of messages, by account and result." },
	    add_outcomes },
	{ { "mailhaul_polls_total", "counter",
	      "Polls that ended, by account and result." },
	    add_polls },
	{ { "mailhaul_last_success_timestamp_seconds", "gauge",
	      "End of the last poll without a failure." },
	    add_last_success },
	{ { "mailhaul_account_paused", "gauge",
	      "Whether the account is left alone, and why." },
	    add_pauses },
	{ { "mailhaul_fetched_bytes_total", "counter",
	      "Bytes of messages that were fetched." },
	    add_fetched },
};

static void
write_accounts(const struct supervisor *s, struct evbuffer *out)
{
	size_t n = sizeof(account_metrics) / sizeof(account_metrics[0]);

	for (size_t m = 0; m < n; m++) {
		const struct account_metric *am = &account_metrics[m];

		describe(
		    out, am->metric.name, am->metric.type, am->metric.help);
		for (size_t i = 0; i < view_accounts(s); i++) {
			struct view_account a;

			view_account(s, i, &a);
			am->add(out, &a);
		}
	}
}

/* --- destinations */

static const struct tally_destination no_replies;

static const struct tally_destination *
replies_of(const struct view_destination *d)
{
	return d->tally != NULL ? d->tally : &no_replies;
}

static void
add_replies(struct evbuffer *out, const struct view_destination *d)
{
	static const char *const classes[] = { "2", "4", "5" };
	const struct tally_destination *t = replies_of(d);

	for (enum tally_stage s = 0; s < TALLY_STAGES; s++)
		for (unsigned c = 0; c < 3; c++)
			sample(out, "mailhaul_smtp_replies_total",
			    LABELS("route", d->name, "class", classes[c],
				"stage", tally_stage_name(s)),
			    t->replies[s][c]);
}

static void
add_relay(struct evbuffer *out, const struct view_destination *d)
{
	add_histogram(out, "mailhaul_relay_duration_seconds", d->name,
	    &replies_of(d)->relay, &seconds);
}

static void
add_dot(struct evbuffer *out, const struct view_destination *d)
{
	add_histogram(out, "mailhaul_dot_wait_seconds", d->name,
	    &replies_of(d)->dot, &seconds);
}

static void
add_closed(struct evbuffer *out, const struct view_destination *d)
{
	static const char name[] = "mailhaul_route_paused";

	sample(out, name, LABELS("route", d->name, "reason", "hand"),
	    strcmp(d->state, "paused") == 0);
	sample(out, name, LABELS("route", d->name, "reason", "failure"),
	    is_failing(d->state, d->failures));
	sample(out, name, LABELS("route", d->name, "reason", "sign-in"),
	    strcmp(d->state, "sign-in") == 0);
}

static const struct route_metric {
	struct metric metric;
	void (*add)(struct evbuffer *out, const struct view_destination *d);
} route_metrics[] = {
	{ { "mailhaul_smtp_replies_total", "counter",
	      "Replies that decided a step, by destination, class and "
	      "stage." },
	    add_replies },
	{ { "mailhaul_relay_duration_seconds", "histogram",
	      "Time from the first byte fetched to the durable record." },
	    add_relay },
	{ { "mailhaul_dot_wait_seconds", "histogram",
	      "Time from the end of a message to its reply." },
	    add_dot },
	{ { "mailhaul_route_paused", "gauge",
	      "Whether the destination is left alone, and why." },
	    add_closed },
};

static void
write_routes(const struct supervisor *s, struct evbuffer *out)
{
	size_t n = sizeof(route_metrics) / sizeof(route_metrics[0]);

	for (size_t m = 0; m < n; m++) {
		const struct route_metric *rm = &route_metrics[m];

		describe(
		    out, rm->metric.name, rm->metric.type, rm->metric.help);
		for (size_t i = 0; i < view_destinations(s); i++) {
			struct view_destination d;

			view_destination(s, i, &d);
			rm->add(out, &d);
		}
	}
}

/* --- the state */

/* Seconds that the oldest message of all mailboxes of an account has waited; 0:
 * none waits. */
static uint64_t
age_of(const struct metrics_source *src, const char *account)
{
	int64_t oldest = src->now;

	for (size_t i = 0; i < src->nmail; i++) {
		const struct metrics_mail *m = &src->mail[i];

		if (m->oldest > 0 && m->oldest < oldest &&
		    strcmp(m->account, account) == 0)
			oldest = m->oldest;
	}
	return (uint64_t)(src->now - oldest);
}

static void
write_ages(const struct metrics_source *src, struct evbuffer *out)
{
	static const char name[] = "mailhaul_oldest_unrelayed_age_seconds";

	describe(out, name, "gauge",
	    "Time since the first sight of the oldest message that waits to "
	    "be relayed; 0: none waits.");
	for (size_t i = 0; i < view_accounts(src->supervisor); i++) {
		struct view_account a;

		view_account(src->supervisor, i, &a);
		sample(
		    out, name, LABELS("account", a.name), age_of(src, a.name));
	}
}

static void
write_mail(const struct metrics_source *src, struct evbuffer *out)
{
	static const struct metric held = { "mailhaul_held", "gauge",
		"Messages that wait for a person." };
	static const struct metric in_doubt = { "mailhaul_indoubt", "gauge",
		"Messages whose outcome is not known." };
	uint64_t nheld = 0, ndoubt = 0;

	for (size_t i = 0; i < src->nmail; i++) {
		nheld += src->mail[i].held;
		ndoubt += src->mail[i].in_doubt;
	}
	single(out, &held, nheld);
	single(out, &in_doubt, ndoubt);
}

static void
write_commits(struct store *store, struct evbuffer *out)
{
	static const char duration[] = "mailhaul_commit_duration_seconds";
	static const char size[] = "mailhaul_commit_batch_size";
	struct store_stats stats;

	store_stats(store, &stats);
	describe(out, duration, "histogram",
	    "Time until a transaction of the state was durable.");
	add_histogram(out, duration, NULL, &stats.commit, &commit_seconds);
	describe(out, size, "histogram",
	    "Requests that shared a transaction of the state.");
	add_histogram(out, size, NULL, &stats.group, &requests);
}

/* --- the process */

static void
write_build(struct evbuffer *out)
{
	static const char name[] = "mailhaul_build_info";

	describe(out, name, "gauge", "Versions; the value is always 1.");
	sample(out, name,
	    LABELS("version", PACKAGE_VERSION, "openssl",
		OpenSSL_version(OPENSSL_VERSION_STRING), "sqlite",
		store_engine_version()),
	    1);
}

/* A mailbox that does something has a session, or is about to. */
static void
write_sessions(const struct supervisor *s, struct evbuffer *out)
{
	static const char name[] = "mailhaul_sessions";
	uint64_t imap = 0, pop3 = 0, smtp = 0;

	for (size_t i = 0; i < view_accounts(s); i++) {
		struct view_account a;
		struct view_mailbox m;

		view_account(s, i, &a);
		for (size_t j = 0; j < a.nmailboxes; j++) {
			bool open;

			view_mailbox(s, i, j, &m);
			open = m.watching || strcmp(m.doing, "idle") != 0;
			if (strcmp(a.protocol, "pop3") == 0)
				pop3 += open;
			else
				imap += open;
		}
	}
	for (size_t i = 0; i < view_destinations(s); i++) {
		struct view_destination d;

		view_destination(s, i, &d);
		smtp += d.connections;
	}
	describe(out, name, "gauge", "Sessions with servers, by protocol.");
	sample(out, name, LABELS("proto", "imap"), imap);
	sample(out, name, LABELS("proto", "pop3"), pop3);
	sample(out, name, LABELS("proto", "smtp"), smtp);
}

/* The names that every Prometheus client uses. */
static void
write_process(struct evbuffer *out)
{
	static const char cpu[] = "process_cpu_seconds_total";
	static const char start[] = "process_start_time_seconds";
	static const char space[] = "process_virtual_memory_max_bytes";
	struct process_usage u;

	if (!process_usage(&u))
		return;
	describe(out, cpu, "counter", "Processor time, user and system.");
	sample_real(out, cpu, NO_LABELS, u.cpu_seconds);
	describe(out, start, "gauge", "Start of the process, Unix time.");
	sample_real(out, start, NO_LABELS, u.started);
	single(out,
	    &(struct metric){
		"process_open_fds", "gauge", "Open file descriptors." },
	    u.fds);
	single(out,
	    &(struct metric){ "process_max_fds", "gauge",
		"Most file descriptors that may be open." },
	    u.fds_max);
	single(out,
	    &(struct metric){ "process_virtual_memory_bytes", "gauge",
		"Size of virtual memory." },
	    u.virtual_bytes);
	single(out,
	    &(struct metric){
		space, "gauge", "Most virtual memory that may be used." },
	    u.virtual_max);
	single(out,
	    &(struct metric){ "process_resident_memory_bytes", "gauge",
		"Size of resident memory." },
	    u.resident_bytes);
	single(out,
	    &(struct metric){
		"process_threads", "gauge", "Threads of the process." },
	    u.threads);
}

void
metrics_write(const struct metrics_source *src, struct evbuffer *out)
{
	static const struct metric dropped = { "mailhaul_log_dropped_total",
		"counter", "Log lines that could not be written." };

	write_build(out);
	write_accounts(src->supervisor, out);
	write_mail(src, out);
	write_ages(src, out);
	write_routes(src->supervisor, out);
	write_commits(src->store, out);
	write_sessions(src->supervisor, out);
	single(out, &dropped, log_dropped());
	write_process(out);
}
