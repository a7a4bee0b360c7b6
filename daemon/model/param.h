/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/lookup.h"

/* Typed, bounded parameters of actions, faults and inspectors. One parser validates what comes from
 * the command line, the API, a runbook or a frame; a plugin never parses. */

#define PARAM_NAME_MAX 32
#define PARAM_TEXT_MAX 256
#define PARAMS_MAX     8

enum param_type {
	PARAM_TYPE_INTEGER, /* int64, min..max */
	PARAM_TYPE_UNIT,    /* a systemd unit name (str_is_unit_name) */
	PARAM_TYPE_ENUM,    /* one of choices[] */
	PARAM_TYPE_SPAN,    /* "60s", stored as nanoseconds in .integer, min..max in nanoseconds */
	PARAM_TYPE_CONTAINER, /* a Docker container's name (str_is_container_name) */
	/* "PID:STARTTIME", a pid never alone; .integer is the pid. STARTTIME is field 22 of proc(5) stat,
	 * or for a database session its backend_start in microseconds since the epoch. */
	PARAM_TYPE_PROCESS,
	PARAM_TYPE_SERVICE, /* a name of services.d */
	/* A plain word (str_is_plain_name) that root-owned configuration or the host must know: a snapshot,
	 * a label, a digest; never a path. */
	PARAM_TYPE_NAME,
	_PARAM_TYPE_MAX,
};
LOOKUP_DECLARE(param_type, enum param_type);

struct param_spec {
	const char *name;
	enum param_type type;
	const char *unit; /* "ms", "pct", NULL */
	int64_t min, max;
	const char *default_text;   /* NULL: required */
	const char *const *choices; /* NULL-terminated, ENUM only */
	const char *help;
};

struct param {
	char name[PARAM_NAME_MAX];
	enum param_type type;
	int64_t integer;           /* INTEGER, SPAN; for ENUM the index in choices[] */
	char text[PARAM_TEXT_MAX]; /* canonical text of every type */
};

struct params {
	uint32_t n;
	struct param v[PARAMS_MAX];
};

/* One "name=value" pair as it comes in. */
struct param_text {
	const char *name, *value;
};

/* Validates texts[] against specs[] (ends with .name == NULL), fills defaults; order is that of specs.
 * Returns 0; -EINVAL naming the parameter, what came and what is allowed (unknown, repeated and
 * missing ones too). */
int params_parse(const struct param_spec *specs, const struct param_text *texts, size_t n_texts,
		 struct params *ret, struct err *reterr) _warn_unused_;

/* Re-validates params that came in a frame or file against specs. Returns 0; -EINVAL. */
int params_check(const struct param_spec *specs, const struct params *params,
		 struct err *reterr) _warn_unused_;

/* The parameter; asserts that it exists (params passed validation). */
const struct param *params_get(const struct params *params, const char *name);
int64_t params_integer(const struct params *params, const char *name);
const char *params_text(const struct params *params, const char *name);

/* A parameter of this name and type SPAN says how long a change is to last. */
#define PARAM_DURATION "duration"

/* That time in nanoseconds; 0: the change stays until somebody undoes it. */
uint64_t params_duration_ns(const struct params *params);

/* "unit=nginx.service quota_pct=20", canonical; what hashes and people see. Returns buf. */
char *params_format(const struct params *params, char *buf, size_t size);
