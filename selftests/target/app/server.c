/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/log.h"

#define CONNECTIONS_MAX 256
#define IDLE_S          15u
#define HEAD_MAX        (16 * 1024) /* bytes of one connection's pool */
#define BACKLOG         256
#define DRAIN_NS        (8 * NS_PER_S)
#define CAUSE_MAX       256
#define TICK_US         (200 * NS_PER_MS / NS_PER_US) /* at least so often while somebody is there */

const uint64_t server_bucket_us[SERVER_BUCKETS_MAX] = {
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, UINT64_MAX,
};

struct request {
	struct request *next;
	struct server *server;
	struct MHD_Connection *connection;
	const struct route *route;
	char method[8], path[256], cause[CAUSE_MAX];
	uint64_t id_in_path, start_ns;
	struct json_object *body;
	bool is_handed_over, is_suspended, is_answered;
	unsigned status;
	const char *type;
	char *text; /* of the answer */
	size_t length;
	bool is_too_large;
	char received[SERVER_BODY_MAX];
};

struct server {
	sd_event *event;
	sd_event_source *io, *timer;
	struct MHD_Daemon *daemon;
	const struct route *routes;
	void *userdata;
	struct request *requests;
	struct route_count counts[SERVER_ROUTES_MAX], unknown;
	bool is_draining;
	uint64_t drain_end_ns;
	void (*drained)(void *userdata);
	uint16_t port;
};

uint64_t request_id_in_path(const struct request *rq)
{
	return rq->id_in_path;
}

