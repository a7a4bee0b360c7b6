/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "sys/watch.h"

#define RECORDS_PER_TURN  32 /* handed to the recorder in one turn of the loop */
#define COMMANDS_PER_TURN 128

void agent_take_sample(void *userdata, const struct sample *s)
{
	struct agent *a = userdata;
	uint64_t wall_us = clock_wall_us();

	rollup_add(&a->rollups, s, wall_us);
	engine_sample(a->engine, s, wall_us);
}

static void inspected(struct agent *a, uint64_t id, int r, const char *text)
{
	struct inspect_done done = { .id = id, .r = r };

	if (!inspections_end(&a->inspections, id))
		return;
	(void)str_copy(done.text, sizeof(done.text), text);
	engine_inspected(a->engine, &done, clock_boot_ns(), clock_wall_us());
}

static void take_item(struct agent *a, const struct inspect_item *item)
{
	if (inspections_take_item(&a->inspections, item->id))
		engine_evidence(a->engine, item, clock_boot_ns(), clock_wall_us());
}

static void on_item(void *userdata, const struct inspector_request *rq,
		    const struct evidence *evidence)
{
	const struct inspect_item item = { .id = rq->id, .evidence = *evidence };

	take_item(userdata, &item);
}

static void on_done(void *userdata, const struct inspector_request *rq, int r,
		    const struct err *err)
{
	inspected(userdata, rq->id, r, r < 0 && err ? err_text(err) : "");
}

static const struct inspector_ops *find_inspector(const char *name)
{
	for (size_t i = 0; inspector_registry[i]; i++)
		if (str_equal(inspector_registry[i]->name, name))
			return inspector_registry[i];
	return NULL;
}

static int ask_recorder(struct agent *a, const struct inspect *inspect, struct err *reterr)
{
	struct frame f;
	int r;

	frame_init(&f, FRAME_INSPECT);
	f.inspect = *inspect;
	r = peer_send(a->recorder, &f);
	return r < 0 ? err_set(reterr, r, "ask the recorder for '%s': %s", inspect->inspector,
			       strerror(-r)) :
		       0;
}

static void collect(struct agent *a, const struct inspect *inspect)
{
	const struct inspector_ops *ops = find_inspector(inspect->inspector);
	const struct inspector_request rq = { .id = inspect->id,
					      .entity = inspect->entity,
					      .since_ns = inspect->since_ns };
	struct err err = { 0 };
	int r = inspections_begin(&a->inspections, inspect->id, ops != NULL, clock_boot_ns());

	if (r < 0) {
		struct inspect_done done = { .id = inspect->id, .r = r };

		(void)str_copy(done.text, sizeof(done.text), "inspect: too many under way");
		engine_inspected(a->engine, &done, clock_boot_ns(), clock_wall_us());
		return;
	}
	a->inspector_context.bus = a->watch->bus;
	r = ops ? ops->collect(&a->inspector_context, &rq, &err) : ask_recorder(a, inspect, &err);
	if (r < 0)
		inspected(a, inspect->id, r, err_text(&err));
}

static int send_command(struct agent *a, const struct command *c)
{
	struct frame f;

	switch (c->kind) {
	case COMMAND_PROPOSE:
		frame_init(&f, FRAME_PROPOSE);
		f.proposal = c->proposal;
		break;
	case COMMAND_REVERT:
		frame_init(&f, FRAME_REVERT);
		f.revert = c->revert;
		break;
	case COMMAND_QUERY:
		frame_init(&f, FRAME_QUERY);
		f.query = c->query;
		break;
	case COMMAND_EMIT:
	case COMMAND_COLLECT:
		return -EINVAL;
	}
	return peer_send(a->executor, &f);
}

/* What the executor, being away, did not get is sent when it is back; each is known by its key, and a
 * proposal carries its own deadline. When there are too many the engine asks again by itself. */
