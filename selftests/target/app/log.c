/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

#define LINE_MAX_BYTES 2048

static uint64_t lost;

uint64_t log_lost(void)
{
	return lost;
}

/* To journald it is a socket, which must not block when nobody reads it. */
static void put_line(struct json_object *o)
{
	char line[LINE_MAX_BYTES] = "";
	int n = snprintf(line, sizeof(line), "%s\n",
			 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	ssize_t sent;

	if (n < 0 || (size_t)n >= sizeof(line)) {
		lost++;
		return;
	}
	sent = send(STDOUT_FILENO, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == ENOTSOCK)
		sent = write(STDOUT_FILENO, line, (size_t)n);
	lost += sent < 0;
}

static struct json_object *begin(const char *level)
{
	struct json_object *o = json_object_new_object();

	if (o && (json_add_time(o, "time", clock_wall_us()) < 0 ||
		  json_add_string(o, "level", level) < 0)) {
		(void)json_object_put(o);
		o = NULL;
	}
	return o;
}

void log_request(const char *method, const char *path, unsigned status, uint64_t took_us,
		 const char *cause)
{
	const char *level = status >= 500 ? "error" : status >= 400 ? "warning" : "info";
	_cleanup_json_ struct json_object *o = begin(level);

	if (!o || json_add_string(o, "event", "request") < 0 ||
	    json_add_string(o, "method", method) < 0 || json_add_string(o, "path", path) < 0 ||
	    json_add_u64(o, "status", status) < 0 || json_add_u64(o, "duration_us", took_us) < 0 ||
	    (cause[0] && json_add_string(o, "cause", cause) < 0))
		lost++;
	else
		put_line(o);
}

void log_event(const char *level, const char *event, const char *detail)
{
	_cleanup_json_ struct json_object *o = begin(level);

	if (!o || json_add_string(o, "event", event) < 0 ||
	    json_add_string(o, "detail", detail) < 0)
		lost++;
	else
		put_line(o);
}
