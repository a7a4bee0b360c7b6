/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "ops/inspector.h"
#include "sys/unitbus.h"
#include "sys/watch.h"

#define FACT(n, h)                                                        \
	{                                                                 \
		n, ENTITY_KIND_UNIT, SOURCE_SYSTEMD, PROVENANCE_SYSTEM, h \
	}

static const struct signal_spec facts[] = {
	FACT("unit.load_state", "loaded, not-found, masked, ..."),
	FACT("unit.active_state", "active, inactive, failed, activating, ..."),
	FACT("unit.sub_state", "running, dead, auto-restart, ..."),
	FACT("unit.result", "how it last ended: success, signal, exit-code, oom-kill, ..."),
	FACT("unit.exit_code", "exit code of its main process, 0 if it was killed"),
	FACT("unit.exit_signal", "signal that ended its main process, 0 if none"),
	FACT("unit.restart_policy", "its own Restart="),
	FACT("unit.restarts_count", "automatic restarts since it was started"),
	FACT("unit.unit_file_state", "enabled, disabled, masked, ..."),
	FACT("unit.freezer_state", "running, or frozen by an administrator"),
	FACT("unit.job_pending", "yes while systemd has a job for it"),
	FACT("unit.since_ms", "how long it has been in this state"),
	FACT("unit.stopped_by",
	     "admin, or itself if its main process ended well unasked; empty: neither"),
	{ .name = NULL },
};

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
};

/* systemd stamps CLOCK_MONOTONIC, which is also what the age is counted by. */
static double age_ms(uint64_t since_mono_us)
{
	struct timespec now = { 0 };
	double now_us;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (double)now.tv_sec * (double)US_PER_S + (double)now.tv_nsec / (double)NS_PER_US;
	return since_mono_us && now_us > (double)since_mono_us ?
		       (now_us - (double)since_mono_us) / 1000 :
		       0;
}

static void add_exit(struct evidence *e, const struct unit_status *s)
{
	bool by_signal = s->exit_code == CLD_KILLED || s->exit_code == CLD_DUMPED;

	(void)evidence_add_number(e, "unit.exit_code", by_signal ? 0 : s->exit_status);
	(void)evidence_add_number(e, "unit.exit_signal", by_signal ? s->exit_status : 0);
	if (by_signal)
		str_append(e->text, sizeof(e->text), ", main process killed by signal %d (%s)",
			   s->exit_status, sigabbrev_np(s->exit_status) ?: "?");
	else if (s->exit_status)
		str_append(e->text, sizeof(e->text), ", main process exited with code %d",
			   s->exit_status);
}

static void fill(struct evidence *e, const struct watch_unit *watched, const char *unit,
		 const struct unit_status *s)
{
	uint64_t unasked_us = watched ? watched->unasked_exit_mono_us : 0;

	str_append(e->text, sizeof(e->text), "systemd: '%s' is %s (%s), result '%s'", unit,
		   s->active_state, s->sub_state, s->result);
	(void)evidence_add_text(e, "unit.load_state", s->load_state);
	(void)evidence_add_text(e, "unit.active_state", s->active_state);
	(void)evidence_add_text(e, "unit.sub_state", s->sub_state);
	(void)evidence_add_text(e, "unit.result", s->result);
	add_exit(e, s);
	(void)evidence_add_text(e, "unit.restart_policy", s->restart);
	(void)evidence_add_number(e, "unit.restarts_count", s->n_restarts);
	(void)evidence_add_text(e, "unit.unit_file_state", s->unit_file_state);
	(void)evidence_add_text(e, "unit.freezer_state", s->freezer_state);
	(void)evidence_add_text(e, "unit.job_pending", s->job_id ? "yes" : "no");
	(void)evidence_add_number(e, "unit.since_ms", age_ms(s->state_change_mono_us));
	(void)evidence_add_text(e, "unit.stopped_by",
				unit_status_has_ended_itself(s, unasked_us)    ? "itself" :
				unit_status_is_stopped_by_admin(s, unasked_us) ? "admin" :
										 "");
	if (s->job_id)
		str_append(e->text, sizeof(e->text), ", a job is pending");
}

static void on_answer(void *userdata, int r, const struct unit_status *status)
{
	struct job *job = userdata;
	struct evidence e = { .inspector = "unit_status",
			      .source = SOURCE_SYSTEMD,
			      .provenance = PROVENANCE_SYSTEM };
	struct err err = { 0 };

	if (r == 0) {
		fill(&e, job->c->watch ? watch_find(job->c->watch, job->rq.entity.name) : NULL,
		     job->rq.entity.name, status);
		job->c->item(job->c->userdata, &job->rq, &e);
	} else {
		(void)err_set(&err, r, "ask systemd about unit '%s': %s", job->rq.entity.name,
			      strerror(-r));
	}
	job->c->done(job->c->userdata, &job->rq, r, &err);
	free(job);
}

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	struct job *job = malloc(sizeof(*job));
	int r;

	if (!job)
		return err_set(reterr, -ENOMEM, "inspect unit '%s': %s", rq->entity.name,
			       strerror(ENOMEM));
	*job = (struct job){ .c = c, .rq = *rq };
	r = unitbus_query(c->bus, rq->entity.name, on_answer, job, reterr);
	if (r < 0)
		free(job);
	return r;
}

const struct inspector_ops inspector_unit_status = {
	.name = "unit_status",
	.summary = "what systemd says of a unit, and how it last ended",
	.source_text = "org.freedesktop.systemd1(5)",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = collect,
};
