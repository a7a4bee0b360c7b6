/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/wire.o daemon/agent/ring.o daemon/agent/rollup.o daemon/agent/inspections.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "sys/watch.h"

/* The engine, the peers and the other parts of the agent are played here. */
static struct {
	unsigned n_samples, n_items, n_done, n_attempts, n_follow;
	struct sample sample;
	struct inspect_item item;
	struct inspect_done done;
	struct command commands[4];
	unsigned n_commands, next_command;
	struct peer_handlers handlers[3];
	bool up[3];
	int send_r;
	unsigned n_sent;
	struct frame sent;
	int collect_r;
	bool collect_later;
} fake;

enum { EXECUTOR, RECORDER, GATEWAY };

static char peers[3]; /* their addresses stand for them */

static struct peer *peer_of(unsigned i)
{
	return (struct peer *)&peers[i];
}

int peer_connect(sd_event *event, const char *path, const char *process,
		 const struct peer_handlers *handlers, void *userdata, struct peer **ret,
		 struct err *reterr)
{
	unsigned i = strstr(path, "exec") ? EXECUTOR : strstr(path, "record") ? RECORDER : GATEWAY;

	(void)event;
	(void)userdata;
	(void)reterr;
	assert_string_equal(process, "agent");
	fake.handlers[i] = *handlers;
	*ret = peer_of(i);
	return 0;
}

int peer_send(struct peer *p, const struct frame *f)
{
	if (!fake.up[(char *)p - peers])
		return -ENOTCONN;
	if (fake.send_r < 0)
		return fake.send_r;
	fake.n_sent++;
	fake.sent = *f;
	return 0;
}

bool peer_is_up(const struct peer *p)
{
	return fake.up[(const char *)p - peers];
}

void engine_sample(struct engine *e, const struct sample *s, uint64_t wall_us)
{
	(void)e;
	(void)wall_us;
	fake.n_samples++;
	fake.sample = *s;
}

void engine_evidence(struct engine *e, const struct inspect_item *item, uint64_t now_ns,
		     uint64_t wall_us)
{
	(void)e;
	(void)now_ns;
	(void)wall_us;
	fake.n_items++;
	fake.item = *item;
}

void engine_inspected(struct engine *e, const struct inspect_done *done, uint64_t now_ns,
		      uint64_t wall_us)
{
	(void)e;
	(void)now_ns;
	(void)wall_us;
	fake.n_done++;
	fake.done = *done;
}

void engine_attempt(struct engine *e, const struct attempt_update *u, uint64_t now_ns,
		    uint64_t wall_us)
{
	(void)e;
	(void)u;
	(void)now_ns;
	(void)wall_us;
	fake.n_attempts++;
}

uint64_t engine_next_ns(const struct engine *e)
{
	(void)e;
	return CLOCK_NEVER_NS;
}

bool engine_next_command(struct engine *e, struct command *ret)
{
	(void)e;
	if (fake.next_command == fake.n_commands)
		return false;
	*ret = fake.commands[fake.next_command++];
	return true;
}

void agent_state_save(struct agent *a)
{
	a->state_is_dirty = false;
}

void agent_tell_status(struct agent *a)
{
	(void)a;
}

void agent_tell(const struct agent *a, const struct record *narrative)
{
	(void)a;
	(void)narrative;
}

void agent_probes_follow(struct agent *a)
{
	(void)a;
	fake.n_follow++;
}

/* An inspector of the agent's own that answers at once, or refuses. */
static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	const struct evidence e = { .inspector = "here", .source = SOURCE_CGROUP };

	if (fake.collect_r < 0)
		return err_set(reterr, fake.collect_r, "look: Blind");
	if (fake.collect_later)
		return 0;
	c->item(c->userdata, rq, &e);
	c->done(c->userdata, rq, 0, NULL);
	c->done(c->userdata, rq, 0, NULL); /* once too often */
	return 0;
}

static const struct inspector_ops inspector_here = { .name = "here", .collect = collect };
const struct inspector_ops *const inspector_registry[] = { &inspector_here, NULL };

static struct service service = { .name = "api",
				  .unit = "api.service",
				  .n_endpoints = 1,
				  .endpoints = { { .name = "api-health" } } };

