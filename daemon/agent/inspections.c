/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/inspections.h"

#include <errno.h>

static struct inspection *find(struct inspections *all, uint64_t id)
{
	for (unsigned i = 0; i < INSPECTIONS_MAX; i++)
		if (all->v[i].id == id)
			return &all->v[i];
	return NULL;
}

int inspections_begin(struct inspections *all, uint64_t id, bool is_own, uint64_t now_ns)
{
	struct inspection *i = find(all, 0);

	if (!i || id == 0)
		return -EBUSY;
	*i = (struct inspection){ .id = id,
				  .deadline_ns = now_ns + INSPECTION_DEADLINE_NS,
				  .is_own = is_own };
	return 0;
}

bool inspections_is_own(const struct inspections *all, uint64_t id)
{
	for (unsigned i = 0; id && i < INSPECTIONS_MAX; i++)
		if (all->v[i].id == id)
			return all->v[i].is_own;
	return false;
}

bool inspections_take_item(struct inspections *all, uint64_t id)
{
	struct inspection *i = id ? find(all, id) : NULL;

	return i && i->n_items++ < INSPECTOR_ITEMS_MAX;
}

bool inspections_end(struct inspections *all, uint64_t id)
{
	struct inspection *i = id ? find(all, id) : NULL;

	if (i)
		i->id = 0;
	return i != NULL;
}

uint64_t inspections_expire(struct inspections *all, uint64_t now_ns)
{
	for (unsigned i = 0; i < INSPECTIONS_MAX; i++) {
		uint64_t id = all->v[i].id;

		if (id && now_ns >= all->v[i].deadline_ns) {
			all->v[i].id = 0;
			return id;
		}
	}
	return 0;
}

uint64_t inspections_next_ns(const struct inspections *all)
{
	uint64_t next_ns = CLOCK_NEVER_NS;

	for (unsigned i = 0; i < INSPECTIONS_MAX; i++)
		if (all->v[i].id && all->v[i].deadline_ns < next_ns)
			next_ns = all->v[i].deadline_ns;
	return next_ns;
}
