/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "selftests/target/app/pool.h"

/* A server in place of libpq's: it connects, refuses, answers or says nothing, as a test wants. The real
 * one is in the integration tests. */

#define CONNECTIONS 2
#define QUERIES_MAX 256
#define TURNS_MAX   10000
#define SHORT_MS    20
#define LONG_MS     60000

struct pg_conn {
	int fd;
	bool is_up, has_query, is_answered;
};

struct pg_result {
	bool is_good;
};

static struct {
	bool refuses, is_mute, is_gone;
	unsigned connects, open, most_open, queries;
} server;

static PGresult good = { .is_good = true };

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand)
{
	PGconn *c = calloc(1, sizeof(*c));

	(void)keywords;
	(void)values;
	(void)expand;
	assert_non_null(c);
	c->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	server.connects++;
	server.open++;
	server.most_open = server.open > server.most_open ? server.open : server.most_open;
	return c;
}

void PQfinish(PGconn *c)
{
	if (!c)
		return;
	server.open--;
	(void)close(c->fd);
	free(c);
}

PostgresPollingStatusType PQconnectPoll(PGconn *c)
{
	c->is_up = !server.refuses;
	return server.refuses ? PGRES_POLLING_FAILED : PGRES_POLLING_OK;
}

ConnStatusType PQstatus(const PGconn *c)
{
	return c->is_up ? CONNECTION_OK : CONNECTION_STARTED;
}

int PQsocket(const PGconn *c)
{
	return c->fd;
}

int PQsetnonblocking(PGconn *c, int arg)
{
	uint64_t count;

	(void)arg;
	/* From here on it is readable only when there is an answer. */
	return read(c->fd, &count, sizeof(count)) > 0 ? 0 : -1;
}

static void become_readable(PGconn *c)
{
	const uint64_t one = 1;

	assert_int_equal(write(c->fd, &one, sizeof(one)), sizeof(one));
}

int PQsendQueryParams(PGconn *c, const char *command, int n, const Oid *types,
		      const char *const *values, const int *lengths, const int *formats, int format)
{
	(void)command;
	(void)n;
	(void)types;
	(void)values;
	(void)lengths;
	(void)formats;
	(void)format;
	server.queries++;
	c->has_query = true;
	c->is_answered = false;
	if (!server.is_mute)
		become_readable(c);
	return 1;
}

int PQflush(PGconn *c)
{
	(void)c;
	return 0;
}

int PQconsumeInput(PGconn *c)
{
	(void)c;
	return !server.is_gone;
}

int PQisBusy(PGconn *c)
{
	return c->has_query && server.is_mute;
}

PGresult *PQgetResult(PGconn *c)
{
	uint64_t count;

	if (c->is_answered || !c->has_query) {
		c->has_query = false;
		(void)!read(c->fd, &count, sizeof(count));
		return NULL;
	}
	c->is_answered = true;
	return &good;
}

ExecStatusType PQresultStatus(const PGresult *res)
{
	return res && res->is_good ? PGRES_TUPLES_OK : PGRES_FATAL_ERROR;
}

char *PQresultErrorField(const PGresult *res, int field)
{
	(void)res;
	(void)field;
	return NULL;
}

char *PQerrorMessage(const PGconn *c)
{
	(void)c;
	return (char *)(uintptr_t) "the server says no\nmore";
}

void PQclear(PGresult *res)
{
	(void)res;
}

struct world {
	sd_event *event;
	struct pool *pool;
	unsigned n, good, lost, late, canceled;
	unsigned order[QUERIES_MAX];
	char cause[128];
};

static struct world *world;

static void on_done(int code, const PGresult *res, const char *cause, void *userdata)
{
	(void)res;
	world->order[world->n++] = (unsigned)(uintptr_t)userdata;
	world->good += code == 0;
	world->lost += code == -ENOTCONN;
	world->late += code == -ETIMEDOUT;
	world->canceled += code == -ECANCELED;
	(void)str_copy(world->cause, sizeof(world->cause), cause);
}

static int ask(unsigned number)
{
	const struct pool_query q = { .sql = "SELECT 1", .n_params = 1, .params = { "x" } };

	return pool_run(world->pool, &q, on_done, (void *)(uintptr_t)number, NULL);
}

/* Runs the loop until so many have their end. */
static void wait_for(unsigned n)
{
	for (unsigned i = 0; world->n < n; i++) {
		assert_true(i < TURNS_MAX);
		assert_true(sd_event_run(world->event, NS_PER_S / NS_PER_US) >= 0);
	}
}

