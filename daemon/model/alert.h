/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/confdir.h"
#include "base/yaml.h"
#include "model/record.h"

/* A file of alerts.d (NAME.yaml): what is wrong.
 *
 *   id: endpoint-slow
 *   summary: "{entity} answers slowly: {value} ms"
 *   severity: warning
 *   signal: endpoint.latency_ms
 *   rule: threshold
 *   above: service.slow_ms          # number, or service.slow_ms (the endpoint's own bound)
 *                                   # or below: NUMBER
 *   clear_below_ratio: 0.8          # hysteresis: clears under above x this
 *                                   # (with below: clear_above_ratio, 1 or more)
 *   over: 1h                        # the time that rate, absence, burn_rate, forecast, burst look at
 *   for: 3                          # M of the last N samples
 *   of: 5
 *   clear_for: 5                    # good samples in a row that clear it, default of
 *   managed_only: true
 *   reason: why this number
 *   source: where it comes from
 */

#define ALERTS_MAX       128
#define ALERT_WINDOW_MAX 64

enum alert_bound { ALERT_BOUND_NUMBER, ALERT_BOUND_SERVICE_SLOW_MS };

struct alert {
	char id[RULE_NAME_MAX];
	char summary[160];
	enum severity severity;
	char signal[SIGNAL_NAME_MAX];
	char rule[RULE_NAME_MAX]; /* name of a rule in daemon/rules */
	enum alert_bound bound;
	uint32_t below; /* boolean: fires under the bound instead of over it */
	double threshold;
	double clear_ratio;    /* hysteresis factor on the bound, default 1 */
	uint32_t m, n;         /* m of n samples; 1 <= m <= n <= ALERT_WINDOW_MAX */
	uint32_t clear_n;      /* consecutive good samples to clear, default n */
	uint32_t managed_only; /* boolean, default true */
	/* Which of these a rule wants is in alert_keys.c; 0 where it wants none. */
	uint64_t over_ns;   /* rate, absence, burn_rate, forecast, burst: the time they look at */
	uint64_t within_ns; /* forecast: fires when the bound is nearer */
	double from;        /* forecast: not before the value has come so far */
	double objective;   /* burn_rate: share of time that must be good */
	double burn;        /* burn_rate: times the budget's even use */
	double factor;      /* burst: times its own median */
	double z;           /* anomaly: robust standard deviations */
	char reason[512];
	char source[160];
};

struct alerts {
	uint32_t n;
	struct alert *v;
};

/* Parses one file. Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN. */
int alert_parse(const char *file_name, const char *text, size_t length, struct alert *ret,
		struct err *reterr) _warn_unused_;

/* Checks that each key goes with the alert's rule, and fills in what the rule takes by default. A rule this
 * does not know may have any. Returns 0; -EINVAL with the place. */
int alert_check_keys(const struct yaml_doc *doc, struct alert *a, struct err *reterr) _warn_unused_;

extern const struct confdir_kind alert_files;

/* Loads alerts.d below root_fd. The id is the file's name. Returns 0; -EINVAL, -EBADMSG with
 * FILE:LINE:COLUMN; -E2BIG. */
int alerts_load(int root_fd, struct alerts *ret, struct err *reterr) _warn_unused_;
void alerts_done(struct alerts *a);
const struct alert *alerts_find(const struct alerts *a, const char *id);

/* Checks that the alert's signal and rule exist. signals ends with .name == NULL, rules with NULL;
 * a NULL table is not checked against. Returns 0; -EINVAL naming the alert and what is not there. */
int alert_lint(const struct alert *a, const struct signal_spec *signals, const char *const rules[],
	       struct err *reterr) _warn_unused_;