static int setup(void **state)
{
	struct agent *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	memset(&fake, 0, sizeof(fake));
	a->runtime_dir = "/run/aiops";
	a->config.services = (struct services){ .n = 1, .v = &service };
	a->watch = calloc(1, sizeof(*a->watch));
	assert_non_null(a->watch);
	assert_true(sd_event_new(&a->event) >= 0);
	assert_true(sd_event_add_time(a->event, &a->wake, CLOCK_BOOTTIME, UINT64_MAX, 0, NULL,
				      NULL) >= 0);
	assert_int_equal(ring_init(&a->ring, NULL), 0);
	assert_int_equal(rollup_init(&a->rollups, NULL), 0);
	assert_int_equal(agent_wire(a, NULL), 0);
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct agent *a = *state;

	ring_done(&a->ring);
	rollup_done(&a->rollups);
	a->wake = sd_event_source_unref(a->wake);
	a->event = sd_event_unref(a->event);
	free(a->watch);
	free(a);
	return 0;
}

static void hear(struct agent *a, unsigned from, const struct frame *f)
{
	fake.handlers[from].frame(a, peer_of(from), f);
}

static void hear_sample(struct agent *a, const char *signal, enum entity_kind kind,
			const char *name, enum source source)
{
	struct frame f = { .type = FRAME_SAMPLE };

	f.sample.entity = entity_make(kind, name);
	f.sample.source = source;
	f.sample.provenance = PROVENANCE_KERNEL; /* whatever it claims */
	f.sample.t_ns = UINT64_MAX;
	(void)str_copy(f.sample.signal, sizeof(f.sample.signal), signal);
	hear(a, GATEWAY, &f);
}

static void the_gateway_speaks_for_our_endpoints_only(void **state)
{
	struct agent *a = *state;

	hear_sample(a, "endpoint.up_bool", ENTITY_KIND_ENDPOINT, "api-health", SOURCE_HTTP);
	assert_int_equal(fake.n_samples, 1);
	assert_int_equal(fake.sample.provenance, PROVENANCE_PROBE);
	assert_true(fake.sample.t_ns <= clock_boot_ns()); /* nor for the future */
	hear_sample(a, "unit.failed_bool", ENTITY_KIND_UNIT, "api.service", SOURCE_SYSTEMD);
	hear_sample(a, "unit.failed_bool", ENTITY_KIND_ENDPOINT, "api-health", SOURCE_HTTP);
	hear_sample(a, "endpoint.up_bool", ENTITY_KIND_ENDPOINT, "other", SOURCE_HTTP);
	hear_sample(a, "endpoint.up_bool", ENTITY_KIND_ENDPOINT, "api-health", SOURCE_PSI);
	assert_int_equal(fake.n_samples, 1);
	assert_int_equal(a->n_refused_frames, 4);
}

static void order_inspection(uint64_t id, const char *inspector)
{
	struct command *c = &fake.commands[fake.n_commands++];

	c->kind = COMMAND_COLLECT;
	c->inspect.id = id;
	(void)str_copy(c->inspect.inspector, sizeof(c->inspect.inspector), inspector);
	c->inspect.entity = entity_make(ENTITY_KIND_UNIT, "api.service");
}

static void hear_item(struct agent *a, uint64_t id, enum source source, enum provenance provenance)
{
	struct frame f = { .type = FRAME_EVIDENCE };

	f.inspect_item.id = id;
	f.inspect_item.evidence.source = source;
	f.inspect_item.evidence.provenance = provenance;
	hear(a, RECORDER, &f);
}

static void the_recorder_cannot_speak_for_the_kernel(void **state)
{
	struct agent *a = *state;

	fake.up[RECORDER] = true;
	order_inspection(9, "journal_tail");
	agent_pump(a);
	assert_int_equal(fake.sent.type, FRAME_INSPECT);
	hear_item(a, 9, SOURCE_BPF, PROVENANCE_KERNEL);
	assert_int_equal(fake.n_items, 0);
	assert_int_equal(a->n_refused_frames, 1);
	hear_item(a, 9, SOURCE_JOURNAL, PROVENANCE_KERNEL);
	assert_int_equal(fake.n_items, 1);
	assert_int_equal(fake.item.evidence.provenance, PROVENANCE_UNTRUSTED);
	hear_item(a, 10, SOURCE_FILES, PROVENANCE_SYSTEM); /* never asked */
	assert_int_equal(fake.n_items, 1);
}