static void command_executor(struct agent *a, const struct command *c)
{
	if (send_command(a, c) < 0 && a->n_unsent < AGENT_UNSENT_MAX)
		a->unsent[a->n_unsent++] = *c;
}

static void emit(struct agent *a, const struct record *record)
{
	ring_add(&a->ring, record);
	a->state_is_dirty = true;
	if (record->kind == RECORD_KIND_NARRATIVE)
		agent_tell(a, record);
}

static void run_command(struct agent *a, const struct command *c)
{
	switch (c->kind) {
	case COMMAND_EMIT:
		emit(a, &c->record);
		break;
	case COMMAND_COLLECT:
		collect(a, &c->inspect);
		break;
	case COMMAND_PROPOSE:
	case COMMAND_REVERT:
	case COMMAND_QUERY:
		command_executor(a, c);
		break;
	}
}

/* Returns true if there is more to send and room for it. */
static bool send_records(struct agent *a)
{
	const struct record *record;
	struct frame f;

	for (unsigned i = 0; i < RECORDS_PER_TURN; i++) {
		record = peer_is_up(a->recorder) ? ring_next_unsent(&a->ring) : NULL;
		if (!record)
			return false;
		frame_init(&f, FRAME_RECORD);
		f.record = *record;
		if (peer_send(a->recorder, &f) < 0)
			return false;
		ring_sent(&a->ring);
	}
	return true;
}

static void send_batch(void *userdata, const struct rollups *batch)
{
	struct agent *a = userdata;
	struct frame f;

	frame_init(&f, FRAME_ROLLUP);
	f.rollups = *batch;
	/* A gap in the metrics is what the history shows while the recorder is away. */
	(void)peer_send(a->recorder, &f);
}

void agent_send_rollups(struct agent *a, uint64_t now_ns)
{
	if (now_ns < a->rollup_ns + ROLLUP_INTERVAL_NS)
		return;
	a->rollup_ns = now_ns;
	rollup_flush(&a->rollups, now_ns, send_batch, a);
}

static void expire_inspections(struct agent *a, uint64_t now_ns)
{
	uint64_t id;

	while ((id = inspections_expire(&a->inspections, now_ns))) {
		struct inspect_done done = { .id = id, .r = -ETIMEDOUT };

		(void)str_copy(done.text, sizeof(done.text), "inspect: no answer in time");
		engine_inspected(a->engine, &done, now_ns, clock_wall_us());
	}
}