const char *request_query(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct json_object *request_body(const struct request *rq)
{
	return rq->body;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

bool server_is_draining(const struct server *s)
{
	return s->is_draining;
}

unsigned server_pending(const struct server *s)
{
	unsigned n = 0;

	for (const struct request *rq = s->requests; rq; rq = rq->next)
		n++;
	return n;
}

const struct route_count *server_count(const struct server *s, size_t route)
{
	return &s->counts[route];
}

static void count(struct request *rq, uint64_t took_us)
{
	struct server *s = rq->server;
	struct route_count *c = rq->route ? &s->counts[rq->route - s->routes] : &s->unknown;
	size_t i = 0;

	while (took_us > server_bucket_us[i])
		i++;
	c->buckets[i]++;
	c->duration_us += took_us;
	c->answers[rq->status / 100 < ELEMENTSOF(c->answers) ? rq->status / 100 : 0]++;
}

static enum MHD_Result send_answer(struct request *rq)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(rq->text), rq->text,
									MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	rq->text = NULL;
	(void)MHD_add_response_header(response, "Content-Type", rq->type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	if (rq->server->is_draining)
		(void)MHD_add_response_header(response, "Connection", "close");
	r = MHD_queue_response(rq->connection, rq->status, response);
	MHD_destroy_response(response);
	return r;
}

/* Takes the text over; the caller's is gone afterwards. */
void request_answer_text(struct request *rq, unsigned status, const char *type, char *text)
{
	uint64_t took_us = (clock_boot_ns() - rq->start_ns) / NS_PER_US;

	if (rq->is_answered) {
		free(text);
		return;
	}
	rq->is_answered = true;
	rq->status = text ? status : MHD_HTTP_INTERNAL_SERVER_ERROR;
	rq->type = type;
	rq->text = text ? text : strdup("");
	count(rq, took_us);
	if (!rq->route || !rq->route->is_quiet || rq->status >= 400)
		log_request(rq->method, rq->path, rq->status, took_us, rq->cause);
	if (rq->is_suspended) {
		MHD_resume_connection(rq->connection);
		/* It is marked, and goes on when libmicrohttpd runs next. */
		(void)sd_event_source_set_time_relative(rq->server->timer, 0);
		(void)sd_event_source_set_enabled(rq->server->timer, SD_EVENT_ONESHOT);
	}
}

void request_answer(struct request *rq, unsigned status, struct json_object *json)
{
	_cleanup_json_ struct json_object *owned = json;
	char *line = NULL;

	if (!owned ||
	    asprintf(&line, "%s\n",
		     json_object_to_json_string_ext(
			     owned, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		line = NULL;
	request_answer_text(rq, status, "application/json", line);
}

void request_fail(struct request *rq, unsigned status, const char *code, const char *message,
		  const char *cause)
{
	struct json_object *root = json_object_new_object(), *e = json_object_new_object();

	if (cause)
		(void)str_copy(rq->cause, sizeof(rq->cause), cause);
	if (!root || !e || json_add_string(e, "code", code) < 0 ||
	    json_add_string(e, "message", message) < 0) {
		(void)json_object_put(root);
		(void)json_object_put(e);
		root = NULL;
	} else {
		(void)json_add(root, "error", e);
	}
	request_answer(rq, status, root);
}

/* "/v1/lists/:id" and "/v1/lists/17": the number goes to *ret_id. */
static bool path_matches(const char *pattern, const char *path, uint64_t *ret_id)
{
	const char *colon = strstr(pattern, ":id"), *rest;
	char digits[20] = "";
	size_t n;

	*ret_id = 0;
	if (!colon)
		return str_equal(pattern, path);
	n = (size_t)(colon - pattern);
	if (strncmp(pattern, path, n) != 0)
		return false;
	rest = path + n;
	n = strspn(rest, "0123456789");
	if (n == 0 || n >= sizeof(digits) || !str_equal(colon + strlen(":id"), rest + n))
		return false;
	memcpy(digits, rest, n);
	return str_parse_u64(digits, ret_id) == 0 && *ret_id > 0 && *ret_id <= INT64_MAX;
}

/* Also tells whether the path is there with another method. */
static const struct route *find_route(const struct server *s, const char *method, const char *path,
				      uint64_t *ret_id, bool *ret_is_known)
{
	*ret_is_known = false;
	for (const struct route *r = s->routes; r->method; r++) {
		if (!path_matches(r->path, path, ret_id))
			continue;
		*ret_is_known = true;
		if (str_equal(r->method, method) ||
		    (str_equal(r->method, "GET") && str_equal(method, "HEAD")))
			return r;
	}
	return NULL;
}

static void handle(struct request *rq)
{
	bool is_known = false;
	struct err err = { 0 };

	rq->route = find_route(rq->server, rq->method, rq->path, &rq->id_in_path, &is_known);
	if (!rq->route && is_known)
		return request_fail(rq, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
				    "this path has no such method", NULL);
	if (!rq->route)
		return request_fail(rq, MHD_HTTP_NOT_FOUND, "not-found", "there is no such path",
				    NULL);
	if (rq->is_too_large)
		return request_fail(rq, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
				    "the body is over 16 KiB", NULL);
	if (rq->length > 0 && json_parse(rq->received, rq->length, &rq->body, &err) < 0)
		return request_fail(rq, MHD_HTTP_BAD_REQUEST, "invalid-json", err_text(&err), NULL);
	if (rq->body && !json_object_is_type(rq->body, json_type_object))
		return request_fail(rq, MHD_HTTP_BAD_REQUEST, "invalid-json",
				    "the body is not an object", NULL);
	rq->route->handle(rq, rq->server->userdata);
}

static struct request *request_new(struct server *s, struct MHD_Connection *connection,
				   const char *method, const char *url)
{
	struct request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return NULL;
	rq->server = s;
	rq->connection = connection;
	rq->start_ns = clock_boot_ns();
	(void)str_copy(rq->method, sizeof(rq->method), method);
	(void)str_copy(rq->path, sizeof(rq->path), url);
	rq->next = s->requests;
	s->requests = rq;
	return rq;
}

static void receive(struct request *rq, const char *data, size_t size)
{
	if (size > sizeof(rq->received) - rq->length) {
		rq->is_too_large = true;
		return;
	}
	memcpy(rq->received + rq->length, data, size);
	rq->length += size;
}

/* libmicrohttpd calls it with the head, with each part of the body, at the end, and once more when a
 * request that waited goes on. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *data, size_t *data_size, void **state)
{
	struct request *rq = *state;

	(void)version;
	if (!rq) {
		*state = request_new(userdata, connection, method, url);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*data_size > 0) {
		receive(rq, data, *data_size);
		*data_size = 0;
		return MHD_YES;
	}
	if (!rq->is_handed_over) {
		rq->is_handed_over = true;
		handle(rq);
	}
	if (rq->is_answered) {
		rq->is_suspended = false;
		return rq->text ? send_answer(rq) : MHD_NO;
	}
	rq->is_suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

/* The last of a request: its answer is sent, or the caller has gone. */
static void on_completed(void *userdata, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct server *s = userdata;
	struct request *rq = *state;

	(void)connection;
	(void)code;
	*state = NULL;
	for (struct request **i = &s->requests; rq && *i; i = &(*i)->next)
		if (*i == rq) {
			*i = rq->next;
			(void)json_object_put(rq->body);
			free(rq->text);
			free(rq);
			return;
		}
}

static void check_drained(struct server *s)
{
	void (*drained)(void *userdata) = s->drained;

	if (!drained || (s->requests && clock_boot_ns() < s->drain_end_ns))
		return;
	s->drained = NULL;
	drained(s->userdata);
}

static void run_daemon(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	uint64_t wait_us = TICK_US;

	(void)MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES && wait_ms * 1000 < wait_us)
		wait_us = wait_ms * 1000;
	(void)sd_event_source_set_time_relative(s->timer, wait_us);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	check_drained(s);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	run_daemon(userdata);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	run_daemon(userdata);
	return 0;
}

void server_drain(struct server *s, void (*done)(void *userdata))
{
	int fd;

	if (s->is_draining)
		return;
	/* Once more, for what has arrived by now. */
	(void)MHD_run(s->daemon);
	s->is_draining = true;
	s->drained = done;
	s->drain_end_ns = clock_boot_ns() + DRAIN_NS;
	fd = MHD_quiesce_daemon(s->daemon);
	if (fd >= 0)
		(void)close(fd);
	run_daemon(s);
}

static int open_port(const struct server_config *c, uint16_t *ret_port, struct err *reterr)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(c->port) };
	socklen_t size = sizeof(a);
	int one = 1;

	if (fd < 0)
		return err_set(reterr, -errno, "open socket: %s", strerror(errno));
	if (inet_pton(AF_INET, c->bind_address, &a.sin_addr) != 1)
		return err_set(reterr, -EINVAL, "listen on '%s': not an IPv4 address",
			       c->bind_address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return err_set(reterr, -errno, "listen on '%s' port %u: %s", c->bind_address,
			       c->port, strerror(errno));
	*ret_port = ntohs(a.sin_port);
	return TAKE_FD(fd);
}

static struct MHD_Daemon *start_daemon(struct server *s, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
				s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
}

DEFINE_CLEANUP(struct server *, server_free);

int server_new(sd_event *event, const struct server_config *config, struct server **ret,
	       struct err *reterr)
{
	_cleanup_(server_freep) struct server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;
	int fd, r;

	if (!s)
		return err_set(reterr, -ENOMEM, "serve HTTP: Out of memory");
	s->event = sd_event_ref(event);
	s->routes = config->routes;
	s->userdata = config->userdata;
	fd = open_port(config, &s->port, reterr);
	if (fd < 0)
		return fd;
	s->daemon = start_daemon(s, fd);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return err_set(reterr, -EIO, "serve HTTP: start libmicrohttpd: it refused");
	r = sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_epoll, s);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &s->timer, CLOCK_BOOTTIME, TICK_US, 1000,
					       on_timer, s);
	if (r < 0)
		return err_set(reterr, r, "serve HTTP: watch socket: %s", strerror(-r));
	*ret = TAKE_PTR(s);
	return 0;
}

/* libmicrohttpd may not be stopped with a connection suspended. */
static void answer_rest(struct server *s)
{
	for (struct request *rq = s->requests; rq; rq = rq->next)
		if (rq->is_suspended && !rq->is_answered)
			request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping",
				     "the service stops", NULL);
	(void)MHD_run(s->daemon);
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	s->io = sd_event_source_disable_unref(s->io);
	s->timer = sd_event_source_disable_unref(s->timer);
	if (s->daemon) {
		answer_rest(s);
		MHD_stop_daemon(s->daemon);
	}
	s->event = sd_event_unref(s->event);
	free(s);
	return NULL;
}