static void the_recorder_answers_only_what_it_was_asked(void **state)
{
	struct agent *a = *state;
	struct frame done = { .type = FRAME_INSPECT_DONE };

	fake.up[RECORDER] = true;
	fake.collect_later = true;
	order_inspection(8, "here");
	order_inspection(9, "journal_tail");
	agent_pump(a);
	hear_item(a, 8, SOURCE_FILES, PROVENANCE_SYSTEM);
	assert_int_equal(fake.n_items, 0);
	assert_int_equal(a->n_refused_frames, 1);
	done.inspect_done.id = 8;
	hear(a, RECORDER, &done);
	assert_int_equal(fake.n_done, 0);
	assert_int_equal(a->n_refused_frames, 2);
	done.inspect_done.id = 9;
	hear(a, RECORDER, &done);
	assert_int_equal(fake.n_done, 1);
}

static void an_inspection_ends_once_however_often_it_says_so(void **state)
{
	struct agent *a = *state;

	order_inspection(5, "here");
	agent_pump(a);
	assert_int_equal(fake.n_items, 1);
	assert_int_equal(fake.item.id, 5);
	assert_int_equal(fake.n_done, 1);
	assert_int_equal(fake.done.r, 0);
}

static void blindness_is_told_with_its_reason(void **state)
{
	struct agent *a = *state;

	fake.collect_r = -EOPNOTSUPP;
	order_inspection(5, "here");
	order_inspection(6, "journal_tail"); /* and the recorder is away */
	agent_pump(a);
	assert_int_equal(fake.n_done, 2);
	assert_int_equal(fake.done.id, 6);
	assert_int_equal(fake.done.r, -ENOTCONN);
	assert_non_null(strstr(fake.done.text, "ask the recorder for 'journal_tail'"));
}

static void what_an_absent_executor_missed_is_sent_when_it_is_back(void **state)
{
	struct agent *a = *state;

	fake.commands[fake.n_commands++].kind = COMMAND_PROPOSE;
	fake.commands[fake.n_commands++].kind = COMMAND_QUERY;
	agent_pump(a);
	assert_int_equal(fake.n_sent, 0);
	fake.up[EXECUTOR] = true;
	fake.handlers[EXECUTOR].up(a, peer_of(EXECUTOR));
	assert_int_equal(fake.n_sent, 2);
	assert_int_equal(fake.sent.type, FRAME_QUERY);
	fake.handlers[EXECUTOR].up(a, peer_of(EXECUTOR));
	assert_int_equal(fake.n_sent, 2);
}

static void records_wait_for_the_recorder_and_are_sent_once(void **state)
{
	struct agent *a = *state;

	fake.commands[fake.n_commands].kind = COMMAND_EMIT;
	fake.commands[fake.n_commands++].record.id = 77;
	agent_pump(a);
	assert_int_equal(fake.n_sent, 0);
	assert_false(a->state_is_dirty); /* saved in the same turn */
	fake.up[RECORDER] = true;
	fake.handlers[RECORDER].up(a, peer_of(RECORDER));
	agent_pump(a);
	assert_int_equal(fake.n_sent, 1);
	assert_int_equal(fake.sent.record.id, 77);
	agent_pump(a);
	assert_int_equal(fake.n_sent, 1);
	/* It was away for a moment: what may have been lost goes again. */
	fake.handlers[RECORDER].up(a, peer_of(RECORDER));
	agent_pump(a);
	assert_int_equal(fake.n_sent, 2);
}

static void a_full_queue_loses_no_record(void **state)
{
	struct agent *a = *state;

	fake.up[RECORDER] = true;
	fake.send_r = -ENOBUFS;
	fake.commands[fake.n_commands].kind = COMMAND_EMIT;
	fake.commands[fake.n_commands++].record.id = 78;
	agent_pump(a);
	fake.send_r = 0;
	agent_pump(a);
	assert_int_equal(fake.sent.record.id, 78);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_gateway_speaks_for_our_endpoints_only),
		TEST(the_recorder_cannot_speak_for_the_kernel),
		TEST(the_recorder_answers_only_what_it_was_asked),
		TEST(an_inspection_ends_once_however_often_it_says_so),
		TEST(blindness_is_told_with_its_reason),
		TEST(what_an_absent_executor_missed_is_sent_when_it_is_back),
		TEST(records_wait_for_the_recorder_and_are_sent_once),
		TEST(a_full_queue_loses_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
