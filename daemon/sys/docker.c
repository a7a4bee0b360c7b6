/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/docker.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "sys/http.h"

#define URL_MAX     1024 /* the longest is a list filtered by the longest name */
#define BODY_MAX    256
#define LISTED_MAX  4 /* one name has one container */
#define NOT_STARTED "0001-01-01T00:00:00Z"

static const char *const verb_names[] = {
	[DOCKER_VERB_START] = "start",     [DOCKER_VERB_STOP] = "stop",
	[DOCKER_VERB_RESTART] = "restart", [DOCKER_VERB_PAUSE] = "pause",
	[DOCKER_VERB_UNPAUSE] = "unpause", [DOCKER_VERB_UPDATE] = "update",
};
LOOKUP_DEFINE(docker_verb, enum docker_verb, verb_names);

static uint64_t span_left_ns(const struct docker *d, uint64_t max_ns)
{
	uint64_t now_ns = clock_boot_ns(), left_ns;

	left_ns = d->deadline_ns > now_ns ? d->deadline_ns - now_ns : 0;
	return left_ns < max_ns ? left_ns : max_ns;
}

/* Source: API reference, "Errors": 404 no such container, 409 conflict, 400 bad parameter. */
static int explain_status(const struct http_answer *a, struct err *reterr)
{
	static const struct {
		long status;
		int error;
	} errors[] = { { 400, -EINVAL }, { 404, -ENOENT }, { 409, -EBUSY } };
	char message[ERR_TEXT_MAX];
	int r = -EIO;

	for (size_t i = 0; i < ELEMENTSOF(errors); i++)
		if (a->status == errors[i].status)
			r = errors[i].error;
	(void)docker_parse_message(a->body, a->size, message, sizeof(message));
	return err_set(reterr, r, "it answers %ld: %s", a->status, message);
}

static int get(const struct docker *d, const char *path, const char *header,
	       struct http_answer *ret, struct err *reterr)
{
	char url[URL_MAX] = "";
	const struct http_ask q = { .socket_path = d->socket_path,
				    .method = "GET",
				    .url = url,
				    .header = header,
				    .answer_max_bytes = DOCKER_ANSWER_MAX,
				    .span_max_ns = span_left_ns(d, DOCKER_READ_MAX_NS) };
	int r;

	str_append(url, sizeof(url), "http://docker");
	if (d->api_minor > 0)
		str_append(url, sizeof(url), "/v%d.%u", DOCKER_API_MAJOR, d->api_minor);
	str_append(url, sizeof(url), "%s", path);
	r = http_ask(&q, ret, reterr);
	if (r == 0 && ret->status != 200)
		r = explain_status(ret, reterr);
	return r;
}

/* ---- versions ---- */

/* Only a newer Docker than we know may refuse the newest version we speak. */
static int read_oldest(const struct docker *d, char ret_oldest[static 16], struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	int r = get(d, "/version", NULL, &a, reterr);

	return r < 0 ? r : docker_parse_version(a.body, a.size, ret_oldest, reterr);
}

static int negotiate(struct docker *d, struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	char oldest[16] = "";
	int r = get(d, "/_ping", "Api-Version", &a, reterr);

	if (r < 0)
		return r;
	if (!a.header_value[0])
		return err_set(reterr, -EBADMSG, "it names no version of its API: is it Docker?");
	r = docker_negotiate(a.header_value, "", reterr);
	if (r == DOCKER_API_MAX) {
		r = read_oldest(d, oldest, reterr);
		if (r == 0)
			r = docker_negotiate(a.header_value, oldest, reterr);
	}
	if (r < 0)
		return r;
	d->api_minor = (uint32_t)r;
	return 0;
}

int docker_open(int root_fd, uint64_t deadline_ns, struct docker *ret, struct err *reterr)
{
	struct docker d = { .deadline_ns = deadline_ns };
	int r;

	/* A socket's address is short; a root's path need not be. */
	str_append(d.socket_path, sizeof(d.socket_path), "/proc/self/fd/%d/" DOCKER_SOCKET,
		   root_fd);
	r = negotiate(&d, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "ask Docker");
	*ret = d;
	return 0;
}

/* ---- reading ---- */

static int list(const struct docker *d, const char *filter, struct docker_listed *v, size_t max,
		struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	char path[URL_MAX] = "";
	int r;

	str_append(path, sizeof(path), "/containers/json?all=1");
	if (filter)
		str_append(path, sizeof(path), "&filters=%s", filter);
	r = get(d, path, NULL, &a, reterr);
	if (r == 0)
		r = docker_parse_list(a.body, a.size, v, max, reterr);
	return r;
}

int docker_list(const struct docker *d, struct docker_listed *v, size_t max, struct err *reterr)
{
	int r = list(d, NULL, v, max, reterr);

	return r < 0 ? err_wrap(reterr, r, "ask Docker") : r;
}

int docker_inspect(const struct docker *d, const char *id, struct docker_facts *ret,
		   struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	char path[URL_MAX] = "";
	int r;

	str_append(path, sizeof(path), "/containers/%s/json", id);
	r = get(d, path, NULL, &a, reterr);
	if (r == 0)
		r = docker_parse_facts(a.body, a.size, ret, reterr);
	if (r == 0 && !str_equal(ret->id, id))
		r = err_set(reterr, -EBADMSG, "it answers about another container");
	return r < 0 ? err_wrap(reterr, r, "ask Docker") : 0;
}

