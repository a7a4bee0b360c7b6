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
