/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/str.h"
#include "model/service.h"

enum mark { MARK_NONE, MARK_DEPENDENT, MARK_PLACED };

/* Counts what s depends on, of those with this mark. */
static uint32_t count_depends(const struct services *all, const struct service *s,
			      const enum mark *marks, enum mark mark)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_depends; i++)
		for (uint32_t j = 0; j < all->n; j++)
			n += marks[j] == mark && str_equal(s->depends_on[i], all->v[j].name);
	return n;
}

/* Marks all that depend on what is marked. Cycles there are none: services_load() refuses them. */
static void mark_dependents(const struct services *all, enum mark *marks)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < all->n; i++) {
			if (marks[i] != MARK_NONE ||
			    count_depends(all, &all->v[i], marks, MARK_PLACED) +
					    count_depends(all, &all->v[i], marks, MARK_DEPENDENT) ==
				    0)
				continue;
			marks[i] = MARK_DEPENDENT;
			changed = true;
		}
	}
}

int services_find_dependents(const struct services *all, const struct service *s,
			     const struct service *v[], size_t max, struct err *reterr)
{
	enum mark marks[SERVICES_MAX] = { MARK_NONE };
	size_t n = 0;
	bool placed = true;

	for (uint32_t i = 0; i < all->n; i++)
		if (str_equal(all->v[i].name, s->name))
			marks[i] = MARK_PLACED;
	mark_dependents(all, marks);
	while (placed) {
		placed = false;
		for (uint32_t i = 0; i < all->n; i++) {
			if (marks[i] != MARK_DEPENDENT ||
			    count_depends(all, &all->v[i], marks, MARK_DEPENDENT) > 0)
				continue;
			if (n == max)
				return err_set(reterr, -E2BIG,
					       "more than %zu services depend on '%s'", max,
					       s->name);
			v[n++] = &all->v[i];
			marks[i] = MARK_PLACED;
			placed = true;
		}
	}
	return (int)n;
}
