/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "sys/unitctl.h"

int unit_facts_check_idle(const struct unit_facts *f, const char *unit, struct err *reterr)
{
	if (str_equal(f->load_state, "masked"))
		return err_set(reterr, -EPERM, "check unit '%s': it is masked", unit);
	if (!str_equal(f->load_state, "loaded"))
		return err_set(reterr, -ENOENT, "check unit '%s': it is %s", unit,
			       f->load_state[0] ? f->load_state : "not loaded");
	if (!str_equal(f->id, unit))
		return err_set(reterr, -EPERM, "check unit '%s': it is another name of '%s'", unit,
			       f->id);
	if (f->job_id != 0)
		return err_set(reterr, -EBUSY, "check unit '%s': systemd is at work on it", unit);
	return 0;
}

int unit_facts_check(const struct unit_facts *f, const char *unit, struct err *reterr)
{
	int r = unit_facts_check_idle(f, unit, reterr);

	if (r < 0)
		return r;
	if (f->freezer_state[0] && !str_equal(f->freezer_state, "running"))
		return err_set(reterr, -EBUSY, "check unit '%s': an administrator froze it", unit);
	return 0;
}

int unitctl_check(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	struct unit_facts f;
	int r = unitctl_read(bus, unit, &f, reterr);

	if (r == 0)
		r = unit_facts_check(&f, unit, reterr);
	if (r == 0)
		*ret = f;
	return r;
}

int unit_facts_check_settled(const struct unit_facts *f, const char *unit, struct err *reterr)
{
	if (str_equal(f->active_state, "activating") || str_equal(f->active_state, "deactivating"))
		return err_set(reterr, -EBUSY, "check unit '%s': systemd has it in state %s (%s)",
			       unit, f->active_state, f->sub_state);
	return 0;
}

int unit_facts_check_start(const struct unit_facts *f, const char *unit, bool even_stopped,
			   struct err *reterr)
{
	int r = unit_facts_check_settled(f, unit, reterr);

	if (r == 0 && !even_stopped && unit_facts_is_at_rest(f))
		r = err_set(reterr, -EPERM, "start unit '%s': it was stopped in order", unit);
	return r;
}

int unitctl_read_invocation(void *bus, const char *unit, char ret[static STR_HEX128_MAX],
			    struct err *reterr)
{
	struct unit_facts f;
	int r = unitctl_read(bus, unit, &f, reterr);

	return r < 0 ? r : str_copy(ret, STR_HEX128_MAX, f.invocation_id);
}

int unitctl_verify_start(void *bus, const char *unit, const char *before, uint64_t deadline_ns,
			 struct err *reterr)
{
	struct unit_facts f;
	int r = unitctl_wait_idle(bus, unit, deadline_ns, reterr);

	if (r == 0)
		r = unitctl_read(bus, unit, &f, reterr);
	if (r < 0)
		return r;
	if (str_equal(f.invocation_id, before))
		return err_set(reterr, -ENOENT, "verify start of unit '%s': it was not started",
			       unit);
	/* A oneshot that ran to its good end has done what a start means. */
	if (!unit_facts_is_active(&f) && !unit_facts_is_at_rest(&f))
		return err_set(reterr, -EIO, "verify start of unit '%s': it is %s (%s)", unit,
			       f.active_state, f.result[0] ? f.result : f.sub_state);
	return 0;
}

/* Those in one state. Returns 1; 0: none; -ENOTUNIQ; -errno. */
static int find_in_state(void *bus, const char *const units[], const char *state,
			 char ret[static ENTITY_NAME_MAX], struct err *reterr)
{
	const char *found = NULL;

	for (size_t i = 0; units[i]; i++) {
		struct unit_facts f;
		int r = unitctl_read(bus, units[i], &f, reterr);

		if (r < 0)
			return r;
		/* Another name of one that is listed itself, or of one that is not. */
		if (!str_equal(f.id, units[i]) || !str_equal(f.active_state, state))
			continue;
		if (found)
			return err_set(reterr, -ENOTUNIQ, "find unit: '%s' and '%s' are both %s",
				       found, units[i], state);
		found = units[i];
	}
	return found ? str_copy(ret, ENTITY_NAME_MAX, found) < 0 ? -ENAMETOOLONG : 1 : 0;
}

int unitctl_find_one(void *bus, const char *const units[], char ret[static ENTITY_NAME_MAX],
		     struct err *reterr)
{
	int r = find_in_state(bus, units, "active", ret, reterr);

	if (r == 0)
		r = find_in_state(bus, units, "failed", ret, reterr);
	if (r == 0)
		r = err_set(reterr, -ENOENT, "find unit: none like '%s' is there", units[0]);
	return r < 0 ? r : 0;
}
