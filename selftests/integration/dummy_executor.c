/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/executor.o */
#include "executor/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "model/action_info.h"

/* The executor with the actions of dummy_step.c and a starter of its own: systemd is whoever reads the file named by AIOPS_TEST_ASKS, to
 * which one line is added for each time that it is asked. */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "any" },
	{ .name = NULL },
};

const struct action_info action_table[] = {
	{ .name = "dummy.count",
	  .summary = "count up",
	  .params = params,
	  .target = "unit",
	  .risk = RISK_REVERSIBLE,
	  .undo = "counts down again",
	  .timeout_ms = 10000 },
	{ .name = "dummy.mark",
	  .summary = "leave a mark",
	  .params = params,
	  .target = "unit",
	  .risk = RISK_DISRUPTIVE,
	  .timeout_ms = 10000 },
	{ .name = NULL },
};

struct starter {
	sd_event *event;
	sd_event_source *answer;
	struct starter_handlers handlers;
	void *userdata;
	int fd;
	char key[STR_HEX128_MAX]; /* asked and not answered */
};

static int on_answer(sd_event_source *source, void *userdata)
{
	struct starter *s = userdata;
	char key[STR_HEX128_MAX] = "";

	(void)source;
	(void)str_copy(key, sizeof(key), s->key);
	s->key[0] = '\0';
	s->handlers.answered(s->userdata, key, 0, NULL);
	return 0;
}

int starter_new(sd_event *event, const struct starter_handlers *handlers, void *userdata,
		struct starter **ret, struct err *reterr)
{
	const char *path = getenv("AIOPS_TEST_ASKS");
	struct starter *s = calloc(1, sizeof(*s));
	int r;

	if (!s || !path)
		return err_set(reterr, -EINVAL, "make starter: AIOPS_TEST_ASKS is not set");
	s->event = event;
	s->handlers = *handlers;
	s->userdata = userdata;
	s->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	r = s->fd < 0 ? -errno : sd_event_add_defer(event, &s->answer, on_answer, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->answer, SD_EVENT_OFF);
	if (r < 0)
		return err_set(reterr, r, "make starter: %s", strerror(-r));
	*ret = s;
	return 0;
}

struct starter *starter_free(struct starter *s)
{
	if (!s)
		return NULL;
	sd_event_source_disable_unref(s->answer);
	(void)close(s->fd);
	free(s);
	return NULL;
}

int starter_start(struct starter *s, const char *key, enum step_profile profile, struct err *reterr)
{
	char line[STR_HEX128_MAX + 1] = "";

	(void)profile;
	if (s->key[0])
		return err_set(reterr, -EBUSY, "start step '%s': one at a time here", key);
	str_append(line, sizeof(line), "%s\n", key);
	if (write(s->fd, line, strlen(line)) != (ssize_t)strlen(line))
		return err_set(reterr, -errno, "start step '%s': %s", key, strerror(errno));
	(void)str_copy(s->key, sizeof(s->key), key);
	return sd_event_source_set_enabled(s->answer, SD_EVENT_ONESHOT);
}

void starter_cancel(struct starter *s, const char *key)
{
	(void)s;
	(void)key;
}

bool starter_is_connected(const struct starter *s)
{
	return s->fd >= 0;
}
