/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/yaml.h"
#include "model/alert.h"

/* "above: NUMBER", "below: NUMBER" or "above: service.slow_ms" in alerts and runbooks. */
struct bound {
	bool below;
	enum alert_bound kind;
	double number;
};

/* Returns 1 if read; 0 where the mapping has neither; -EINVAL for both, or no number. */
int bound_read(const struct yaml_doc *doc, const struct yaml_node *mapping, struct bound *ret,
	       struct err *reterr) _warn_unused_;
