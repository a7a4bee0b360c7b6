/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/message_id.h"

#define FIELDS_MAX 9

struct fields {
	struct log_field v[FIELDS_MAX];
	size_t n;
};

static void add(struct fields *f, const char *name, const char *value)
{
	if (value && value[0] && f->n < FIELDS_MAX)
		f->v[f->n++] = (struct log_field){ name, value };
}

/* What the plan of the incident would do, or does. */
static const char *find_action(const struct agent *a, uint64_t incident_id)
{
	const struct record *r = ring_find_last(&a->ring, incident_id, RECORD_KIND_ATTEMPT);

	if (r)
		return r->attempt.action;
	r = ring_find_last(&a->ring, incident_id, RECORD_KIND_PLAN);
	return r ? r->plan.step.action : NULL;
}

static void add_incident(const struct agent *a, const struct record *incident, struct fields *f,
			 char documentation[static 600])
{
	const struct runbook *runbook = runbooks_find(&a->config.runbooks,
						      incident->incident.cause);

	add(f, "AIOPS_STATE", incident_state_to_string(incident->incident.state));
	add(f, "AIOPS_SEVERITY", severity_to_string(incident->incident.severity));
	if (!runbook)
		return;
	add(f, "AIOPS_RUNBOOK", runbook->id);
	str_append(documentation, 600, "file://%s%s", runbook->path[0] == '/' ? "" : "/",
		   runbook->path);
	add(f, "DOCUMENTATION", documentation);
}

void agent_tell(const struct agent *a, const struct record *narrative)
{
	const struct record *incident = ring_find_last(&a->ring, narrative->incident_id,
						       RECORD_KIND_INCIDENT);
	char id[RECORD_ID_MAX] = "", documentation[600] = "";
	struct fields f = { .n = 0 };

	add(&f, "MESSAGE_ID", narrative->narrative.message_id);
	if (narrative->incident_id)
		add(&f, "AIOPS_INCIDENT", record_id_format(narrative->incident_id, id));
	if (narrative->entity.kind == ENTITY_KIND_UNIT)
		add(&f, "OBJECT_SYSTEMD_UNIT", narrative->entity.name);
	if (incident)
		add_incident(a, incident, &f, documentation);
	if (narrative->incident_id)
		add(&f, "AIOPS_ACTION", find_action(a, narrative->incident_id));
	log_fields(narrative->narrative.priority, narrative->narrative.text, f.v, f.n);
}

/* systemctl status shows this line. */
void agent_tell_status(struct agent *a)
{
	const struct engine_stats *s = engine_stats(a->engine);
	char text[sizeof(a->status)] = "";

	if (s->open == 0)
		str_append(text, sizeof(text), "All well, %u service%s managed",
			   a->config.services.n, a->config.services.n == 1 ? "" : "s");
	else
		str_append(text, sizeof(text), "%u open incident%s", s->open,
			   s->open == 1 ? "" : "s");
	if (s->waiting)
		str_append(text, sizeof(text), ", %u awaiting approval", s->waiting);
	if (s->escalated)
		str_append(text, sizeof(text), ", %u for a person to look at", s->escalated);
	if (str_equal(text, a->status))
		return;
	(void)str_copy(a->status, sizeof(a->status), text);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

/* Once a minute at most, when the recorder has missed records for good. */
void agent_tell_lost(struct agent *a)
{
	const struct log_field id = { "MESSAGE_ID", MESSAGE_ID_RECORDS_LOST };
	uint64_t n = a->ring.n_lost - a->n_lost_told;
	char text[160] = "";

	if (n == 0)
		return;
	str_append(text, sizeof(text),
		   "%" PRIu64 " record%s did not reach the history: the recorder was away too long",
		   n, str_plural(n));
	a->n_lost_told = a->ring.n_lost;
	log_fields(LOG_WARNING, text, &id, 1);
}
