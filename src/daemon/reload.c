/* SPDX-License-Identifier: ISC */
#include "daemon/reload.h"

#include "base/log.h"
#include "conf/conf.h"
#include "daemon/notify.h"
#include "daemon/view.h"

static void
log_problems(const struct conf_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct conf_problem *p = &problems->list[i];

		log_line(p->warning ? LOG_WARNING : LOG_ERR, "%s:%u: %s%s",
		    p->file, p->line, p->warning ? "warning: " : "", p->text);
	}
}

/* The first mistake, for those who see one line only. */
static void
name_mistake(const struct conf_problems *problems, struct fault *why_r)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct conf_problem *p = &problems->list[i];

		if (p->warning)
			continue;
		fault_set(why_r, FAULT_US, FAULT_NEVER, "reload",
		    "the configuration has mistakes, nothing was changed: "
		    "%s:%u: %s",
		    p->file, p->line, p->text);
		return;
	}
}

static bool
take(const char *file, struct supervisor *s, struct conf_problems *problems_r,
    struct fault *why_r)
{
	struct conf *fresh = conf_load(file, problems_r);

	log_problems(problems_r);
	if (ask_reload(s, fresh, why_r))
		return true;
	if (fresh == NULL)
		name_mistake(problems_r, why_r);
	return false;
}

bool
reload(const char *file, struct supervisor *s, struct conf_problems *problems_r,
    struct fault *why_r)
{
	struct log_event e = { .message_id = LOG_ID_RELOAD };
	bool good;

	notify_reloading();
	good = take(file, s, problems_r, why_r);
	e.priority = good ? LOG_NOTICE : LOG_ERR;
	if (good)
		log_event(&e, "reloaded %s", file);
	else
		log_event(&e, "reload refused: %s", why_r->text);
	notify_ready(good ? NULL : why_r->text);
	return good;
}
