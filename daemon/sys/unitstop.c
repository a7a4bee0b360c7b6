/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "sys/unitctl.h"

#define MANAGER_NAME   "org.freedesktop.systemd1"
#define UNIT_PATH      "/org/freedesktop/systemd1/unit"
#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"
#define DEPENDENTS_MAX 64 /* of one kind; beyond that nobody can say what a stop does */

/* Through these a stop spreads. Source: systemd.unit(5), table of inverse properties. */
static const char *const kinds[] = { "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf",
				     "PropagatesStopTo" };

static void strv_freep(char ***l)
{
	for (size_t i = 0; *l && (*l)[i]; i++)
		free((*l)[i]);
	free(*l);
}

static int check_dependent(void *bus, const char *unit, const char *dependent, struct err *reterr)
{
	struct unit_facts f;
	int r = unitctl_read(bus, dependent, &f, reterr);

	if (r < 0)
		return r;
	if (unit_facts_is_down(&f))
		return 0;
	return err_set(reterr, -EBUSY, "stop unit '%s': '%s' needs it and would go with it", unit,
		       dependent);
}

static int check_kind(void *bus, const char *unit, const char *kind, struct err *reterr)
{
	_cleanup_(strv_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	int r = sd_bus_path_encode(UNIT_PATH, unit, &path);

	if (r >= 0)
		r = sd_bus_get_property_strv(bus, MANAGER_NAME, path, UNIT_INTERFACE, kind, NULL,
					     &names);
	if (r < 0)
		return err_set(reterr, r, "read %s of unit '%s': %s", kind, unit, strerror(-r));
	r = 0;
	for (size_t i = 0; r == 0 && names && names[i]; i++)
		r = i < DEPENDENTS_MAX ?
			    check_dependent(bus, unit, names[i], reterr) :
			    err_set(reterr, -E2BIG, "stop unit '%s': too many units need it", unit);
	return r;
}

int unitctl_check_stops_alone(void *bus, const char *unit, struct err *reterr)
{
	int r = 0;

	if (!bus)
		return err_set(reterr, -ENOTCONN, "talk to systemd: it is not reached");
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(kinds); i++)
		r = check_kind(bus, unit, kinds[i], reterr);
	return r;
}
