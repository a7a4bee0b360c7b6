/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/str.h"

#define BACKOFF_MIN_NS    (200 * NS_PER_MS)
#define BACKOFF_MAX_NS    (5 * NS_PER_S)
#define TIMER_ACCURACY_US 1000
#define NS_TO_US(ns)      ((ns) / NS_PER_US)
/* The server ends a statement by itself a little before we give it up with its connection. */
#define STATEMENT_PCT 80

#define PARAMS_BYTES_MAX (16 * 1024)

struct job {
	struct job *next;
	const char *sql;
	unsigned n_params;
	const char *params[POOL_PARAMS_MAX];
	pool_done_fn *done;
	void *userdata;
	uint64_t wait_end_ns;
	char bytes[]; /* of the parameters */
};

enum slot_state { SLOT_STATE_CLOSED, SLOT_STATE_CONNECTING, SLOT_STATE_IDLE, SLOT_STATE_BUSY };

struct slot {
	struct pool *pool;
	enum slot_state state;
	PGconn *conn;
	sd_event_source *io, *timer;
	struct job *job;
	PGresult *res; /* of the job, until the server has said all */
};

struct pool {
	sd_event *event;
	sd_event_source *retry, *waiting; /* timers: to connect again; for the head of the queue */
	char host[256], name[64], user[64], password[256], port[8], options[64];
	unsigned connections_max;
	uint64_t connect_ns, wait_ns, query_ns, backoff_ns;
	uint64_t grow_after_ns; /* a try failed while others are open: the next one not before */
	bool is_down;           /* the last try failed and no connection is open */
	bool is_closing;
	char why_down[160];
	struct job *queue, **queue_end;
	struct pool_state counts;
	struct slot slots[POOL_CONNECTIONS_MAX];
};

static void serve_queue(struct pool *p);

static void finish(struct job *job, int code, const PGresult *res, const char *cause)
{
	job->done(code, res, cause, job->userdata);
	free(job);
}

static unsigned count_state(const struct pool *p, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->connections_max; i++)
		n += p->slots[i].state == state;
	return n;
}

static bool has_hope(const struct pool *p)
{
	return count_state(p, SLOT_STATE_CLOSED) < p->connections_max;
}

static struct job *queue_pop(struct pool *p)
{
	struct job *job = p->queue;

	if (!job)
		return NULL;
	p->queue = job->next;
	if (!p->queue)
		p->queue_end = &p->queue;
	p->counts.queued--;
	return job;
}

static void fail_queue(struct pool *p, int code, const char *cause)
{
	for (struct job *job; (job = queue_pop(p));)
		finish(job, code, NULL, cause);
}

/* First line of what libpq has to say. */
static void note_cause(struct pool *p, const PGconn *conn)
{
	const char *text = conn ? PQerrorMessage(conn) : "Out of memory";

	p->why_down[0] = '\0';
	str_append(p->why_down, sizeof(p->why_down), "%.*s", (int)strcspn(text, "\n"), text);
}

static void slot_close(struct slot *s)
{
	s->io = sd_event_source_disable_unref(s->io);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	PQclear(s->res);
	s->res = NULL;
	PQfinish(s->conn);
	s->conn = NULL;
	s->state = SLOT_STATE_CLOSED;
}

