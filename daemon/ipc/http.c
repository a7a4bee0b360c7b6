/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/str.h"
#include "ipc/framing.h"
#include "ipc/http_state.h"

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_PER_UID_MAX     8
#define HTTP_HELD_BY_UID_MAX 16 /* over the former it is told why not, over this it is cut off */
#define HTTP_HEAD_MAX        (8 * 1024) /* bytes of one connection's pool: head and headers */
#define HTTP_RECEIVE_S       5
#define HTTP_LOOK_MS         1000 /* how often it is looked for those who are too slow */
/* A long head takes libmicrohttpd some 30 turns: its buffer grows by less than 200 bytes in each. */
#define HTTP_TURNS_MAX 64

/* One request while its body arrives. */
struct upload {
	size_t length;
	bool too_large, is_ambiguous;
	char text[JSON_TEXT_MAX];
};

const char *http_query(const struct http_request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

/* True if the row's path matches; *ret_tail is what its "*" stands for. */
static bool path_matches(const struct http_endpoint *row, const char *path, const char **ret_tail)
{
	size_t n = strlen(row->path);

	*ret_tail = "";
	if (n == 0 || row->path[n - 1] != '*')
		return str_equal(row->path, path);
	if (strncmp(row->path, path, n - 1) != 0 || path[n - 1] == '\0')
		return false;
	*ret_tail = path + n - 1;
	return true;
}

static const struct http_endpoint *find_endpoint(const struct http_server *s, const char *method,
						 const char *path, const char **ret_tail,
						 bool *ret_known)
{
	*ret_known = false;
	for (const struct http_endpoint *row = s->table; row->method; row++) {
		if (!path_matches(row, path, ret_tail))
			continue;
		*ret_known = true;
		if (str_equal(row->method, method))
			return row;
	}
	return NULL;
}

static enum MHD_Result run_handler(struct http_server *s, const struct http_endpoint *row,
				   const struct http_request *rq)
{
	struct http_answer a = { 0 };
	struct err err = { 0 };
	const char *word;
	int r = row->handle(s->userdata, rq, &a, &err);

	if (r < 0) {
		(void)json_object_put(a.json);
		a.status = http_status_of_errno(r, &word);
		err.code = r;
		a.json = json_object_new_object();
		if (!a.json ||
		    json_add(a.json, "error",
			     http_error_json(word, err_text(&err), a.hint, a.record_id)) < 0)
			return MHD_NO;
	}
	return http_send(s, rq, &a);
}

/* Parses the body of a request that may be made. */
static enum MHD_Result run_with_body(struct http_server *s, const struct http_endpoint *row,
				     struct http_request *rq, const struct upload *up)
{
	_cleanup_json_ struct json_object *body = NULL;
	struct err err = { 0 };

	if (up->too_large)
		return http_refuse(s, rq, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
				   "read request: the body is over 64 KiB", NULL);
	if (up->length > 0 && (json_parse(up->text, up->length, &body, &err) < 0 ||
			       !json_object_is_type(body, json_type_object)))
		return http_refuse(s, rq, MHD_HTTP_BAD_REQUEST, "invalid-argument",
				   err.text[0] ? err.text :
						 "read request: the body is not a JSON object",
				   NULL);
	rq->body = body;
	return run_handler(s, row, rq);
}

/* What the table has not. */
static enum MHD_Result refuse_path(struct http_server *s, const struct http_request *rq,
				   bool is_known, const struct http_refusal *refusal)
{
	if (refusal)
		return http_refuse(s, rq, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
				   refusal->message, refusal->hint);
	if (is_known)
		return http_refuse(s, rq, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
				   "this path has no such method", NULL);
	return http_refuse(s, rq, MHD_HTTP_NOT_FOUND, "not-found", "no such path",
			   "see aiops-api(7)");
}

static enum MHD_Result dispatch(struct http_server *s, struct http_request *rq,
				const struct http_refusal *refusal, const struct upload *up)
{
	const struct http_endpoint *row;
	char hint[96] = "";
	bool known;

	if (!str_is_clean_utf8(rq->path, strlen(rq->path)))
		return http_refuse(s, rq, MHD_HTTP_BAD_REQUEST, "invalid-argument",
				   "read request: the path is not clean UTF-8", NULL);
	if (s->needs_key && !http_caller_by_key(s, rq->connection, &rq->caller))
		return http_refuse(s, rq, MHD_HTTP_UNAUTHORIZED, "unauthorized",
				   "read request: it has not the right key",
				   s->key_hash[0] ? "send 'Authorization: Bearer KEY'" :
						    "root has put no key there yet");
	row = find_endpoint(s, rq->method, rq->path, &rq->tail, &known);
	if (!row)
		return refuse_path(s, rq, known, refusal);
	if (!rq->caller.roles[row->role])
		return http_refuse(s, rq, MHD_HTTP_FORBIDDEN, "refused",
				   "your user may not do this",
				   http_role_hint(row->role, hint, sizeof(hint)));
	return run_with_body(s, row, rq, up);
}

static unsigned count_of_uid(const struct http_server *s, uid_t uid)
{
	unsigned n = 0;

	for (const struct http_connection *c = s->connections; c; c = c->next)
		n += c->caller.uid == uid;
	return n;
}

static struct http_connection *find_connection(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **con_cls)
{
	struct http_server *s = cls;
	struct http_connection *conn = find_connection(connection);
	struct upload *up = *con_cls;
	struct http_request rq;

	(void)version;
	if (!conn)
		return MHD_NO;
	if (!up) {
		up = malloc(sizeof(*up));
		if (!up)
			return MHD_NO;
		up->length = 0;
		up->too_large = false;
		up->is_ambiguous = framing_is_ambiguous(connection);
		*con_cls = up;
		return MHD_YES;
	}
	if (*data_size > 0) {
		if (*data_size > sizeof(up->text) - up->length)
			up->too_large = true;
		else
			memcpy(up->text + up->length, data, *data_size);
		up->length += up->too_large ? 0 : *data_size;
		*data_size = 0;
		return MHD_YES;
	}
	conn->answered = true;
	rq = (struct http_request){ .caller = conn->caller,
				    .is_adopted = conn->is_adopted,
				    .method = method,
				    .path = url,
				    .tail = "",
				    .connection = connection };
	if (up->is_ambiguous)
		return http_refuse(
			s, &rq, MHD_HTTP_BAD_REQUEST, "invalid-argument",
			"read request: the head does not say clearly where the body ends", NULL);
	if (count_of_uid(s, conn->caller.uid) > HTTP_PER_UID_MAX)
		return http_refuse(s, &rq, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
				   "too many connections of one user", "close some and try again");
	return dispatch(s, &rq, conn->refusal, up);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)connection;
	(void)code;
	free(*con_cls);
	*con_cls = NULL;
}