static void arm_wake(struct agent *a, bool more)
{
	uint64_t engine_ns = engine_next_ns(a->engine);
	uint64_t next_ns = inspections_next_ns(&a->inspections);

	if (engine_ns < next_ns)
		next_ns = engine_ns;
	if (more)
		next_ns = 0;
	if (next_ns == CLOCK_NEVER_NS) {
		(void)sd_event_source_set_enabled(a->wake, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(a->wake, next_ns / NS_PER_US + 1);
	(void)sd_event_source_set_enabled(a->wake, SD_EVENT_ONESHOT);
}

void agent_pump(struct agent *a)
{
	struct command c;
	unsigned n = 0;
	bool more;

	agent_probes_follow(a);
	expire_inspections(a, clock_boot_ns());
	for (; n < COMMANDS_PER_TURN && engine_next_command(a->engine, &c); n++)
		run_command(a, &c);
	more = send_records(a) || n == COMMANDS_PER_TURN;
	agent_state_save(a);
	agent_tell_status(a);
	arm_wake(a, more);
}

/* A sample from the gateway, which talks to the network: it may say what its probes measured about our
 * endpoints, and nothing else. */
static bool is_gateway_sample(const struct agent *a, const struct sample *s)
{
	const struct endpoint *endpoint = NULL;

	return s->source == SOURCE_HTTP && s->entity.kind == ENTITY_KIND_ENDPOINT &&
	       strncmp(s->signal, "endpoint.", strlen("endpoint.")) == 0 && isfinite(s->value) &&
	       services_find_endpoint(&a->config.services, s->entity.name, &endpoint);
}

static void on_gateway_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct agent *a = userdata;
	struct sample s;
	uint64_t now_ns = clock_boot_ns();

	(void)p;
	if (f->type != FRAME_SAMPLE)
		return;
	if (!is_gateway_sample(a, &f->sample)) {
		a->n_refused_frames++;
		return;
	}
	s = f->sample;
	s.provenance = PROVENANCE_PROBE;
	if (s.t_ns > now_ns)
		s.t_ns = now_ns;
	agent_take_sample(a, &s);
}

static void on_recorder_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct agent *a = userdata;
	struct inspect_item item;

	(void)p;
	if (f->type != FRAME_INSPECT_DONE && f->type != FRAME_EVIDENCE)
		return;
	/* What our own inspectors were asked is not for the recorder to answer. */
	if (inspections_is_own(&a->inspections, f->type == FRAME_EVIDENCE ? f->inspect_item.id :
									    f->inspect_done.id)) {
		a->n_refused_frames++;
		return;
	}
	if (f->type == FRAME_INSPECT_DONE) {
		inspected(a, f->inspect_done.id, f->inspect_done.r, f->inspect_done.text);
		return;
	}
	/* The recorder reads logs and files that others write: it cannot speak for the kernel. */
	item = f->inspect_item;
	if (item.evidence.source != SOURCE_JOURNAL && item.evidence.source != SOURCE_FILES) {
		a->n_refused_frames++;
		return;
	}
	if (item.evidence.source == SOURCE_JOURNAL)
		item.evidence.provenance = PROVENANCE_UNTRUSTED;
	take_item(a, &item);
}

static void on_recorder_up(void *userdata, struct peer *p)
{
	struct agent *a = userdata;

	(void)p;
	ring_resend(&a->ring, PEER_QUEUE_MAX);
}

static void on_executor_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct agent *a = userdata;

	(void)p;
	if (f->type == FRAME_ATTEMPT)
		engine_attempt(a->engine, &f->attempt, clock_boot_ns(), clock_wall_us());
}

static void on_executor_up(void *userdata, struct peer *p)
{
	struct agent *a = userdata;

	(void)p;
	for (size_t i = 0; i < a->n_unsent; i++)
		(void)send_command(a, &a->unsent[i]);
	a->n_unsent = 0;
}

static int connect_to(struct agent *a, const char *name, const struct peer_handlers *handlers,
		      struct peer **ret, struct err *reterr)
{
	char path[108] = "";

	str_append(path, sizeof(path), "%s/%s.sock", a->runtime_dir, name);
	return peer_connect(a->event, path, "agent", handlers, a, ret, reterr);
}

int agent_wire(struct agent *a, struct err *reterr)
{
	static const struct peer_handlers executor = { .frame = on_executor_frame,
						       .up = on_executor_up };
	static const struct peer_handlers recorder = { .frame = on_recorder_frame,
						       .up = on_recorder_up };
	static const struct peer_handlers gateway = { .frame = on_gateway_frame };
	int r;

	a->probe_context = (struct probe_context){ .event = a->event,
						   .services = &a->config.services,
						   .root_fd = a->root_fd,
						   .watch = a->watch,
						   .emit = agent_take_sample,
						   .userdata = a };
	a->inspector_context = (struct inspector_context){ .event = a->event,
							   .services = &a->config.services,
							   .watch = a->watch,
							   .root_fd = a->root_fd,
							   .item = on_item,
							   .done = on_done,
							   .userdata = a };
	r = connect_to(a, "exec", &executor, &a->executor, reterr);
	if (r >= 0)
		r = connect_to(a, "record", &recorder, &a->recorder, reterr);
	if (r >= 0)
		r = connect_to(a, "gateway", &gateway, &a->gateway, reterr);
	return r;
}