static void arm(sd_event_source *timer, uint64_t in_ns)
{
	(void)sd_event_source_set_time_relative(timer, NS_TO_US(in_ns));
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* No connection is left: those that wait need not, and the next try is later. */
static void go_down(struct pool *p)
{
	if (has_hope(p) || p->is_closing)
		return;
	p->is_down = true;
	arm(p->retry, p->backoff_ns);
	p->backoff_ns = p->backoff_ns * 2 < BACKOFF_MAX_NS ? p->backoff_ns * 2 : BACKOFF_MAX_NS;
	fail_queue(p, -ENOTCONN, p->why_down);
}

static void slot_fail(struct slot *s, int code, const char *cause)
{
	struct pool *p = s->pool;
	struct job *job = TAKE_PTR(s->job);
	char text[sizeof(p->why_down)] = "";

	if (s->state == SLOT_STATE_CONNECTING)
		p->grow_after_ns = clock_boot_ns() + p->backoff_ns;
	str_append(text, sizeof(text), "%s", cause);
	slot_close(s);
	if (job)
		finish(job, code, NULL, text);
	go_down(p);
	serve_queue(p);
}

static void slot_lose(struct slot *s)
{
	note_cause(s->pool, s->conn);
	if (s->state == SLOT_STATE_CONNECTING)
		s->pool->counts.failed_connects++;
	else
		s->pool->counts.lost++;
	slot_fail(s, -ENOTCONN, s->pool->why_down);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* libpq may take another socket while it connects. */
static int slot_watch(struct slot *s, uint32_t events)
{
	int fd = PQsocket(s->conn);

	if (s->io && sd_event_source_get_io_fd(s->io) == fd && s->state != SLOT_STATE_CONNECTING)
		return sd_event_source_set_io_events(s->io, events);
	s->io = sd_event_source_disable_unref(s->io);
	return sd_event_add_io(s->pool->event, &s->io, fd, events, on_io, s);
}

static void slot_start(struct slot *s)
{
	struct pool *p = s->pool;
	const char *const keywords[] = { "host",     "port",    "dbname",           "user",
					 "password", "options", "application_name", NULL };
	const char *const values[] = {
		p->host, p->port, p->name, p->user, p->password, p->options, "aiops-target-api",
		NULL
	};

	s->state = SLOT_STATE_CONNECTING;
	s->conn = PQconnectStartParams(keywords, values, 0);
	if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD || slot_watch(s, EPOLLOUT) < 0) {
		slot_lose(s);
		return;
	}
	arm(s->timer, p->connect_ns);
}

static void slot_send(struct slot *s, struct job *job)
{
	s->job = job;
	s->state = SLOT_STATE_BUSY;
	arm(s->timer, s->pool->query_ns);
	if (PQsendQueryParams(s->conn, job->sql, (int)job->n_params, NULL, job->params, NULL, NULL,
			      0) != 1 ||
	    PQflush(s->conn) < 0 || slot_watch(s, EPOLLIN | EPOLLOUT) < 0)
		slot_lose(s);
}

static struct slot *find_slot(struct pool *p, enum slot_state state)
{
	for (unsigned i = 0; i < p->connections_max; i++)
		if (p->slots[i].state == state)
			return &p->slots[i];
	return NULL;
}

/* A connection under way for each who waits. */
static void grow(struct pool *p)
{
	for (unsigned n = count_state(p, SLOT_STATE_CONNECTING); n < p->counts.queued; n++) {
		struct slot *s = find_slot(p, SLOT_STATE_CLOSED);

		if (s)
			slot_start(s);
		if (!s || s->state == SLOT_STATE_CLOSED)
			return;
	}
}

/* Idle connections take from the queue; who still waits gets new ones. */
static void serve_queue(struct pool *p)
{
	struct slot *s;
	uint64_t now_ns;

	while (p->queue && !p->is_closing && (s = find_slot(p, SLOT_STATE_IDLE)))
		slot_send(s, queue_pop(p));
	if (p->is_closing || p->is_down || !p->queue)
		return;
	now_ns = clock_boot_ns();
	arm(p->waiting, p->queue->wait_end_ns > now_ns ? p->queue->wait_end_ns - now_ns : 0);
	if (now_ns >= p->grow_after_ns)
		grow(p);
}

static void slot_become_idle(struct slot *s)
{
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	s->state = SLOT_STATE_IDLE;
	if (slot_watch(s, EPOLLIN) < 0)
		slot_lose(s);
	else
		serve_queue(s->pool);
}

static void go_on_connecting(struct slot *s)
{
	struct pool *p = s->pool;

	switch (PQconnectPoll(s->conn)) {
	case PGRES_POLLING_OK:
		(void)PQsetnonblocking(s->conn, 1);
		p->is_down = false;
		p->backoff_ns = BACKOFF_MIN_NS;
		(void)sd_event_source_set_enabled(p->retry, SD_EVENT_OFF);
		s->io = sd_event_source_disable_unref(s->io);
		slot_become_idle(s);
		return;
	case PGRES_POLLING_READING:
		if (slot_watch(s, EPOLLIN) < 0)
			slot_lose(s);
		return;
	case PGRES_POLLING_WRITING:
		if (slot_watch(s, EPOLLOUT) < 0)
			slot_lose(s);
		return;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		slot_lose(s);
	}
}

static bool is_good(const PGresult *res)
{
	return PQresultStatus(res) == PGRES_TUPLES_OK || PQresultStatus(res) == PGRES_COMMAND_OK;
}

/* The server ends the session (class 57P, of a shutdown or a crash): not the query's fault. */
static bool is_farewell(const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state && (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0);
}

static void deliver(struct slot *s)
{
	struct job *job = TAKE_PTR(s->job);
	PGresult *res = TAKE_PTR(s->res);
	const char *cause = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	slot_become_idle(s);
	finish(job, is_good(res) ? 0 : -EIO, res, cause ? cause : "");
	PQclear(res);
}

static void go_on_with_query(struct slot *s)
{
	int left;

	if (PQconsumeInput(s->conn) != 1) {
		slot_lose(s);
		return;
	}
	while (!PQisBusy(s->conn)) {
		PGresult *res = PQgetResult(s->conn);

		if (!res) {
			deliver(s);
			return;
		}
		PQclear(s->res);
		s->res = res;
		if (is_farewell(res)) {
			slot_lose(s);
			return;
		}
	}
	left = PQflush(s->conn);
	if (left < 0 || slot_watch(s, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0)
		slot_lose(s);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct slot *s = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	switch (s->state) {
	case SLOT_STATE_CONNECTING:
		go_on_connecting(s);
		break;
	case SLOT_STATE_BUSY:
		go_on_with_query(s);
		break;
	case SLOT_STATE_IDLE: /* nothing is due: the server has gone, or sends a notice */
		if (PQconsumeInput(s->conn) != 1)
			slot_lose(s);
		break;
	case SLOT_STATE_CLOSED:
		break;
	}
	return 0;
}

static int on_slot_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct slot *s = userdata;
	bool was_connecting = s->state == SLOT_STATE_CONNECTING;

	(void)source;
	(void)usec;
	s->pool->counts.timeouts++;
	s->pool->why_down[0] = '\0';
	str_append(s->pool->why_down, sizeof(s->pool->why_down), "%s",
		   was_connecting ? "no connection in time" : "no answer in time");
	slot_fail(s, -ETIMEDOUT, s->pool->why_down);
	return 0;
}

static int on_waiting(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pool *p = userdata;
	uint64_t now_ns = clock_boot_ns();

	(void)source;
	(void)usec;
	while (p->queue && p->queue->wait_end_ns <= now_ns) {
		p->counts.timeouts++;
		finish(queue_pop(p), -ETIMEDOUT, NULL, "no connection was free in time");
	}
	serve_queue(p);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pool *p = userdata;
	struct slot *s = find_slot(p, SLOT_STATE_CLOSED);

	(void)source;
	(void)usec;
	if (s)
		slot_start(s);
	return 0;
}

/* The parameters live behind the job. */
static struct job *job_new(const struct pool_query *q)
{
	size_t sizes[POOL_PARAMS_MAX] = { 0 }, total = 0;
	struct job *job;
	char *at;

	for (unsigned i = 0; i < q->n_params; i++) {
		sizes[i] = q->params[i] ? strlen(q->params[i]) + 1 : 0;
		total += sizes[i];
	}
	job = total <= PARAMS_BYTES_MAX ? malloc(sizeof(*job) + total) : NULL;
	if (!job)
		return NULL;
	*job = (struct job){ .sql = q->sql, .n_params = q->n_params };
	at = job->bytes;
	for (unsigned i = 0; i < q->n_params; i++) {
		job->params[i] = q->params[i] ? memcpy(at, q->params[i], sizes[i]) : NULL;
		at += sizes[i];
	}
	return job;
}

int pool_run(struct pool *p, const struct pool_query *q, pool_done_fn *done, void *userdata,
	     struct err *reterr)
{
	struct job *job;

	if (p->is_down) {
		p->counts.refused++;
		return err_set(reterr, -ENOTCONN, "query database '%s': %s", p->name, p->why_down);
	}
	if (p->counts.queued >= POOL_QUEUE_MAX) {
		p->counts.refused++;
		return err_set(reterr, -EBUSY, "query database '%s': %d wait already", p->name,
			       POOL_QUEUE_MAX);
	}
	job = job_new(q);
	if (!job)
		return err_set(reterr, -ENOMEM, "query database '%s': Out of memory", p->name);
	job->done = done;
	job->userdata = userdata;
	job->wait_end_ns = clock_boot_ns() + p->wait_ns;
	*p->queue_end = job;
	p->queue_end = &job->next;
	p->counts.queued++;
	/* From the loop, so that done is never called from in here. */
	arm(p->waiting, 0);
	return 0;
}

void pool_read_state(const struct pool *p, struct pool_state *ret)
{
	*ret = p->counts;
	ret->busy = count_state(p, SLOT_STATE_BUSY);
	ret->connections = ret->busy + count_state(p, SLOT_STATE_IDLE);
}

static int add_timer(struct pool *p, sd_event_source **ret, sd_event_time_handler_t on_timer,
		     void *userdata)
{
	int r = sd_event_add_time_relative(p->event, ret, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US,
					   on_timer, userdata);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int set_up(struct pool *p, const struct pool_config *c)
{
	int r = add_timer(p, &p->retry, on_retry, p);

	if (r >= 0)
		r = add_timer(p, &p->waiting, on_waiting, p);
	for (unsigned i = 0; r >= 0 && i < p->connections_max; i++) {
		p->slots[i].pool = p;
		r = add_timer(p, &p->slots[i].timer, on_slot_timer, &p->slots[i]);
	}
	if (r < 0)
		return r;
	str_append(p->port, sizeof(p->port), "%u", c->port);
	str_append(p->options, sizeof(p->options), "-c statement_timeout=%u",
		   c->query_timeout_ms * STATEMENT_PCT / 100);
	r = str_copy(p->host, sizeof(p->host), c->host);
	r = r < 0 ? r : str_copy(p->name, sizeof(p->name), c->name);
	r = r < 0 ? r : str_copy(p->user, sizeof(p->user), c->user);
	return r < 0 ? r : str_copy(p->password, sizeof(p->password), c->password);
}

DEFINE_CLEANUP(struct pool *, pool_free);

int pool_new(sd_event *event, const struct pool_config *config, struct pool **ret,
	     struct err *reterr)
{
	_cleanup_(pool_freep) struct pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(reterr, -ENOMEM, "open pool: Out of memory");
	p->event = sd_event_ref(event);
	p->queue_end = &p->queue;
	p->connections_max = config->connections_max < POOL_CONNECTIONS_MAX ?
				     config->connections_max :
				     POOL_CONNECTIONS_MAX;
	p->connect_ns = config->connect_timeout_ms * NS_PER_MS;
	p->wait_ns = config->wait_timeout_ms * NS_PER_MS;
	p->query_ns = config->query_timeout_ms * NS_PER_MS;
	p->backoff_ns = BACKOFF_MIN_NS;
	r = set_up(p, config);
	if (r < 0)
		return err_set(reterr, r, "open pool of database '%s': %s", config->name,
			       strerror(-r));
	*ret = TAKE_PTR(p);
	return 0;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	p->is_closing = true;
	fail_queue(p, -ECANCELED, "the service stops");
	for (unsigned i = 0; i < p->connections_max; i++) {
		struct slot *s = &p->slots[i];

		if (!s->pool)
			continue;
		slot_fail(s, -ECANCELED, "the service stops");
		s->timer = sd_event_source_disable_unref(s->timer);
	}
	p->retry = sd_event_source_disable_unref(p->retry);
	p->waiting = sd_event_source_disable_unref(p->waiting);
	p->event = sd_event_unref(p->event);
	explicit_bzero(p->password, sizeof(p->password));
	free(p);
	return NULL;
}
