/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/http.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "ipc/client.h"
#include "ipc/query.h"
#include "model/record.h"

#define DEADLINE_MS 10000

struct world {
	char dir[32], path[64];
	pid_t server;
};

static int handle_echo(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	const char *color = http_query(rq, "color");

	(void)userdata;
	(void)reterr;
	ret->json = json_object_new_object();
	(void)json_add_string(ret->json, "tail", rq->tail);
	(void)json_add_string(ret->json, "color", color ? color : "");
	(void)json_add_string(ret->json, "caller", rq->caller.name);
	if (rq->body)
		(void)json_add(ret->json, "body", json_object_get(rq->body));
	return 0;
}

static int handle_refuse(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	(void)userdata;
	(void)rq;
	(void)ret;
	return err_set(reterr, -EBUSY, "do it: somebody else does");
}

static int handle_list(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	struct query_incidents q = { .rows_max = 50 };
	char entity[ENTITY_TEXT_MAX] = "";
	int r = query_incidents_parse(rq, 100, &q, reterr);

	(void)userdata;
	if (r < 0)
		return r;
	ret->json = json_object_new_object();
	(void)json_add_u64(ret->json, "since_us", q.since_us);
	(void)json_add_u64(ret->json, "rows_max", q.rows_max);
	(void)json_add_string(ret->json, "entity",
			      q.has_entity ? entity_format(&q.entity, entity) : "");
	(void)json_add_string(ret->json, "state",
			      q.state < 0 ? "" :
					    incident_state_to_string((enum incident_state)q.state));
	return 0;
}

struct counting {
	struct http_stream stream;
	unsigned n;
};

static bool is_ripe; /* the timer has passed: the last line may go */

static int next_number(struct http_stream *s, struct json_object **ret)
{
	struct counting *c = (struct counting *)s;

	if (c->n == 3)
		return -ENODATA;
	if (c->n == 2 && !is_ripe)
		return 0;
	*ret = json_object_new_object();
	(void)json_add_u64(*ret, "n", c->n++);
	return 1;
}

static void free_counting(struct http_stream *s)
{
	free(s);
}

/* Two lines at once, the third when something changed. */
static int handle_stream(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	struct counting *c = calloc(1, sizeof(*c));

	(void)userdata;
	(void)rq;
	(void)reterr;
	c->stream = (struct http_stream){ next_number, free_counting };
	ret->stream = &c->stream;
	is_ripe = false;
	return 0;
}

static int handle_too_many(void *userdata, const struct http_request *rq, struct http_answer *ret,
			   struct err *reterr)
{
	(void)userdata;
	(void)rq;
	ret->retry_after_s = 30;
	ret->record_id = 1;
	str_append(ret->hint, sizeof(ret->hint), "wait");
	return err_set(reterr, -EDQUOT, "do it: used up");
}

static const struct http_endpoint table[] = {
	{ "GET", "/v1/stream", ROLE_READ, handle_stream, { 0 } },
	{ "GET", "/v1/many", ROLE_READ, handle_too_many, { 0 } },
	{ "POST", "/v1/operate", ROLE_OPERATE, handle_echo, { 0 } },
	{ "POST", "/v1/propose", ROLE_PROPOSE, handle_echo, { 0 } },
	{ "GET", "/v1/list", ROLE_READ, handle_list, { 0 } },
	{ "GET", "/v1/echo/*", ROLE_READ, handle_echo, { 0 } },
	{ "POST", "/v1/echo/*", ROLE_READ, handle_echo, { 0 } },
	{ "GET", "/v1/busy", ROLE_READ, handle_refuse, { 0 } },
	{ 0 },
};

static int on_ripe(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	is_ripe = true;
	http_wake(userdata);
	(void)sd_event_source_set_time_relative(source, 300000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void serve_for_ever(int fd, const char *key)
{
	sd_event *event = NULL;
	sd_event_source *timer = NULL;
	struct http_server *server = NULL;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_event_new(&event) < 0 || http_serve(event, fd, table, NULL, &server, NULL) < 0)
		_exit(1);
	if (key && http_require_key(server, key, NULL) < 0)
		_exit(1);
	if (sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 300000, 0, on_ripe, server) <
	    0)
		_exit(1);
	_exit(sd_event_loop(event) < 0);
}

static int setup_with(void **state, const char *key)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* root has every role; another user has none here, as groups are not ours to make */
	assert_non_null(w);
	(void)str_copy(w->dir, sizeof(w->dir), "/tmp/http-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	str_append(w->path, sizeof(w->path), "%s/sock", w->dir);
	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), w->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 64), 0);
	w->server = fork();
	assert_true(w->server >= 0);
	if (w->server == 0)
		serve_for_ever(fd, key);
	(void)close(fd);
	*state = w;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NULL);
}

