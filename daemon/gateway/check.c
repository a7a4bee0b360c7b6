/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/check.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "sys/endpoint.h"

#define DEADLINE_SLACK_US 1

struct check {
	sd_event *event;
	struct curlloop *loop;
	const struct endpoint *endpoint;
	check_done_fn *done;
	void *userdata;
	bool is_running;

	CURL *easy; /* http, https */
	size_t body_bytes;

	struct sockaddr_storage address; /* tcp */
	int fd;
	sd_event_source *io, *deadline;
};

static void finish(struct check *c, bool is_up, const char *text)
{
	c->is_running = false;
	c->done(c->userdata, is_up, text);
}

/* ---- http ---- */

static size_t on_body(const char *data, size_t size, size_t n, void *userdata)
{
	struct check *c = userdata;

	(void)data;
	c->body_bytes += size * n;
	return c->body_bytes > CHECK_BODY_MAX ? 0 : size * n; /* 0 ends the transfer */
}

void check_transferred(void *userdata, CURLcode code)
{
	struct check *c = userdata;
	char text[160] = "";
	long status = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	/* A longer body than we care to read is no fault of the service. */
	if (code == CURLE_WRITE_ERROR && c->body_bytes > CHECK_BODY_MAX)
		code = CURLE_OK;
	if (code == CURLE_OPERATION_TIMEDOUT)
		str_append(text, sizeof(text), "no answer within %u ms", c->endpoint->timeout_ms);
	else if (code != CURLE_OK)
		str_append(text, sizeof(text), "%s", curl_easy_strerror(code));
	else if (status != (long)c->endpoint->expect_status)
		str_append(text, sizeof(text), "status %ld instead of %u", status,
			   c->endpoint->expect_status);
	finish(c, !text[0], text);
}

static int set_up_http(struct check *c)
{
	const struct endpoint *e = c->endpoint;
	bool ok;

	c->easy = curl_easy_init();
	if (!c->easy)
		return -ENOMEM;
	ok = curl_easy_setopt(c->easy, CURLOPT_URL, e->url) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_PROXY, "") == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)e->timeout_ms) ==
		     CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)e->timeout_ms) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c) == CURLE_OK &&
	     curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "aiops-gateway/" AIOPS_VERSION) ==
		     CURLE_OK;
	return ok ? 0 : -ENOMEM;
}

/* ---- tcp ---- */

static void end_tcp(struct check *c)
{
	c->io = sd_event_source_disable_unref(c->io);
	(void)sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
	if (c->fd >= 0)
		(void)close(TAKE_FD(c->fd));
}

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct check *c = userdata;
	int error = 0;
	socklen_t size = sizeof(error);

	(void)source;
	(void)revents;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	end_tcp(c);
	finish(c, error == 0, error == 0 ? "" : strerror(error));
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct check *c = userdata;
	char text[64] = "";

	(void)source;
	(void)usec;
	end_tcp(c);
	str_append(text, sizeof(text), "no connection within %u ms", c->endpoint->timeout_ms);
	finish(c, false, text);
	return 0;
}

static int start_tcp(struct check *c)
{
	socklen_t size = c->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							    sizeof(struct sockaddr_in);
	int r;

	c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	if (connect(c->fd, (const struct sockaddr *)&c->address, size) < 0 && errno != EINPROGRESS)
		return -errno;
	r = sd_event_add_io(c->event, &c->io, c->fd, EPOLLOUT, on_connected, c);
	if (r >= 0)
		r = sd_event_source_set_time_relative(
			c->deadline, (uint64_t)c->endpoint->timeout_ms * (NS_PER_MS / NS_PER_US));
	return r < 0 ? r : sd_event_source_set_enabled(c->deadline, SD_EVENT_ONESHOT);
}

static int set_up_tcp(struct check *c)
{
	int r = sd_event_add_time_relative(c->event, &c->deadline, CLOCK_BOOTTIME, 0,
					   DEADLINE_SLACK_US, on_deadline, c);

	return r < 0 ? r : sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
}

/* ---- both ---- */

int check_new(sd_event *event, struct curlloop *loop, const struct endpoint *endpoint,
	      check_done_fn *done, void *userdata, struct check **ret, struct err *reterr)
{
	_cleanup_(check_freep) struct check *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(reterr, -ENOMEM, "check '%s': Out of memory", endpoint->url);
	c->event = sd_event_ref(event);
	c->fd = -EBADF;
	c->loop = loop;
	c->endpoint = endpoint;
	c->done = done;
	c->userdata = userdata;
	r = endpoint_parse_address(endpoint->url, &c->address, reterr);
	if (r < 0)
		return r;
	r = endpoint_is_tcp(endpoint->url) ? set_up_tcp(c) : set_up_http(c);
	if (r < 0)
		return err_set(reterr, r, "check '%s': %s", endpoint->url, strerror(-r));
	*ret = TAKE_PTR(c);
	return 0;
}

struct check *check_free(struct check *c)
{
	if (!c)
		return NULL;
	if (c->easy && c->is_running)
		curlloop_cancel(c->loop, c->easy);
	curl_easy_cleanup(c->easy);
	end_tcp(c);
	c->deadline = sd_event_source_disable_unref(c->deadline);
	c->event = sd_event_unref(c->event);
	free(c);
	return NULL;
}

int check_start(struct check *c)
{
	int r;

	if (c->is_running)
		return -EBUSY;
	c->is_running = true;
	c->body_bytes = 0;
	r = c->easy ? curlloop_start(c->loop, c->easy) : start_tcp(c);
	if (r < 0) {
		end_tcp(c);
		finish(c, false, strerror(-r));
	}
	return 0;
}