int docker_find(const struct docker *d, const char *name, struct docker_facts *ret,
		struct err *reterr)
{
	struct docker_listed v[LISTED_MAX];
	char filter[URL_MAX / 2];
	int n;

	if (!docker_is_name(name))
		return err_set(reterr, -EINVAL, "ask Docker: that is no container's name");
	n = list(d, docker_format_filter(name, filter, sizeof(filter)), v, ELEMENTSOF(v), reterr);
	if (n < 0)
		return err_wrap(reterr, n, "ask Docker");
	for (int i = 0; i < n; i++)
		if (str_equal(v[i].name, name))
			return docker_inspect(d, v[i].id, ret, reterr);
	return err_set(reterr, -ENOENT, "ask Docker: there is no such container");
}

int docker_read_usage(const struct docker *d, const char *id, struct docker_usage *ret,
		      struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	char path[URL_MAX] = "";
	int r;

	/* Before 1.41 there is no one-shot, and a second reading takes a second. */
	str_append(path, sizeof(path), "/containers/%s/stats?stream=0%s", id,
		   d->api_minor >= 41 ? "&one-shot=1" : "");
	r = get(d, path, NULL, &a, reterr);
	if (r == 0)
		r = docker_parse_usage(a.body, a.size, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "ask Docker") : 0;
}

/* "2026-01-01T00:00:00.5Z" as "1767225600.5". Returns 0; -EBADMSG. */
static int format_unix_time(const char *s, char *buf, size_t size, struct err *reterr)
{
	struct tm tm = { 0 };
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	size_t digits = rest && rest[0] == '.' ? strspn(rest + 1, "0123456789") + 1 : 0;

	if (!rest || !str_equal(rest + digits, "Z") || digits == 1)
		return err_set(reterr, -EBADMSG, "'%s' is no time", s);
	buf[0] = '\0';
	str_append(buf, size, "%" PRId64 "%.*s", (int64_t)timegm(&tm), (int)digits, rest);
	return 0;
}

#define QUOTED(word) "%%22" word "%%22"

/* events: what goes between the brackets of a filter. Returns 1 if there was one; 0; -errno. */
static int find_event(const struct docker *d, const char *id, const char *since, const char *events,
		      struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	uint64_t now_us = clock_wall_us();
	char path[URL_MAX] = "";
	int r;

	str_append(
		path, sizeof(path),
		"/events?since=%s&until=%" PRIu64 ".%06" PRIu64
		"&filters=%%7B" QUOTED("type") "%%3A%%5B" QUOTED("container") "%%5D%%2C" QUOTED(
			"container") "%%3A%%5B" QUOTED("%s") "%%5D%%2C" QUOTED("event") "%%3A%%5B%s%%5D%%7D",
		since, now_us / US_PER_S, now_us % US_PER_S, id, events);
	r = get(d, path, NULL, &a, reterr);
	if (r == 0)
		r = docker_parse_events(a.body, a.size, reterr);
	return r < 0 ? err_wrap(reterr, r, "ask Docker") : r;
}

int docker_was_stopped(const struct docker *d, const struct docker_facts *f, struct err *reterr)
{
	char since[64];
	int r;

	if (str_equal(f->started_at, NOT_STARTED))
		return 0;
	r = format_unix_time(f->started_at, since, sizeof(since), reterr);
	if (r < 0)
		return err_wrap(reterr, r, "ask Docker: read when it started");
	return find_event(d, f->id, since, "%22stop%22%2C%22kill%22", reterr);
}

int docker_was_unpaused(const struct docker *d, const char *id, uint64_t since_wall_us,
			struct err *reterr)
{
	char since[64] = "";

	str_append(since, sizeof(since), "%" PRIu64 ".%06" PRIu64, since_wall_us / US_PER_S,
		   since_wall_us % US_PER_S);
	return find_event(d, id, since, "%22unpause%22", reterr);
}

/* ---- acting ---- */

int docker_do(const struct docker *d, enum docker_verb verb, const char *id,
	      const struct docker_limits *limits, struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	char url[URL_MAX] = "", body[BODY_MAX] = "";
	struct err why = { 0 };
	const struct http_ask q = { .socket_path = d->socket_path,
				    .method = "POST",
				    .url = url,
				    .body = body,
				    .answer_max_bytes = DOCKER_ANSWER_MAX,
				    .span_max_ns = span_left_ns(d, CLOCK_NEVER_NS) };
	int r;

	if (verb == DOCKER_VERB_UPDATE)
		(void)docker_format_limits(limits, body, sizeof(body));
	str_append(url, sizeof(url), "http://docker/v%d.%u/containers/%s/%s", DOCKER_API_MAJOR,
		   d->api_minor, id, docker_verb_to_string(verb));
	r = http_ask(&q, &a, &why);
	if (r < 0 && a.is_sent)
		return err_set(reterr, -EINPROGRESS, "ask Docker: it was asked for, but %s",
			       err_text(&why));
	if (r < 0)
		return err_set(reterr, r, "ask Docker: %s", err_text(&why));
	/* 204: done; 200: updated; 304: it was started or stopped already. */
	if (a.status != 204 && a.status != 200 && a.status != 304)
		return err_wrap(reterr, explain_status(&a, reterr), "ask Docker");
	return 0;
}