static int open_pool(void **state, uint32_t patience_ms)
{
	const struct pool_config config = { .host = "127.0.0.1",
					    .name = "n",
					    .user = "u",
					    .password = "p",
					    .port = 1,
					    .connections_max = CONNECTIONS,
					    .connect_timeout_ms = patience_ms,
					    .wait_timeout_ms = patience_ms,
					    .query_timeout_ms = 4 * patience_ms };

	memset(&server, 0, sizeof(server));
	world = calloc(1, sizeof(*world));
	*state = world;
	return world && sd_event_new(&world->event) >= 0 ?
		       pool_new(world->event, &config, &world->pool, NULL) :
		       -1;
}

static int set_up(void **state)
{
	return open_pool(state, LONG_MS);
}

static int set_up_impatient(void **state)
{
	return open_pool(state, SHORT_MS);
}

static int tear_down(void **state)
{
	(void)state;
	world->pool = pool_free(world->pool);
	world->event = sd_event_unref(world->event);
	free(world);
	return server.open == 0 ? 0 : -1;
}

static void a_query_is_answered_on_a_connection_made_for_it(void **state)
{
	(void)state;
	assert_int_equal(server.connects, 0);
	assert_int_equal(ask(1), 0);
	assert_int_equal(world->n, 0);
	wait_for(1);
	assert_int_equal(world->good, 1);
	assert_int_equal(ask(2), 0);
	wait_for(2);
	assert_int_equal(server.connects, 1);
}

static void no_more_connections_than_allowed_and_first_come_first_served(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(ask(i), 0);
	wait_for(20);
	assert_int_equal(world->good, 20);
	assert_int_equal(server.most_open, CONNECTIONS);
	/* Two at a time: each is at most one place from its own. */
	for (unsigned i = 0; i < 20; i++)
		assert_in_range(world->order[i] + 1, i, i + 2);
}

static void a_full_queue_refuses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POOL_QUEUE_MAX; i++)
		assert_int_equal(ask(i), 0);
	assert_int_equal(ask(0), -EBUSY);
	wait_for(POOL_QUEUE_MAX);
	assert_int_equal(world->good, POOL_QUEUE_MAX);
	assert_int_equal(ask(0), 0);
	wait_for(POOL_QUEUE_MAX + 1);
}

static void a_mute_server_keeps_nobody_waiting(void **state)
{
	struct pool_state s = { 0 };

	(void)state;
	server.is_mute = true;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(ask(i), 0);
	wait_for(5);
	assert_int_equal(world->late, 5);
	/* The two that were sent were late with the answer, the others for a connection. */
	assert_int_equal(server.queries, CONNECTIONS);
	pool_read_state(world->pool, &s);
	assert_int_equal(s.timeouts, 5);
	assert_int_equal(s.connections, 0);
}

static void a_server_that_refuses_is_told_at_once_and_tried_again(void **state)
{
	(void)state;
	server.refuses = true;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(ask(i), 0);
	wait_for(5);
	assert_int_equal(world->lost, 5);
	assert_string_equal(world->cause, "the server says no");
	assert_int_equal(ask(9), -ENOTCONN);
	server.refuses = false;
	for (unsigned i = 0; ask(10) < 0; i++) {
		assert_true(i < TURNS_MAX);
		assert_true(sd_event_run(world->event, NS_PER_S / NS_PER_US) >= 0);
	}
	wait_for(6);
	assert_int_equal(world->good, 1);
}

static void a_server_lost_in_a_query_is_told_so(void **state)
{
	struct pool_state s = { 0 };

	(void)state;
	server.is_gone = true;
	assert_int_equal(ask(1), 0);
	wait_for(1);
	assert_int_equal(world->lost, 1);
	pool_read_state(world->pool, &s);
	assert_int_equal(s.lost, 1);
}

static void the_end_of_the_pool_leaves_nobody_without_a_word(void **state)
{
	(void)state;
	server.is_mute = true;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(ask(i), 0);
	while (server.queries < CONNECTIONS)
		assert_true(sd_event_run(world->event, NS_PER_S / NS_PER_US) >= 0);
	world->pool = pool_free(world->pool);
	assert_int_equal(world->canceled, 5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_query_is_answered_on_a_connection_made_for_it),
		TEST(no_more_connections_than_allowed_and_first_come_first_served),
		TEST(a_full_queue_refuses),
		cmocka_unit_test_setup_teardown(a_mute_server_keeps_nobody_waiting,
						set_up_impatient, tear_down),
		TEST(a_server_that_refuses_is_told_at_once_and_tried_again),
		TEST(a_server_lost_in_a_query_is_told_so),
		TEST(the_end_of_the_pool_leaves_nobody_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