static void connection_remove(struct http_server *s, struct http_connection *conn)
{
	for (struct http_connection **i = &s->connections; *i; i = &(*i)->next)
		if (*i == conn) {
			*i = conn->next;
			free(conn);
			return;
		}
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;
	const union MHD_ConnectionInfo *info;
	struct http_connection *conn;
	struct err err = { 0 };

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*socket_context)
			connection_remove(s, *socket_context);
		*socket_context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	conn = info ? calloc(1, sizeof(*conn)) : NULL;
	if (!conn)
		return;
	conn->fd = info->connect_fd;
	conn->since_ns = clock_boot_ns();
	conn->refusal = s->refusal;
	conn->is_adopted = s->is_adopting;
	if (http_read_caller(s, conn->fd, &conn->caller, &err) < 0) {
		free(conn);
		return;
	}
	/* It must not take the places of all others by saying nothing. */
	if (count_of_uid(s, conn->caller.uid) >= HTTP_HELD_BY_UID_MAX)
		(void)shutdown(conn->fd, SHUT_RDWR);
	conn->next = s->connections;
	s->connections = conn;
	*socket_context = conn;
}

/* Ends connections that did not send their request in time: an idle time-out alone is no answer to
 * one byte now and then. */
static void end_slow_connections(struct http_server *s)
{
	uint64_t now_ns = clock_boot_ns();

	for (struct http_connection *c = s->connections; c; c = c->next)
		if (!c->answered && now_ns - c->since_ns > HTTP_RECEIVE_S * NS_PER_S)
			(void)shutdown(c->fd, SHUT_RDWR);
}

