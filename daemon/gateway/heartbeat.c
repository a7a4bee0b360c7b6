/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/credential.h"

struct heartbeat {
	struct endpoint endpoint;
	struct check *check;
	sd_event_source *timer;
	int is_heard; /* -1: not known yet */
};

/* The URL stays out of the journal: whoever has it can keep the switch quiet. */
static void on_asked(void *userdata, bool is_up, const char *text)
{
	struct heartbeat *h = userdata;

	if (h->is_heard == is_up)
		return;
	if (is_up)
		log_line(LOG_INFO, "the heartbeat is heard");
	else
		log_line(LOG_WARNING, "the heartbeat is not heard: %s", text);
	h->is_heard = is_up;
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct heartbeat *h = userdata;

	(void)usec;
	(void)check_start(h->check); /* -EBUSY: the one before still waits for its answer */
	(void)sd_event_source_set_time_relative(source, HEARTBEAT_INTERVAL_NS / NS_PER_US);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

void heartbeat_set_alive(struct heartbeat *h, bool is_alive)
{
	if (!h)
		return;
	if (is_alive)
		(void)sd_event_source_set_time_relative(h->timer, 0);
	(void)sd_event_source_set_enabled(h->timer, is_alive ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Returns 1; 0: there is none; -errno. */
static int read_url(struct heartbeat *h, struct err *reterr)
{
	char url[CREDENTIAL_MAX] = "";
	int fd = credential_open_dir(NULL), r;

	if (fd < 0)
		return 0;
	r = credential_read(fd, "heartbeat_url", url, reterr);
	(void)close(fd);
	if (r == -ENOENT)
		return 0;
	if (r == 0 && str_copy(h->endpoint.url, sizeof(h->endpoint.url), url) < 0)
		r = err_set(reterr, -EINVAL, "read credential 'heartbeat_url': it is too long");
	explicit_bzero(url, sizeof(url));
	return r < 0 ? r : 1;
}

int heartbeat_new(sd_event *event, struct curlloop *loop, struct heartbeat **ret,
		  struct err *reterr)
{
	_cleanup_(heartbeat_freep) struct heartbeat *h = calloc(1, sizeof(*h));
	struct err hidden = { 0 };
	int r;

	if (!h)
		return err_set(reterr, -ENOMEM, "start heartbeat: Out of memory");
	h->is_heard = -1;
	h->endpoint.timeout_ms = HEARTBEAT_TIMEOUT_MS;
	h->endpoint.expect_status = 200;
	r = read_url(h, reterr);
	if (r <= 0)
		return r;
	r = check_new(event, loop, &h->endpoint, on_asked, h, &h->check, &hidden);
	if (r < 0) /* its own words would show the URL */
		return err_set(reterr, r,
			       "start heartbeat: the credential 'heartbeat_url' is no URL "
			       "whose host is an address");
	r = sd_event_add_time_relative(event, &h->timer, CLOCK_BOOTTIME, 0, 1, on_due, h);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
	if (r < 0)
		return err_set(reterr, r, "start heartbeat: %s", strerror(-r));
	*ret = TAKE_PTR(h);
	return 0;
}

struct heartbeat *heartbeat_free(struct heartbeat *h)
{
	if (!h)
		return NULL;
	h->timer = sd_event_source_disable_unref(h->timer);
	h->check = check_free(h->check);
	explicit_bzero(&h->endpoint, sizeof(h->endpoint));
	free(h);
	return NULL;
}