#define KEY "0123456789abcdef-key"

static int setup_remote(void **state)
{
	return setup_with(state, KEY);
}

static int teardown(void **state)
{
	struct world *w = *state;
	int status = 0;

	(void)kill(w->server, SIGKILL);
	assert_int_equal(waitpid(w->server, &status, 0), w->server);
	assert_true(WIFSIGNALED(status)); /* it still ran: nothing crashed it */
	(void)unlink(w->path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static struct json_object *request(struct world *w, const char *method, const char *path,
				   struct json_object *body, long expect_status)
{
	struct json_object *answer = NULL;
	struct err err = { 0 };
	long status = 0;
	int r = client_request(w->path, method, path, body, DEADLINE_MS, &status, &answer, &err);

	if (r < 0)
		fail_msg("%s", err_text(&err));
	if (getuid() != 0 && expect_status != 404 && expect_status != 405 && expect_status != 400)
		expect_status = 403;
	assert_int_equal(status, expect_status);
	return answer;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static void answers_with_tail_query_and_body(void **state)
{
	_cleanup_json_ struct json_object *body = json_object_new_object(), *answer = NULL;

	(void)json_add_string(body, "a", "b");
	answer = request(*state, "POST", "/v1/echo/x%20y?color=red", body, 200);
	if (getuid() != 0)
		return;
	assert_string_equal(text_of(answer, "tail"), "x y");
	assert_string_equal(text_of(answer, "color"), "red");
	assert_string_equal(text_of(answer, "caller"), "root, uid 0");
	assert_non_null(strstr(text_of(answer, "body"), "\"b\""));
}

static void names_what_is_wrong_in_one_shape(void **state)
{
	static const struct {
		const char *method, *path, *code;
		long status;
	} rows[] = {
		{ "GET", "/nowhere", "not-found", 404 },
		{ "GET", "/v1/echo/", "not-found", 404 },
		{ "DELETE", "/v1/echo/x", "method-not-allowed", 405 },
		{ "GET", "/v1/echo/%1b%5b31m", "invalid-argument", 400 },
		{ "GET", "/v1/busy", "unavailable", 503 },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_json_ struct json_object *answer =
			request(*state, rows[i].method, rows[i].path, NULL, rows[i].status);
		struct json_object *e = NULL;

		assert_true(json_object_object_get_ex(answer, "error", &e));
		if (getuid() == 0)
			assert_string_equal(text_of(e, "code"), rows[i].code);
		assert_true(strlen(text_of(e, "message")) > 0);
	}
}

/* All that comes back for these bytes until the server closes. */
static void exchange(const struct world *w, const char *request_text, char *ret, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t k;

	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(write(fd, request_text, strlen(request_text)), strlen(request_text));
	while (n < size - 1 && (k = read(fd, ret + n, size - 1 - n)) > 0)
		n += (size_t)k;
	ret[n] = '\0';
	(void)close(fd);
}

static void an_answer_that_goes_on_comes_line_by_line(void **state)
{
	char text[4096];
	const char *two, *third;

	if (getuid() != 0)
		skip();
	for (unsigned i = 0; i < 3; i++) { /* nothing of one is left for the next */
		exchange(*state, "GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
		assert_non_null(strstr(text, "application/x-ndjson"));
		assert_non_null(strstr(text, "Transfer-Encoding: chunked"));
		two = strstr(text, "{\"n\":1}\n");
		third = strstr(text, "{\"n\":2}\n");
		assert_true(strstr(text, "{\"n\":0}\n") && two && third && two < third);
	}
}

static void an_error_says_when_to_come_again_and_which_record_has_it(void **state)
{
	char text[4096];

	if (getuid() != 0)
		skip();
	exchange(*state, "GET /v1/many HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
	assert_non_null(strstr(text, " 429 "));
	assert_non_null(strstr(text, "Retry-After: 30\r\n"));
	assert_non_null(strstr(text,
			       "{\"error\":{\"code\":\"too-many\",\"message\":\"do it: used up\","
			       "\"hint\":\"wait\",\"record_id\":\"00000000001\"}}"));
}

static long status_with(const struct world *w, const char *path, const char *header)
{
	char head[512] = "", text[4096];

	str_append(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n%s\r\n",
		   path, header);
	exchange(w, head, text, sizeof(text));
	return strncmp(text, "HTTP/1.1 ", 9) != 0 ?
		       0 :
		       (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
}

static void a_key_opens_reading_and_proposing_only(void **state)
{
	static const char right[] = "Authorization: Bearer " KEY "\r\n";

	assert_int_equal(status_with(*state, "POST /v1/propose", right), 200);
	assert_int_equal(status_with(*state, "GET /v1/list", right), 200);
	assert_int_equal(status_with(*state, "POST /v1/operate", right), 403);
}

static void without_the_key_even_root_is_nobody(void **state)
{
	static const char *const wrong[] = {
		"",
		"Authorization: Bearer 0123456789abcdef-kex\r\n",
		"Authorization: Bearer " KEY "x\r\n",
		"Authorization: Bearer\r\n",
		"Authorization: Basic " KEY "\r\n",
	};

	for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
		assert_int_equal(status_with(*state, "GET /v1/list", wrong[i]), 401);
}

static void takes_filters_that_it_knows(void **state)
{
	_cleanup_json_ struct json_object *all = request(*state, "GET", "/v1/list", NULL, 200);
	_cleanup_json_ struct json_object *some = request(
		*state, "GET", "/v1/list?since_usec=5&unit=x.service&state=escalated&limit=100",
		NULL, 200);

	if (getuid() != 0)
		return;
	assert_string_equal(text_of(all, "rows_max"), "50");
	assert_string_equal(text_of(all, "entity"), "");
	assert_string_equal(text_of(all, "state"), "");
	assert_string_equal(text_of(some, "since_us"), "5");
	assert_string_equal(text_of(some, "rows_max"), "100");
	assert_string_equal(text_of(some, "entity"), "unit:x.service");
	assert_string_equal(text_of(some, "state"), "escalated");
}

static void refuses_filters_that_it_does_not_know(void **state)
{
	static const struct {
		const char *query, *message;
	} rows[] = {
		{ "stat=open", "parameter 'stat': this path knows since_usec, until_usec, limit, "
			       "unit, entity, state" },
		{ "limit=1&limit%1b=2", "parameter 'limit\\x1b': this path knows " },
		{ "=1", "parameter '?': this path knows " },
		{ "limit=101", "parameter 'limit': must be a number from 1 to 100" },
		{ "since_usec=-1", "parameter 'since_usec': must be a number from 0 to " },
		{ "state=good", "parameter 'state': no such state" },
		{ "unit=../x", "parameter 'unit': not a unit name" },
		{ "entity=x", "parameter 'entity': " },
	};

	if (getuid() != 0)
		return;
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char path[96] = "/v1/list?";
		_cleanup_json_ struct json_object *answer = NULL;
		struct json_object *e = NULL;

		str_append(path, sizeof(path), "%s", rows[i].query);
		answer = request(*state, "GET", path, NULL, 400);
		assert_true(json_object_object_get_ex(answer, "error", &e));
		if (strncmp(text_of(e, "message"), rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("%s: %s", rows[i].query, text_of(e, "message"));
	}
}

static int connect_raw(const struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Sends raw bytes and returns the status of the answer, 0 where there was none. */
static int raw_status(const struct world *w, const char *text, size_t length)
{
	_cleanup_close_ int fd = connect_raw(w);
	char buf[512] = "";
	ssize_t n;
	int status = 0;

	if (send(fd, text, length, MSG_NOSIGNAL) < 0)
		return 0;
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	if (n > 0 && sscanf(buf, "HTTP/1.1 %3d", &status) != 1)
		status = 0;
	return status;
}

/* A body that a second reader would see and the first does not is no request at all. */
static void refuses_a_head_that_can_be_read_in_two_ways(void **state)
{
	static const char *const rows[] = {
		" folded: x\r\nContent-Length: 2\r\n\r\n{}",
		"Content-Length : 2\r\n\r\n[]",
		"Content-Length: 0\r\nContent-Length: 2\r\n\r\n[]",
		"content-length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char text[256] = "POST /v1/echo/x HTTP/1.1\r\nHost: x\r\n";

		str_append(text, sizeof(text), "%s", rows[i]);
		assert_int_equal(raw_status(*state, text, strlen(text)), 400);
	}
}

static void survives_hostile_bytes(void **state)
{
	static const char *const rows[] = {
		"GARBAGE\r\n\r\n",
		"GET /v1/echo/x HTTP/9.9\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n",
		"POST /v1/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST /v1/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"a\":1}}}",
		"POST /v1/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"a\":1,\"a\":2}",
		"POST /v1/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]",
	};
	char long_head[16384] = "GET /v1/echo/x HTTP/1.1\r\nX: ";

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		int status = raw_status(*state, rows[i], strlen(rows[i]));

		assert_true(status == 0 || (status >= 400 && status < 500) || status == 505);
	}
	memset(long_head + strlen(long_head), 'a', sizeof(long_head) - 64);
	assert_true(raw_status(*state, long_head, sizeof(long_head) - 1) != 200);
	json_object_put(request(*state, "GET", "/v1/echo/still-here", NULL, 200));
}

static sd_event *serve_here(const char *path, struct http_server **ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sd_event *event = NULL;

	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(http_serve(event, fd, table, NULL, ret, NULL), 0);
	return event;
}

/* The library reads a long head in many turns: each must follow the one before, not a timer. */
static void reads_a_long_head_without_waiting(void **state)
{
	struct world w = { 0 };
	struct http_server *server = NULL;
	_cleanup_close_ int fd = -EBADF;
	char head[7000] = "GET /v1/echo/x HTTP/1.1\r\nHost: x\r\nX: ", answer[512] = "";
	ssize_t n = -1;
	sd_event *event;

	str_append(w.path, sizeof(w.path), "%s/here", ((struct world *)*state)->dir);
	event = serve_here(w.path, &server);
	fd = connect_raw(&w);
	memset(head + strlen(head), 'a', sizeof(head) - strlen(head) - 4);
	memcpy(head + sizeof(head) - 4, "\r\n\r\n", 4);
	assert_int_equal(send(fd, head, sizeof(head), MSG_NOSIGNAL), sizeof(head));
	for (unsigned i = 0; i < 8 && n < 0; i++) {
		assert_true(sd_event_run(event, 0) >= 0);
		n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	}
	assert_true(n > 0);
	assert_non_null(strstr(answer, getuid() == 0 ? "HTTP/1.1 200" : "HTTP/1.1 403"));
	server = http_server_free(server);
	event = sd_event_unref(event);
	(void)unlink(w.path);
}

static void refuses_a_body_over_its_bound(void **state)
{
	_cleanup_json_ struct json_object *body = json_object_new_object();
	_cleanup_free_ char *big = malloc(JSON_TEXT_MAX + 2);

	assert_non_null(big);
	memset(big, 'x', JSON_TEXT_MAX + 1);
	big[JSON_TEXT_MAX + 1] = '\0';
	(void)json_add(body, "big", json_object_new_string(big));
	json_object_put(request(*state, "POST", "/v1/echo/x", body, 413));
}

/* 32 connections are all there are: who holds them all would keep everybody else out. */
static void one_user_cannot_hold_all_connections(void **state)
{
	enum { HELD = 40, OF_ONE_USER_MAX = 16 };
	struct pollfd fds[HELD];
	uint64_t end_ns = clock_boot_ns() + 3 * NS_PER_S; /* before any of them is too slow */
	unsigned n_closed = 0;

	for (unsigned i = 0; i < HELD; i++)
		fds[i] = (struct pollfd){ .fd = connect_raw(*state), .events = POLLIN };
	while (n_closed < HELD - OF_ONE_USER_MAX && clock_boot_ns() < end_ns) {
		(void)poll(fds, HELD, 100);
		n_closed = 0;
		for (unsigned i = 0; i < HELD; i++)
			n_closed += (fds[i].revents & POLLIN) != 0; /* end of file */
	}
	assert_int_equal(n_closed, HELD - OF_ONE_USER_MAX);
	for (unsigned i = 0; i < HELD; i++)
		(void)close(fds[i].fd);
}

static void cuts_off_who_sends_too_slowly(void **state)
{
	_cleanup_close_ int fd = connect_raw(*state);
	uint64_t begin_ns = clock_boot_ns();
	struct timeval tick = { .tv_usec = 500000 };
	char c;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	for (;;) {
		ssize_t n;

		(void)send(fd, "G", 1, MSG_NOSIGNAL);
		n = recv(fd, &c, 1, 0);
		if (n >= 0 || errno != EAGAIN)
			break;
		assert_true(clock_boot_ns() - begin_ns < 9 * NS_PER_S);
	}
	assert_true(clock_boot_ns() - begin_ns > 4 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_that_goes_on_comes_line_by_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			an_error_says_when_to_come_again_and_which_record_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_opens_reading_and_proposing_only,
						setup_remote, teardown),
		cmocka_unit_test_setup_teardown(without_the_key_even_root_is_nobody, setup_remote,
						teardown),
		cmocka_unit_test_setup_teardown(answers_with_tail_query_and_body, setup, teardown),
		cmocka_unit_test_setup_teardown(names_what_is_wrong_in_one_shape, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_filters_that_it_knows, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_filters_that_it_does_not_know, setup,
						teardown),
		cmocka_unit_test_setup_teardown(refuses_a_head_that_can_be_read_in_two_ways, setup,
						teardown),
		cmocka_unit_test_setup_teardown(survives_hostile_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_a_long_head_without_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_body_over_its_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(one_user_cannot_hold_all_connections, setup,
						teardown),
		cmocka_unit_test_setup_teardown(cuts_off_who_sends_too_slowly, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
