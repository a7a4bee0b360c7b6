/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "model/sample.h"

/* Our signals as scrapers want them: base units, one family after another, labels that do not grow.
 * Source: OpenMetrics 1.0; Prometheus "Exposition formats" (text 0.0.4), "Metric and label naming". */

#define OPENMETRICS_NAME_MAX 96
#define OPENMETRICS_TYPE     "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OPENMETRICS_OLD_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_TYPE_GAUGE, METRIC_TYPE_COUNTER };

struct metric_family {
	char name[OPENMETRICS_NAME_MAX]; /* a counter's without "_total" */
	enum metric_type type;
	const char *unit; /* that the name ends with; "": none */
	double scale;     /* of a value, to the base unit */
};

/* Does the scraper ask for OpenMetrics, not for the older text? accept: the header, or NULL. */
bool openmetrics_is_asked_for(const char *accept);

/* The family of a signal: that of node_exporter where it is the same number, else "aiops_...".
 * Returns 0; -ENOENT: not exported, as an event is no number that stays. */
int openmetrics_family(const char *signal, struct metric_family *ret) _warn_unused_;

/* The label that says which entity. Returns NULL for the host, which has none, with *ret_exported; not
 * exported are those that come and go without end: processes and sessions. */
const char *openmetrics_label(enum entity_kind kind, bool *ret_exported);

/* modern: OpenMetrics. */
void openmetrics_head(FILE *f, bool modern, const struct metric_family *m, const char *help);
/* label NULL: none. value is scaled here. */
void openmetrics_sample(FILE *f, const struct metric_family *m, const char *label,
			const char *label_value, double value);
void openmetrics_end(FILE *f, bool modern);
