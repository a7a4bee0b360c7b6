/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ops/inspector.h"
#include "sys/watch.h"

#define FACT(n, h)                                                    \
	{                                                             \
		n, ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec facts[] = {
	FACT("exit.signal", "signal that ended the process that died last"),
	FACT("exit.code", "its exit code"),
	FACT("exit.comm", "its name"),
	FACT("exit.deaths_count", "processes that died by a signal or with a code other than 0"),
	FACT("oom.kills_count", "processes that the OOM killer chose"),
	{ .name = NULL },
};

struct summary {
	const struct watch_exit *last;
	unsigned n_deaths, n_oom;
};

static struct summary summarise(const struct watch *w, const struct inspector_request *rq)
{
	struct summary s = { 0 };
	const struct watch_exit *x;

	for (uint32_t i = 0; (x = watch_recent_exit(w, i)); i++) {
		if (x->t_ns < rq->since_ns || !str_equal(x->unit, rq->entity.name))
			continue;
		if (x->is_oom) {
			s.n_oom++;
			continue;
		}
		s.n_deaths++;
		if (!s.last)
			s.last = x;
	}
	return s;
}

static void say_last(struct evidence *e, const struct watch_exit *x)
{
	(void)evidence_add_number(e, "exit.signal", x->signal);
	(void)evidence_add_number(e, "exit.code", x->code);
	(void)evidence_add_text(e, "exit.comm", x->comm);
	if (x->signal)
		str_append(e->text, sizeof(e->text),
			   "kernel: process %d was ended by signal %d (%s)", x->pid, x->signal,
			   sigabbrev_np(x->signal) ?: "?");
	else
		str_append(e->text, sizeof(e->text), "kernel: process %d ended with exit code %d",
			   x->pid, x->code);
}

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	struct evidence e = { .inspector = "unit_exits",
			      .source = SOURCE_BPF,
			      .provenance = PROVENANCE_KERNEL };
	struct summary s;

	if (!c->watch || !c->watch->has_exits)
		return err_set(reterr, -EOPNOTSUPP,
			       "look for deaths in unit '%s': the lifecycle probe is not running",
			       rq->entity.name);
	s = summarise(c->watch, rq);
	if (s.last)
		say_last(&e, s.last);
	else
		str_append(e.text, sizeof(e.text), "kernel: no process of it died badly");
	if (s.n_oom)
		str_append(e.text, sizeof(e.text), "; the OOM killer chose %u", s.n_oom);
	(void)evidence_add_number(&e, "exit.deaths_count", s.n_deaths);
	(void)evidence_add_number(&e, "oom.kills_count", s.n_oom);
	c->item(c->userdata, rq, &e);
	c->done(c->userdata, rq, 0, NULL);
	return 0;
}

const struct inspector_ops inspector_unit_exits = {
	.name = "unit_exits",
	.summary = "how processes of a unit died lately, as the kernel saw it",
	.source_text = "eBPF: sched_process_exit, mark_victim",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = collect,
};