/* Until it waits for something; returns how long, UINT64_MAX: for ever. */
static uint64_t run_turns(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	for (unsigned i = 0; i < HTTP_TURNS_MAX && wait_ms == 0; i++) {
		(void)MHD_run(s->daemon);
		if (MHD_get_timeout(s->daemon, &wait_ms) != MHD_YES)
			wait_ms = UINT64_MAX;
	}
	return wait_ms;
}

static void run_daemon(struct http_server *s)
{
	uint64_t wait_ms = run_turns(s);

	end_slow_connections(s);
	http_run_streams(s, false);
	if (wait_ms == UINT64_MAX && !s->connections) {
		(void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
		return;
	}
	if (wait_ms > HTTP_LOOK_MS)
		wait_ms = HTTP_LOOK_MS;
	(void)sd_event_source_set_time_relative(s->timer, wait_ms * 1000);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

void http_adopt(struct http_server *s, int fd, const struct http_refusal *refusal)
{
	struct sockaddr_un nobody = { .sun_family = AF_UNIX };

	/* It closes what it does not take; on_connection() is called from inside. */
	s->refusal = refusal;
	s->is_adopting = true;
	(void)MHD_add_connection(s->daemon, fd, (const struct sockaddr *)&nobody,
				 sizeof(nobody.sun_family));
	s->refusal = NULL;
	s->is_adopting = false;
	run_daemon(s);
}

void http_wake(struct http_server *s)
{
	if (!s || !s->streams)
		return;
	http_run_streams(s, true);
	(void)sd_event_source_set_time_relative(s->timer, 0);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
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

DEFINE_CLEANUP(struct http_server *, http_server_free);

static struct MHD_Daemon *start_daemon(struct http_server *s, int listen_fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			 (listen_fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)HTTP_RECEIVE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)HTTP_HEAD_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				listen_fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET,
				listen_fd, MHD_OPTION_END);
}

int http_serve(sd_event *event, int listen_fd, const struct http_endpoint *table, void *userdata,
	       struct http_server **ret, struct err *reterr)
{
	_cleanup_(http_server_freep) struct http_server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "serve HTTP: Out of memory");
	s->event = sd_event_ref(event);
	s->table = table;
	s->userdata = userdata;
	http_load_role_gids(s);
	s->daemon = start_daemon(s, listen_fd);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return err_set(reterr, -EIO, "serve HTTP: start libmicrohttpd: it refused");
	r = sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_epoll, s);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &s->timer, CLOCK_BOOTTIME, 0, 10000, on_timer,
					       s);
	if (r < 0)
		return err_set(reterr, r, "serve HTTP: watch socket: %s", strerror(-r));
	*ret = TAKE_PTR(s);
	return 0;
}

struct http_server *http_server_free(struct http_server *s)
{
	if (!s)
		return NULL;
	s->io = sd_event_source_disable_unref(s->io);
	s->timer = sd_event_source_disable_unref(s->timer);
	/* libmicrohttpd gives up altogether if one still waits then. */
	s->is_ending = true;
	http_run_streams(s, true);
	if (s->daemon) {
		(void)run_turns(s);
		MHD_stop_daemon(s->daemon);
	}
	s->event = sd_event_unref(s->event);
	free(s);
	return NULL;
}
