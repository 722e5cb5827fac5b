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

#define LOOK_MS (60 * 1000)
#define STAY_MS                                                                \
	1000               /* from one request for more time to the next ...   \
	                    */
#define STAY_US "30000000" /* ... and what each asks for */
#define WHY_MAX 256

static struct {
	struct loop *loop;   /* foreign; NULL: not open */
	struct store *store; /* foreign */
	void (*look)(void *arg, struct notify_status *status_r);
	void *arg;
	struct timer pet, survey, stay;
	uint64_t watchdog_ms; /* 0: systemd does not watch */
	bool stalled;         /* and it was said */
	bool stopping;
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
		    "the thread that writes the state is stuck for %" PRId64
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

static void
join(char *text, size_t size, const char *part)
{
	char clean[WHY_MAX];
	size_t n = strlen(text);

	ascii_clean(clean, sizeof(clean), part, strlen(part));
	snprintf(text + n, size - n, "%s; ", clean);
}

static void
tell_status(const char *state)
{
	struct notify_status st = { 0 };
	char why[2 * WHY_MAX + 8] = "", failing[32] = "";

	if (notify.look != NULL)
		notify.look(notify.arg, &st);
	if (notify.refused[0] != '\0')
		join(why, sizeof(why), notify.refused);
	if (st.problem != NULL)
		join(why, sizeof(why), st.problem);
	if (st.failing > 0)
		snprintf(failing, sizeof(failing), ", %u failing", st.failing);
	sd_notifyf(0, "%sSTATUS=%s%u account%s%s", state, why, st.accounts,
	    st.accounts == 1 ? "" : "s", failing);
}

static void
on_survey(void *arg)
{
	(void)arg;
	tell_status("");
	timer_set(&notify.survey, LOOK_MS);
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
	timer_init(&notify.survey, l, on_survey, NULL);
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
	timer_free(&notify.survey);
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
	tell_status("READY=1\n");
	timer_set(&notify.survey, LOOK_MS);
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
	timer_cancel(&notify.survey);
	sd_notifyf(0,
	    "STOPPING=1\nSTATUS=finishing what is on the wire, for %" PRIu64
	    " seconds at most",
	    grace);
	on_stay(NULL);
}
