/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "ipc/http_state.h"
#include "model/record.h"

#define HTTP_STREAMS_MAX    8
#define HTTP_STREAM_BLOCK   4096
#define HTTP_STREAM_IDLE_NS (10 * NS_PER_S)   /* then a blank line is sent */
#define HTTP_STREAM_MAX_NS  (3600 * NS_PER_S) /* longer than any approval waits by default */

/* One answer that goes on. */
struct http_streaming {
	struct http_streaming *next;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct http_stream *stream;
	char *line; /* what is left of it is at sent */
	size_t sent;
	uint64_t since_ns, wrote_ns;
	bool waits, blank;
};

unsigned http_status_of_errno(int code, const char **ret_word)
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
	case EOPNOTSUPP:
	case ESTALE:
	case ENOTUNIQ:
		*ret_word = "conflict";
		return MHD_HTTP_CONFLICT;
	case E2BIG:
	case EFBIG:
	case EMSGSIZE:
		*ret_word = "too-large";
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case EDQUOT:
		*ret_word = "too-many";
		return MHD_HTTP_TOO_MANY_REQUESTS;
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

/* Adds what a reader may rely on: the keys are always there. */
struct json_object *http_error_json(const char *code, const char *message, const char *hint,
				    uint64_t record_id)
{
	_cleanup_json_ struct json_object *e = json_object_new_object();
	char id[RECORD_ID_MAX] = "";
	int r = e ? json_add_string(e, "code", code) : -ENOMEM;

	if (r == 0)
		r = json_add_string(e, "message", message);
	if (r == 0)
		r = hint && hint[0] ? json_add_string(e, "hint", hint) : json_add(e, "hint", NULL);
	if (r == 0)
		r = record_id ? json_add_string(e, "record_id", record_id_format(record_id, id)) :
				json_add(e, "record_id", NULL);
	return r == 0 ? TAKE_PTR(e) : NULL;
}

static void log_answer(const struct http_request *rq, unsigned status)
{
	char request[160] = "", number[16] = "", path[96], text[320] = "";
	const struct log_field fields[] = { { "AIOPS_ACTOR", rq->caller.name },
					    { "AIOPS_REQUEST", request },
					    { "AIOPS_STATUS", number } };
	bool counts = !str_equal(rq->method, "GET") && !str_equal(rq->method, "HEAD") &&
		      status != MHD_HTTP_NOT_FOUND && status != MHD_HTTP_METHOD_NOT_ALLOWED &&
		      status != MHD_HTTP_BAD_REQUEST && status != MHD_HTTP_UNAUTHORIZED;

	str_append(request, sizeof(request), "%.16s %s", rq->method,
		   str_escape(path, sizeof(path), rq->path));
	str_append(number, sizeof(number), "%u", status);
	str_append(text, sizeof(text), "%s by %s: %u", request, rq->caller.name, status);
	/* What asks for a change and is understood; whoever only tries fills no journal. */
	log_fields(counts ? LOG_INFO : LOG_DEBUG, text, fields, ELEMENTSOF(fields));
}

static char *line_of(struct json_object *o, size_t *ret_length)
{
	const char *text = o ? json_object_to_json_string_ext(
				       o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) :
			       "{}";
	char *line = NULL;
	int n = asprintf(&line, "%s\n", text);

	if (n < 0)
		return NULL;
	*ret_length = (size_t)n;
	return line;
}

/* ---- streams ------------------------------------------------------------------------------------ */

/* Fetches the next line. Returns 1; 0: not yet; -ENODATA: the end; -ENOMEM. */
static int fetch(struct http_streaming *s)
{
	_cleanup_json_ struct json_object *o = NULL;
	size_t length = 0;
	int r;

	if (s->server->is_ending || clock_boot_ns() - s->since_ns > HTTP_STREAM_MAX_NS)
		return -ENODATA;
	r = s->stream->next(s->stream, &o);
	if (r <= 0 && !(r == 0 && s->blank))
		return r;
	free(s->line);
	s->line = r > 0 ? line_of(o, &length) : strdup("\n");
	s->sent = 0;
	s->blank = false;
	return s->line ? 1 : -ENOMEM;
}

static ssize_t on_read(void *cls, uint64_t position, char *buf, size_t max)
{
	struct http_streaming *s = cls;
	size_t n;

	(void)position;
	if (!s->line || !s->line[s->sent]) {
		int r = fetch(s);

		if (r < 0)
			return r == -ENODATA ? MHD_CONTENT_READER_END_OF_STREAM :
					       MHD_CONTENT_READER_END_WITH_ERROR;
		if (r == 0) {
			s->waits = true;
			MHD_suspend_connection(s->connection);
			return 0;
		}
	}
	n = strlen(s->line + s->sent);
	n = n < max ? n : max;
	memcpy(buf, s->line + s->sent, n);
	s->sent += n;
	s->wrote_ns = clock_boot_ns();
	return (ssize_t)n;
}

