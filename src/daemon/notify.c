/* SPDX-License-Identifier: ISC */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "base/ascii.h"
#include "base/log.h"
#include "net/loop.h"
#include "store/store.h"

#define LOOK_MS (2 * 1000)
#define LOOKS_A_SURVEY 30 /* the store is asked more seldom: it costs */
#define PAGE 256          /* mailboxes a request */
#define STAY_MS                                                                \
	1000               /* from one request for more time to the next ...   \
	                    */
#define STAY_US "30000000" /* ... and what each asks for */
#define WHY_MAX 256
#define STATUS_MAX (2 * WHY_MAX + 160)

static struct {
	struct loop *loop;   /* foreign; NULL: not open */
	struct store *store; /* foreign */
	void (*look)(void *arg, struct notify_status *status_r);
	void *arg;
	struct timer pet, glance, stay;
	unsigned looks;       /* since the store was asked */
	uint64_t watchdog_ms; /* 0: systemd does not watch */
	bool stalled;         /* and it was said */
	bool stopping;
	bool asking;  /* the store owes us a page */
	bool counted; /* it has answered once */
	uint64_t held, in_doubt;
	uint64_t sum_held, sum_in_doubt; /* of the pages so far */
	char told[STATUS_MAX];           /* the last status */
	char refused[WHY_MAX]; /* the last reload; empty: it was not */
} notify;

/* --- the watchdog */

static bool
store_moves(void)
{
	int64_t ms = store_stalled_ms(notify.store);
	struct log_event e = { .priority = LOG_ERR,
		.message_id = LOG_ID_STATE };
	bool stalled = ms >= (int64_t)notify.watchdog_ms;

	if (stalled && !notify.stalled)
		log_event(&e,
		    "the thread that writes the state has been stuck for "
		    "%" PRId64
		    " seconds: the disk does not answer, or this is a bug; "
		    "systemd will start mailhauld again",
		    ms / 1000);
	notify.stalled = stalled;
	return !stalled;
}

static void
on_pet(void *arg)
{
	(void)arg;
	if (store_moves())
		sd_notify(0, "WATCHDOG=1");
	timer_set(&notify.pet, (int64_t)notify.watchdog_ms / 3);
}

/* --- the status */

static void ask_page(int64_t after);

static void
join(char *text, size_t size, const char *part)
{
	char clean[WHY_MAX];
	size_t n = strlen(text);

	ascii_clean(clean, sizeof(clean), part, strlen(part));
	snprintf(text + n, size - n, "%s; ", clean);
}

static void
write_status(char *text, size_t size)
{
	struct notify_status st = { 0 };
	char failing[32] = "", mail[64] = "";
	size_t n;

	notify.look(notify.arg, &st);
	text[0] = '\0';
	if (notify.refused[0] != '\0')
		join(text, size, notify.refused);
	if (st.problem != NULL)
		join(text, size, st.problem);
	if (st.failing > 0)
		snprintf(failing, sizeof(failing), ", %u failing", st.failing);
	if (notify.counted)
		snprintf(mail, sizeof(mail),
		    ", %" PRIu64 " held, %" PRIu64 " in doubt", notify.held,
		    notify.in_doubt);
	n = strlen(text);
	snprintf(text + n, size - n, "%u account%s%s%s", st.accounts,
	    st.accounts == 1 ? "" : "s", failing, mail);
}

/* Whoever watches the unit is woken by each: only what is new. */
static void
tell_status(void)
{
	char text[STATUS_MAX];

	write_status(text, sizeof(text));
	if (strcmp(text, notify.told) == 0)
		return;
	strcpy(notify.told, text);
	sd_notifyf(0, "STATUS=%s", text);
}

static void
on_page(void *arg, struct store_answer *a)
{
	bool is_last = !a->ok || a->nsummary < PAGE;

	(void)arg;
	notify.asking = false;
	if (notify.stopping)
		return;
	for (size_t i = 0; a->ok && i < a->nsummary; i++) {
		notify.sum_held += a->summary[i].held;
		notify.sum_in_doubt += a->summary[i].in_doubt;
	}
	if (!is_last) {
		ask_page(a->summary[a->nsummary - 1].mailbox);
		return;
	}
	if (a->ok) {
		notify.held = notify.sum_held;
		notify.in_doubt = notify.sum_in_doubt;
		notify.counted = true;
	}
	tell_status();
}

static void
ask_page(int64_t after)
{
	notify.asking = true;
	store_summary(
	    notify.store, after, PAGE, (struct store_done){ on_page, NULL });
}

static void
on_look(void *arg)
{
	(void)arg;
	if (notify.looks++ % LOOKS_A_SURVEY != 0) {
		tell_status();
	} else if (!notify.asking) {
		notify.sum_held = notify.sum_in_doubt = 0;
		ask_page(0);
	}
	timer_set(&notify.glance, LOOK_MS);
}

/* --- the life of a service */

static void
on_stay(void *arg)
{
	(void)arg;
	sd_notify(0, "EXTEND_TIMEOUT_USEC=" STAY_US);
	timer_set(&notify.stay, STAY_MS);
}

void
notify_open(struct loop *l, struct store *s,
    void (*look)(void *arg, struct notify_status *status_r), void *arg)
{
	uint64_t usec;

	if (getenv("NOTIFY_SOCKET") == NULL)
		return;
	notify.loop = l;
	notify.store = s;
	notify.look = look;
	notify.arg = arg;
	timer_init(&notify.pet, l, on_pet, NULL);
	timer_init(&notify.glance, l, on_look, NULL);
	timer_init(&notify.stay, l, on_stay, NULL);
	if (sd_watchdog_enabled(0, &usec) > 0)
		notify.watchdog_ms = usec / 1000;
	if (notify.watchdog_ms > 0)
		timer_set(&notify.pet, (int64_t)notify.watchdog_ms / 3);
}

void
notify_close(void)
{
	timer_free(&notify.pet);
	timer_free(&notify.glance);
	timer_free(&notify.stay);
	memset(&notify, 0, sizeof(notify));
}

void
notify_ready(const char *refused)
{
	if (notify.loop == NULL || notify.stopping)
		return;
	snprintf(notify.refused, sizeof(notify.refused), "%s",
	    refused != NULL ? refused : "");
	write_status(notify.told, sizeof(notify.told));
	sd_notifyf(0, "READY=1\nSTATUS=%s", notify.told);
	notify.looks = 0;
	timer_set(&notify.glance, 0);
}

void
notify_reloading(void)
{
	struct timespec now;

	/* systemd 253 and later (notify-reload) tell by the time whether this
	 * belongs to the reload that they asked for. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void
notify_stopping(uint64_t grace)
{
	if (notify.loop == NULL)
		return;
	notify.stopping = true;
	timer_cancel(&notify.glance);
	sd_notifyf(0,
	    "STOPPING=1\nSTATUS=finishing what is on the wire, for %" PRIu64
	    " seconds at most",
	    grace);
	on_stay(NULL);
}
