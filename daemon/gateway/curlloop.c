/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/curlloop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define TIMER_ACCURACY_US 1 /* sd-event's own is 250 ms, as long as a slow answer */

struct curlloop {
	sd_event *event;
	sd_event_source *timer;
	CURLM *multi;
	curlloop_done_fn *done;
};

static void tell_ends(struct curlloop *l)
{
	CURLMsg *m;
	int left = 0;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;
		void *userdata = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&userdata);
		(void)curl_multi_remove_handle(l->multi, easy);
		l->done(userdata, code);
	}
}

static void act(struct curlloop *l, curl_socket_t fd, int events)
{
	int running = 0;

	(void)curl_multi_socket_action(l->multi, fd, events, &running);
	tell_ends(l);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	int events = 0;

	(void)source;
	if (revents & EPOLLIN)
		events |= CURL_CSELECT_IN;
	if (revents & EPOLLOUT)
		events |= CURL_CSELECT_OUT;
	if (revents & (EPOLLERR | EPOLLHUP))
		events |= CURL_CSELECT_ERR;
	act(userdata, fd, events);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	act(userdata, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *assigned)
{
	struct curlloop *l = userdata;
	sd_event_source *source = assigned;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
			  (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)sd_event_source_disable_unref(source);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(l->event, &source, fd, events, on_io, l) < 0)
		return -1;
	return curl_multi_assign(l->multi, fd, source) == CURLM_OK ? 0 : -1;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct curlloop *l = userdata;

	(void)multi;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	if (sd_event_source_set_time_relative(l->timer,
					      (uint64_t)timeout_ms * (NS_PER_MS / NS_PER_US)) < 0)
		return -1;
	return sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static int set_up(struct curlloop *l)
{
	int r = sd_event_add_time_relative(l->event, &l->timer, CLOCK_BOOTTIME, 0,
					   TIMER_ACCURACY_US, on_timer, l);

	if (r >= 0)
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	l->multi = curl_multi_init();
	if (!l->multi ||
	    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
	    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l) != CURLM_OK ||
	    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
	    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

int curlloop_new(sd_event *event, curlloop_done_fn *done, struct curlloop **ret, struct err *reterr)
{
	_cleanup_(curlloop_freep) struct curlloop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(reterr, -ENOMEM, "start libcurl: Out of memory");
	l->event = sd_event_ref(event);
	l->done = done;
	r = set_up(l);
	if (r < 0)
		return err_wrap(reterr, r, "start libcurl");
	*ret = TAKE_PTR(l);
	return 0;
}

struct curlloop *curlloop_free(struct curlloop *l)
{
	if (!l)
		return NULL;
	(void)curl_multi_cleanup(l->multi);
	l->timer = sd_event_source_disable_unref(l->timer);
	l->event = sd_event_unref(l->event);
	free(l);
	return NULL;
}

int curlloop_start(struct curlloop *l, CURL *easy)
{
	return curl_multi_add_handle(l->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void curlloop_cancel(struct curlloop *l, CURL *easy)
{
	(void)curl_multi_remove_handle(l->multi, easy);
}
