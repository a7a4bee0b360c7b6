/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"

#define ADDRESS_TEXT_MAX  64
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

static bool is_tcp(const char *url)
{
	return strncmp(url, "tcp://", 6) == 0;
}

static int default_port(const char *url)
{
	if (is_tcp(url))
		return 0;
	return strncmp(url, "https:", 6) == 0 ? 443 : 80;
}

/* Splits "host:port", "[v6]:port", "host". Returns 0; -EINVAL. */
static int split_authority(const char *s, size_t length, char host[static ADDRESS_TEXT_MAX],
			   uint64_t *port)
{
	const char *end = s + length, *colon;
	bool is_v6 = length > 0 && s[0] == '[';
	const char *stop = is_v6 ? memchr(s, ']', length) : memchr(s, ':', length);
	char number[8] = "";

	s += is_v6;
	if (is_v6 && !stop)
		return -EINVAL;
	stop = stop ? stop : end;
	colon = is_v6 ? stop + 1 : stop;
	if ((size_t)(stop - s) >= ADDRESS_TEXT_MAX)
		return -EINVAL;
	memcpy(host, s, (size_t)(stop - s));
	host[stop - s] = '\0';
	if (colon >= end)
		return 0;
	if (*colon != ':' || (size_t)(end - colon) > sizeof(number))
		return -EINVAL;
	memcpy(number, colon + 1, (size_t)(end - colon) - 1);
	return str_parse_u64(number, port);
}

int check_parse_address(const char *url, struct sockaddr_storage *ret, struct err *reterr)
{
	const char *begin = strstr(url, "://");
	char host[ADDRESS_TEXT_MAX] = "";
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	uint64_t port = (uint64_t)default_port(url);

	begin = begin ? begin + 3 : url;
	if (split_authority(begin, strcspn(begin, "/?#"), host, &port) < 0 || port == 0 ||
	    port > UINT16_MAX)
		return err_set(reterr, -EINVAL, "check '%s': no host and port in it", url);
	if (strcasecmp(host, "localhost") == 0)
		(void)str_copy(host, sizeof(host), "127.0.0.1");
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	*ret = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		memcpy(ret, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		memcpy(ret, &v6, sizeof(v6));
	else
		return err_set(reterr, -EINVAL,
			       "check '%s': the host is neither an address nor 'localhost'", url);
	return 0;
}

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
	r = check_parse_address(endpoint->url, &c->address, reterr);
	if (r < 0)
		return r;
	r = is_tcp(endpoint->url) ? set_up_tcp(c) : set_up_http(c);
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
