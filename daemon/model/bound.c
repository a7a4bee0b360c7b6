/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/bound.h"

#include <errno.h>

#include "base/str.h"

#define BOUND_NUMBER_MAX 1e15 /* larger than any byte count; far from where doubles lose integers */

int bound_read(const struct yaml_doc *doc, const struct yaml_node *mapping, struct bound *ret,
	       struct err *reterr)
{
	const struct yaml_node *above = yaml_find(mapping, "above");
	const struct yaml_node *below = yaml_find(mapping, "below");
	const struct yaml_node *n = above ? above : below;
	struct bound b = { .below = below != NULL };
	int r;

	if (!n)
		return 0;
	if (above && below)
		return yaml_error(doc, below, -EINVAL, reterr,
				  "'above' and 'below' exclude each other");
	if (n->kind == YAML_KIND_SCALAR && str_equal(n->value, "service.slow_ms")) {
		b.kind = ALERT_BOUND_SERVICE_SLOW_MS;
	} else {
		r = yaml_get_double(doc, mapping, n->key, -BOUND_NUMBER_MAX, BOUND_NUMBER_MAX,
				    &b.number, reterr);
		if (r < 0)
			return r;
	}
	*ret = b;
	return 1;
}
