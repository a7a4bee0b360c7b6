/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "sys/bpfload.h"
#include "sys/watch.h"

static void start_probe(struct agent *a, struct agent_probe *p)
{
	struct err err = { 0 };
	int r = p->ops->supported ? p->ops->supported(&a->probe_context, &err) : 0;

	if (r >= 0)
		r = p->ops->start(&a->probe_context, &p->state, &err);
	if (r >= 0)
		return;
	p->state = NULL;
	(void)str_copy(p->error, sizeof(p->error), err_text(&err));
	log_line(LOG_WARNING, "Probe %s does not run: %s", p->ops->name, p->error);
}

static void start_all(struct agent *a, bool privileged)
{
	for (size_t i = 0; i < a->n_probes; i++)
		if (a->probes[i].ops->privileged == privileged)
			start_probe(a, &a->probes[i]);
}

/* What cannot run here is said and left out: the rest works. */
void agent_probes_start(struct agent *a)
{
	for (size_t i = 0; probe_registry[i] && i < AGENT_PROBES_MAX; i++)
		a->probes[a->n_probes++] = (struct agent_probe){ .ops = probe_registry[i] };
	start_all(a, true);
	bpfload_done();
	start_all(a, false);
}

static void detach(struct agent_probe *p, double budget_pct)
{
	struct err err = { 0 };

	p->ops->stop(p->state);
	p->state = NULL;
	(void)err_set(
		&err, -EDQUOT,
		"detach probe '%s': it took %.1f %% of a CPU for a minute, over its budget of %.1f %%",
		p->ops->name, p->cost_pct, budget_pct);
	(void)str_copy(p->error, sizeof(p->error), err_text(&err));
	log_line(LOG_WARNING, "Probe %s does not run: %s", p->ops->name, p->error);
}

static void look_at_cost(struct agent_probe *p, uint64_t now_ns)
{
	double budget_pct = AGENT_PROBE_BUDGET_PCT * (double)bpfload_cpus();
	uint64_t cost_ns = p->ops->cost_ns(p->state);

	if (p->cost_t_ns)
		p->cost_pct = 100.0 * (double)(cost_ns - p->cost_ns) /
			      (double)(now_ns - p->cost_t_ns);
	p->cost_ns = cost_ns;
	p->cost_t_ns = now_ns;
	p->n_over_budget = p->cost_pct > budget_pct ? p->n_over_budget + 1 : 0;
	if (p->n_over_budget >= AGENT_PROBE_LOOKS_OVER)
		detach(p, budget_pct);
}

/* For the history and whoever scrapes; the engine needs to know nothing of it. */
static void remember_cost(struct agent *a, const struct agent_probe *p, uint64_t now_ns)
{
	struct sample s = { .source = SOURCE_BPF,
			    .provenance = PROVENANCE_KERNEL,
			    .t_ns = now_ns,
			    .value = p->cost_pct };

	str_append(s.signal, sizeof(s.signal), "probe.%s_cost_pct", p->ops->name);
	s.entity = entity_make(ENTITY_KIND_HOST, "");
	rollup_add(&a->rollups, &s, clock_wall_us());
}

void agent_probes_tick(struct agent *a, uint64_t now_ns)
{
	for (size_t i = 0; i < a->n_probes; i++) {
		struct agent_probe *p = &a->probes[i];

		if (!p->state || !p->ops->cost_ns || now_ns < p->cost_t_ns + AGENT_PROBE_LOOK_NS)
			continue;
		look_at_cost(p, now_ns);
		remember_cost(a, p, now_ns);
	}
	for (size_t i = 0; i < a->n_probes; i++)
		if (a->probes[i].state && a->probes[i].ops->tick)
			a->probes[i].ops->tick(a->probes[i].state, now_ns);
}

void agent_probes_follow(struct agent *a)
{
	if (a->n_changes_told == a->watch->n_changes)
		return;
	a->n_changes_told = a->watch->n_changes;
	for (size_t i = 0; i < a->n_probes; i++)
		if (a->probes[i].state && a->probes[i].ops->follow)
			a->probes[i].ops->follow(a->probes[i].state);
}

void agent_probes_reload(struct agent *a)
{
	for (size_t i = 0; i < a->n_probes; i++)
		if (a->probes[i].state && a->probes[i].ops->reload)
			a->probes[i].ops->reload(a->probes[i].state);
	a->n_changes_told = 0;
	/* What was opened for the old units is opened for the new ones now, not in a second. */
	agent_probes_tick(a, clock_boot_ns());
}

void agent_probes_stop(struct agent *a)
{
	for (size_t i = 0; i < a->n_probes; i++) {
		if (a->probes[i].state)
			a->probes[i].ops->stop(a->probes[i].state);
		a->probes[i].state = NULL;
	}
}
