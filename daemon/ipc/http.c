/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/http.h"

#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "ipc/framing.h"

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_PER_UID_MAX     8
#define HTTP_HELD_BY_UID_MAX 16 /* over the former it is told why not, over this it is cut off */
#define HTTP_HEAD_MAX        (8 * 1024) /* bytes of one connection's pool: head and headers */
#define HTTP_RECEIVE_S       5
#define HTTP_LOOK_MS         1000 /* how often it is looked for those who are too slow */
#define HTTP_GROUPS_MAX      256
/* A long head takes libmicrohttpd some 30 turns: its buffer grows by less than 200 bytes in each. */
#define HTTP_TURNS_MAX 64

/* Group that gives each role; a group that does not exist gives it to nobody. */
static const char *const role_groups[_ROLE_MAX] = {
	[ROLE_READ] = "aiops",
	[ROLE_OPERATE] = "aiops-operate",
	[ROLE_APPROVE] = "aiops-approve",
	[ROLE_CHAOS] = "aiops-chaos",
};

struct http_connection {
	struct http_connection *next;
	int fd;
	uint64_t since_ns;
	bool answered;
	struct http_caller caller;
};

struct http_server {
	sd_event *event;
	sd_event_source *io, *timer;
	struct MHD_Daemon *daemon;
	const struct http_endpoint *table;
	void *userdata;
	struct http_connection *connections;
	gid_t role_gids[_ROLE_MAX];
};

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

/* Looked up once: a request must wait for no name service. */
static void load_role_gids(struct http_server *s)
{
	for (size_t i = 0; i < _ROLE_MAX; i++) {
		const struct group *g = getgrnam(role_groups[i]);

		s->role_gids[i] = g ? g->gr_gid : (gid_t)-1;
	}
}

static void grant_by_group(const struct http_server *s, struct http_caller *c, gid_t gid)
{
	for (size_t i = 0; gid != (gid_t)-1 && i < _ROLE_MAX; i++)
		if (s->role_gids[i] == gid)
			c->roles[i] = true;
}

/* Fills the caller from a connected AF_UNIX socket. Fails closed: -EPERM on any doubt. */
static int read_caller(const struct http_server *s, int fd, struct http_caller *ret,
		       struct err *reterr)
{
	struct http_caller c = { 0 };
	struct ucred cred = { 0 };
	gid_t groups[HTTP_GROUPS_MAX] = { 0 };
	socklen_t size = sizeof(cred), groups_size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 || size != sizeof(cred))
		return err_set(reterr, -EPERM, "read caller: no peer credentials");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return err_set(reterr, -EPERM, "read caller: no peer groups: %s", strerror(errno));
	c.uid = cred.uid;
	str_append(c.name, sizeof(c.name), "%suid %u", cred.uid == 0 ? "root, " : "", cred.uid);
	grant_by_group(s, &c, cred.gid);
	for (size_t i = 0; i < groups_size / sizeof(gid_t); i++)
		grant_by_group(s, &c, groups[i]);
	for (size_t i = 0; cred.uid == 0 && i < _ROLE_MAX; i++)
		c.roles[i] = true;
	*ret = c;
	return 0;
}

