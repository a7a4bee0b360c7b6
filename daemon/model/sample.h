/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/lookup.h"
#include "model/entity.h"

/* Where a fact comes from, and so how far it may be trusted. Log text and names that others choose
 * are untrusted whoever delivers them. */
enum provenance {
	PROVENANCE_UNTRUSTED,
	PROVENANCE_PROBE,  /* our own active check */
	PROVENANCE_SYSTEM, /* systemd, trusted journal fields */
	PROVENANCE_KERNEL, /* BPF, PSI, cgroup, procfs */
	_PROVENANCE_MAX,
};
LOOKUP_DECLARE(provenance, enum provenance);

/* The mechanism behind a fact. Two items of evidence are independent when their sources differ. */
enum source {
	SOURCE_BPF,
	SOURCE_PSI,
	SOURCE_CGROUP,
	SOURCE_PROCFS,
	SOURCE_SYSTEMD,
	SOURCE_JOURNAL,
	SOURCE_HTTP,  /* our health probe, HTTP or TCP */
	SOURCE_FILES, /* mtimes and contents of configuration */
	_SOURCE_MAX,
};
LOOKUP_DECLARE(source, enum source);

#define SIGNAL_NAME_MAX 48

/* Name, unit and entity kind of every signal, declared by its probe. The unit is part of the name:
 * "unit.cpu_pressure_some_pct", "endpoint.latency_ms", "endpoint.up_bool". */
struct signal_spec {
	const char *name;
	enum entity_kind entity_kind;
	enum source source;
	enum provenance provenance;
	const char *help;
};

/* One measured value. */
struct sample {
	char signal[SIGNAL_NAME_MAX];
	struct entity entity;
	enum source source;
	enum provenance provenance;
	uint64_t t_ns; /* CLOCK_BOOTTIME */
	double value;
};

/* What the gateway's checks of endpoints emit, as a probe's table; ends with .name == NULL. */
extern const struct signal_spec endpoint_signals[];
