/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/servicectl.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "model/policy.h"
#include "sys/container.h"
#include "sys/endpoint.h"
#include "sys/unitctl.h"

/* ---- what it is ---- */

static int read_unit(const struct service_reach *reach, struct service_seen *s, struct err *reterr)
{
	struct unit_facts f = { 0 };
	int r = unitctl_read(reach->bus, s->entity.name, &f, reterr);

	if (r < 0)
		return r;
	s->is_up = unit_facts_is_active(&f);
	s->main_pid = s->is_up ? f.main_pid : 0;
	return str_copy(s->run, sizeof(s->run), f.invocation_id);
}

static int read_container(const struct service_reach *reach, struct service_seen *s,
			  struct err *reterr)
{
	struct container c;
	int r = container_open(reach->root_fd, s->entity.name, reach->deadline_ns, &c, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "read container '%s'", s->entity.name);
	s->is_up = c.facts.state == DOCKER_STATE_RUNNING;
	s->main_pid = s->is_up && c.facts.pid > 0 && c.facts.pid < INT32_MAX ?
			      (uint32_t)c.facts.pid :
			      0;
	str_append(s->run, sizeof(s->run), "%s@%s", c.facts.id, c.facts.started_at);
	return 0;
}

static int read_entity(const struct service_reach *reach, struct service_seen *s,
		       struct err *reterr)
{
	s->run[0] = '\0';
	return s->entity.kind == ENTITY_KIND_CONTAINER ? read_container(reach, s, reterr) :
							 read_unit(reach, s, reterr);
}

int servicectl_read(const struct service_reach *reach, const struct service *s,
		    struct service_seen *ret, struct err *reterr)
{
	struct service_seen seen = { .entity = service_entity(s) };
	int r;

	(void)str_copy(seen.service, sizeof(seen.service), s->name);
	r = read_entity(reach, &seen, reterr);
	if (r == 0)
		*ret = seen;
	return r;
}

/* ---- may it be touched ---- */

static int check_protected(const struct service_reach *reach, const struct entity *e,
			   struct err *reterr)
{
	struct policy policy = { 0 };
	int r = policy_load(reach->root_fd, &policy, reterr);

	if (r == 0 && policy_protects(&policy, e))
		r = err_set(reterr, -EPERM, "'%s' is protected", e->name);
	policy_done(&policy);
	return r;
}

static int check_unit(const struct service_reach *reach, const char *unit, bool by_person,
		      struct err *reterr)
{
	struct unit_facts f;
	int r = unitctl_check(reach->bus, unit, &f, reterr);

	if (r < 0)
		return r;
	if (f.refuse_manual_start || f.refuse_manual_stop)
		return err_set(reterr, -EPERM, "unit '%s' refuses manual start or stop", unit);
	return unit_facts_check_start(&f, unit, by_person, reterr);
}

static int check_container(const struct service_reach *reach, const char *name, bool by_person,
			   struct err *reterr)
{
	struct container c;
	int r = container_open(reach->root_fd, name, reach->deadline_ns, &c, reterr);

	if (r == 0)
		r = container_check_settled(&c.facts, reterr);
	if (r == 0 && !by_person)
		r = container_check_hands_off(&c, reterr);
	return r < 0 ? err_wrap(reterr, r, "check container '%s'", name) : 0;
}

int servicectl_check(const struct service_reach *reach, const struct service *s, bool by_person,
		     struct err *reterr)
{
	const struct entity e = service_entity(s);
	int r = check_protected(reach, &e, reterr);

	if (r < 0)
		return r;
	return e.kind == ENTITY_KIND_CONTAINER ? check_container(reach, e.name, by_person, reterr) :
						 check_unit(reach, e.name, by_person, reterr);
}

/* ---- doing it ---- */

static int do_unit(const struct service_reach *reach, enum service_verb verb, const char *unit,
		   struct err *reterr)
{
	static const char *const methods[] = {
		[SERVICE_VERB_START] = "StartUnit",
		[SERVICE_VERB_STOP] = "StopUnit",
		[SERVICE_VERB_RESTART] = "RestartUnit",
	};

	return unitctl_run_job(reach->bus, methods[verb], unit, reach->deadline_ns, reterr);
}

static int do_container(const struct service_reach *reach, enum service_verb verb,
			const struct service_seen *seen, struct err *reterr)
{
	static const enum docker_verb verbs[] = {
		[SERVICE_VERB_START] = DOCKER_VERB_START,
		[SERVICE_VERB_STOP] = DOCKER_VERB_STOP,
		[SERVICE_VERB_RESTART] = DOCKER_VERB_RESTART,
	};
	struct container c;
	char id[DOCKER_ID_MAX] = "";
	int r;

	memcpy(id, seen->run, DOCKER_ID_MAX - 1);
	r = container_open_id(reach->root_fd, id, reach->deadline_ns, &c, reterr);
	if (r == 0)
		r = docker_do(&c.docker, verbs[verb], id, NULL, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s container '%s'", docker_verb_to_string(verbs[verb]),
				seen->entity.name) :
		       0;
}

int servicectl_do(const struct service_reach *reach, enum service_verb verb,
		  const struct service_seen *seen, struct err *reterr)
{
	if (seen->entity.kind == ENTITY_KIND_CONTAINER)
		return do_container(reach, verb, seen, reterr);
	return do_unit(reach, verb, seen->entity.name, reterr);
}

int servicectl_verify_restart(const struct service_reach *reach, const struct service *s,
			      const struct service_seen *seen, uint64_t health_end_ns,
			      struct err *reterr)
{
	struct service_seen now = *seen;
	int r = read_entity(reach, &now, reterr);

	if (r < 0)
		return r;
	if (str_equal(now.run, seen->run))
		return err_set(reterr, -ENOENT, "'%s' was not started again", seen->entity.name);
	if (!now.is_up)
		return err_set(reterr, -EIO, "'%s' is down", seen->entity.name);
	return endpoint_wait(s, seen->good_endpoints | UINT32_C(1), health_end_ns, reterr);
}