/* HTTP status and stable error word for a negative errno. */
static unsigned status_of_errno(int code, const char **ret_word)
{
	switch (-code) {
	case EINVAL:
	case EBADMSG:
	case ERANGE:
		*ret_word = "invalid-argument";
		return MHD_HTTP_BAD_REQUEST;
	case EPERM:
	case EACCES:
		*ret_word = "refused";
		return MHD_HTTP_FORBIDDEN;
	case ENOENT:
		*ret_word = "not-found";
		return MHD_HTTP_NOT_FOUND;
	case EEXIST:
	case EALREADY:
	case ESTALE:
	case ENOTUNIQ:
		*ret_word = "conflict";
		return MHD_HTTP_CONFLICT;
	case E2BIG:
	case EFBIG:
	case EMSGSIZE:
		*ret_word = "too-large";
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case EAGAIN:
	case EBUSY:
	case ENOBUFS:
	case ENOTCONN:
	case ETIMEDOUT:
		*ret_word = "unavailable";
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		*ret_word = "internal";
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static struct json_object *error_json(const char *word, const char *message, const char *hint)
{
	struct json_object *root = json_object_new_object(), *e = json_object_new_object();

	if (!root || !e || json_add_string(e, "code", word) < 0 ||
	    json_add_string(e, "message", message) < 0 ||
	    (hint && json_add_string(e, "hint", hint) < 0)) {
		(void)json_object_put(root);
		(void)json_object_put(e);
		return NULL;
	}
	(void)json_add(root, "error", e);
	return root;
}

/* Sends status and JSON (consumed) and closes: one request a connection keeps the limits simple. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
			      struct json_object *json, const char *location)
{
	_cleanup_json_ struct json_object *owned = json;
	const char *text = owned ? json_object_to_json_string_ext(
					   owned, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE) :
				   "{}";
	_cleanup_free_ char *line = NULL;
	struct MHD_Response *response;
	enum MHD_Result r;
	int n;

	n = asprintf(&line, "%s\n", text);
	if (n < 0)
		return MHD_NO;
	response = MHD_create_response_from_buffer((size_t)n, TAKE_PTR(line),
						   MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	(void)MHD_add_response_header(response, "Connection", "close");
	if (location && location[0])
		(void)MHD_add_response_header(response, "Location", location);
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *word,
			      const char *message, const char *hint)
{
	return answer(connection, status, error_json(word, message, hint), NULL);
}

static const char *role_hint(enum role role, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "this needs root or a member of group '%s'", role_groups[role]);
	return buf;
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

static enum MHD_Result run_handler(const struct http_server *s, const struct http_endpoint *row,
				   const struct http_request *rq)
{
	struct http_answer a = { 0 };
	struct err err = { 0 };
	const char *word;
	unsigned status;
	int r = row->handle(s->userdata, rq, &a, &err);

	if (r < 0) {
		(void)json_object_put(a.json);
		status = status_of_errno(r, &word);
		err.code = r;
		return refuse(rq->connection, status, word, err_text(&err), NULL);
	}
	return answer(rq->connection, a.status ? a.status : MHD_HTTP_OK, a.json, a.location);
}

static enum MHD_Result dispatch(const struct http_server *s, struct MHD_Connection *connection,
				const struct http_connection *conn, const char *method,
				const char *path, const struct upload *up)
{
	_cleanup_json_ struct json_object *body = NULL;
	struct http_request rq = { .caller = conn->caller, .path = path, .connection = connection };
	const struct http_endpoint *row;
	struct err err = { 0 };
	char hint[96] = "";
	bool known;

	if (!str_is_clean_utf8(path, strlen(path)))
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "invalid-argument",
			      "read request: the path is not clean UTF-8", NULL);
	row = find_endpoint(s, method, path, &rq.tail, &known);
	if (!row)
		return known ? refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
				      "this path has no such method", NULL) :
			       refuse(connection, MHD_HTTP_NOT_FOUND, "not-found", "no such path",
				      "see aiops-api(7)");
	if (!conn->caller.roles[row->role])
		return refuse(connection, MHD_HTTP_FORBIDDEN, "refused",
			      "your user may not do this",
			      role_hint(row->role, hint, sizeof(hint)));
	if (up->too_large)
		return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
			      "read request: the body is over 64 KiB", NULL);
	if (up->length > 0 && (json_parse(up->text, up->length, &body, &err) < 0 ||
			       !json_object_is_type(body, json_type_object)))
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "invalid-argument",
			      err.text[0] ? err.text :
					    "read request: the body is not a JSON object",
			      NULL);
	rq.body = body;
	return run_handler(s, row, &rq);
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
	if (up->is_ambiguous)
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "invalid-argument",
			      "read request: the head does not say clearly where the body ends",
			      NULL);
	if (count_of_uid(s, conn->caller.uid) > HTTP_PER_UID_MAX)
		return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
			      "too many connections of one user", "close some and try again");
	return dispatch(s, connection, conn, method, url, up);
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
	if (read_caller(s, conn->fd, &conn->caller, &err) < 0) {
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
	if (wait_ms == UINT64_MAX && !s->connections) {
		(void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
		return;
	}
	if (wait_ms > HTTP_LOOK_MS)
		wait_ms = HTTP_LOOK_MS;
	(void)sd_event_source_set_time_relative(s->timer, wait_ms * 1000);
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
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s,
				MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)HTTP_RECEIVE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)HTTP_HEAD_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				MHD_OPTION_END);
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
	load_role_gids(s);
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
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	s->event = sd_event_unref(s->event);
	free(s);
	return NULL;
}