static void on_free(void *cls)
{
	struct http_streaming *s = cls;

	for (struct http_streaming **i = &s->server->streams; *i; i = &(*i)->next)
		if (*i == s) {
			*i = s->next;
			break;
		}
	s->stream->free(s->stream);
	free(s->line);
	free(s);
}

void http_run_streams(struct http_server *server, bool all)
{
	uint64_t now_ns = clock_boot_ns();

	for (struct http_streaming *s = server->streams; s; s = s->next) {
		if (!s->waits)
			continue;
		s->blank = now_ns - s->wrote_ns > HTTP_STREAM_IDLE_NS;
		if (!all && !s->blank)
			continue;
		s->waits = false;
		MHD_resume_connection(s->connection);
	}
}

static unsigned count_streams(const struct http_server *server)
{
	unsigned n = 0;

	for (const struct http_streaming *s = server->streams; s; s = s->next)
		n++;
	return n;
}

/* Takes stream; NULL when there is no room for it. */
static struct MHD_Response *response_of_stream(struct http_server *server,
					       struct MHD_Connection *connection,
					       struct http_stream *stream)
{
	struct http_streaming *s = count_streams(server) < HTTP_STREAMS_MAX ?
					   calloc(1, sizeof(*s)) :
					   NULL;
	struct MHD_Response *response;

	if (!s) {
		stream->free(stream);
		return NULL;
	}
	*s = (struct http_streaming){ .next = server->streams,
				      .server = server,
				      .connection = connection,
				      .stream = stream,
				      .since_ns = clock_boot_ns(),
				      .wrote_ns = clock_boot_ns() };
	server->streams = s;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_STREAM_BLOCK, on_read,
						     s, on_free);
	if (!response) {
		on_free(s);
		return NULL;
	}
	(void)MHD_add_response_header(response, "Content-Type", "application/x-ndjson");
	return response;
}

/* ---- whole answers ------------------------------------------------------------------------------ */

static struct MHD_Response *response_of_json(struct json_object *json)
{
	struct MHD_Response *response;
	size_t length = 0;
	char *line = line_of(json, &length);

	if (!line)
		return NULL;
	response = MHD_create_response_from_buffer(length, line, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(line);
	else
		(void)MHD_add_response_header(response, "Content-Type", "application/json");
	return response;
}

/* Takes text. */
static struct MHD_Response *response_of_text(char *text, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text,
									MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(text);
	else
		(void)MHD_add_response_header(response, "Content-Type", type);
	return response;
}

static void add_headers(struct MHD_Response *response, unsigned status, const struct http_answer *a)
{
	char number[16] = "";

	/* One request a connection keeps the limits simple. */
	(void)MHD_add_response_header(response, "Connection", "close");
	if (a->location[0])
		(void)MHD_add_response_header(response, "Location", a->location);
	str_append(number, sizeof(number), "%" PRIu32, a->retry_after_s);
	if (a->retry_after_s > 0)
		(void)MHD_add_response_header(response, "Retry-After", number);
	if (status == MHD_HTTP_UNAUTHORIZED)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
}

enum MHD_Result http_send(struct http_server *s, const struct http_request *rq,
			  struct http_answer *a)
{
	_cleanup_json_ struct json_object *json = TAKE_PTR(a->json);
	struct http_stream *stream = TAKE_PTR(a->stream);
	unsigned status = a->status ? a->status : MHD_HTTP_OK;
	struct MHD_Response *response;
	enum MHD_Result r;

	if (stream) {
		response = response_of_stream(s, rq->connection, stream);
		if (!response)
			return http_refuse(s, rq, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
					   "follow: too many follow already",
					   "ask again without it");
	} else if (a->text) {
		response = response_of_text(TAKE_PTR(a->text), a->text_type);
	} else {
		response = response_of_json(json);
	}
	if (!response)
		return MHD_NO;
	add_headers(response, status, a);
	log_answer(rq, status);
	r = MHD_queue_response(rq->connection, status, response);
	MHD_destroy_response(response);
	return r;
}

enum MHD_Result http_refuse(struct http_server *s, const struct http_request *rq, unsigned status,
			    const char *word, const char *message, const char *hint)
{
	struct http_answer a = { .status = status, .json = json_object_new_object() };

	if (!a.json || json_add(a.json, "error", http_error_json(word, message, hint, 0)) < 0)
		return MHD_NO;
	return http_send(s, rq, &a);
}
