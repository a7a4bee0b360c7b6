/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "model/sample.h"
#include "model/service.h"

/* A probe: one continuous source of signals, inside the agent's event loop. Never blocks. */

struct watch;

struct probe_context {
	void *event;                     /* sd_event * */
	const struct services *services; /* managed; valid until the next reload() */
	int root_fd;                     /* "/" or a test's tree */
	struct watch *watch; /* sys/watch.h: what the agent's probes share; NULL elsewhere */
	/* Hands over one value. */
	void (*emit)(void *userdata, const struct sample *sample);
	void *userdata;
};

/* Hands over one value of the signal about the entity of this name. */
static inline void probe_emit(const struct probe_context *c, const struct signal_spec *spec,
			      const char *entity_name, uint64_t now_ns, double value)
{
	struct sample s = { .source = spec->source, .provenance = spec->provenance };

	s.entity.kind = spec->entity_kind;
	s.t_ns = now_ns;
	s.value = value;
	(void)str_copy(s.signal, sizeof(s.signal), spec->name);
	(void)str_copy(s.entity.name, sizeof(s.entity.name), entity_name);
	c->emit(c->userdata, &s);
}

struct probe_ops {
	const char *name;
	const char *summary;
	const char *source;
	const struct signal_spec *signals; /* ends with .name == NULL */
	bool optional;   /* the agent starts without it, and doctor says what is missing */
	bool privileged; /* loads BPF: before the capabilities and the kernel's BTF are gone */

	/* Returns 0 if it can run here; -EOPNOTSUPP with the cause (no BTF, PSI off, ...). */
	int (*supported)(const struct probe_context *c, struct err *reterr);
	/* *ret_state is the probe's own. Returns 0; -errno. */
	int (*start)(const struct probe_context *c, void **ret_state, struct err *reterr);
	/* Called each second by the agent; NULL for purely event driven ones. */
	void (*tick)(void *state, uint64_t now_ns);
	/* The managed services changed. May be NULL. */
	void (*reload)(void *state);
	/* The cgroup behind a managed unit came, went or is another. May be NULL. */
	void (*follow)(void *state);
	void (*stop)(void *state);
	/* Records the kernel dropped since start; NULL where none can be. */
	uint64_t (*dropped)(void *state);
	/* CPU time its programs have taken in the kernel since start; NULL where there are none, or where they
	 * run only for a reader. */
	uint64_t (*cost_ns)(void *state);
};

extern const struct probe_ops *const probe_registry[]; /* generated; ends with NULL */
