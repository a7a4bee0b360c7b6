/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "agent/inspections.h"
#include "agent/reader.h"
#include "agent/ring.h"
#include "agent/rollup.h"
#include "engine/engine.h"
#include "ipc/http.h"
#include "ipc/peer.h"
#include "ops/probe.h"

/* The parts of aiops-agent; main() is in daemon/agent.c. */

#define AGENT_PROBES_MAX 32
#define AGENT_UNSENT_MAX 8 /* commands kept for an executor that is away */
#define AGENT_TICK_NS    NS_PER_S
/* What one probe may take in the kernel: more than this share of each CPU at so many looks in a row, and it
 * is detached. Ours: a host nobody watches is better than one that is slow because it is watched; the
 * dearest here, run-queue latency, takes 3 % only at 200,000 switches a second of each CPU. */
#define AGENT_PROBE_BUDGET_PCT 3
#define AGENT_PROBE_LOOK_NS    (10 * NS_PER_S)
#define AGENT_PROBE_LOOKS_OVER 6
#define AGENT_BOOT_GRACE_NS    (30 * NS_PER_S) /* units are still being started */

struct agent_probe {
	const struct probe_ops *ops;
	void *state; /* NULL: not running */
	char error[ERR_TEXT_MAX];
	uint64_t cost_ns, cost_t_ns; /* at the last look at what it costs */
	double cost_pct;             /* of one CPU, between the last two looks */
	unsigned n_over_budget;      /* looks in a row that found too much */
};

struct agent_config {
	struct services services;
	struct alerts alerts;
	struct runbooks runbooks;
	struct silences silences;
};

/* How long one turn of the loop takes: nothing may block it. */
struct agent_stall {
	uint64_t turns, max_ns;
	uint64_t minute_start_ns, minute_max_ns, last_minute_max_ns;
};

struct agent {
	const char *root, *runtime_dir;
	int root_fd, state_fd; /* state_fd: directory of our own state, or -EBADF */
	uint64_t started_us;
	sd_event *event;
	sd_event_source *tick, *wake; /* each second; when the engine or an inspection is due */
	struct agent_config config;
	struct reader reader;
	int stage_fd;                    /* copies of its files, on a tmpfs */
	char config_error[ERR_TEXT_MAX]; /* of the last reload that was refused */

	struct watch *watch;
	struct probe_context probe_context;
	struct inspector_context inspector_context;
	struct agent_probe probes[AGENT_PROBES_MAX];
	size_t n_probes;
	uint64_t n_changes_told; /* of watch->n_changes */

	struct engine *engine;
	struct inspections inspections;
	struct ring ring;
	struct rollup_table rollups;
	uint64_t rollup_ns;
	struct peer *executor, *recorder, *gateway;
	struct command unsent[AGENT_UNSENT_MAX];
	size_t n_unsent;
	uint64_t n_refused_frames; /* from peers, with what they may not say */
	struct http_server *http;
	struct front *front;

	void *state_buf;
	bool state_is_dirty;
	uint64_t n_lost_told;
	char status[128];
	struct agent_stall stall;
};

/* agent.c: makes all parts, loads, starts the probes, gives up privileges; then agent_loop(). */
int agent_init(struct agent *a, struct err *reterr) _warn_unused_;
void agent_done(struct agent *a);

/* config.c */
int agent_config_load(int root_fd, struct agent_config *ret, struct err *reterr) _warn_unused_;
void agent_config_done(struct agent_config *c);
/* Has the files read; what they hold is taken if it is good, else the old one is kept and it is said why. */
void agent_reload(struct agent *a);
/* The reader's answer. */
void agent_reload_read(void *userdata, int r, const struct err *err);
/* The configuration as the engine takes it; borrows. */
struct engine_config agent_engine_config(const struct agent *a);
/* Has the units of services.d watched. Returns 0; -errno. */
int agent_watch_services(struct agent *a, struct err *reterr) _warn_unused_;

/* probes.c */
void agent_probes_start(struct agent *a);
void agent_probes_tick(struct agent *a, uint64_t now_ns);
void agent_probes_reload(struct agent *a);
/* Tells them when the cgroup of a unit is another. */
void agent_probes_follow(struct agent *a);
void agent_probes_stop(struct agent *a);

/* wire.c: between the engine and everybody else. */
int agent_wire(struct agent *a, struct err *reterr) _warn_unused_;
void agent_take_sample(void *userdata, const struct sample *s);
/* Carries out what the engine wants and arms the next wake-up; after each turn of the loop. */
void agent_pump(struct agent *a);
void agent_send_rollups(struct agent *a, uint64_t now_ns);

/* state.c: what outlives the agent, on a tmpfs. */
int agent_state_open(struct agent *a, struct err *reterr) _warn_unused_;
void agent_state_restore(struct agent *a);
void agent_state_save(struct agent *a);

/* tell.c: the journal and the service manager. */
void agent_tell(const struct agent *a, const struct record *narrative);
void agent_tell_status(struct agent *a);
void agent_tell_lost(struct agent *a);

/* api.c */
const struct http_endpoint *agent_endpoints(void);

/* loop.c: until SIGTERM or SIGINT. Returns 0; -errno of the event loop. */
int agent_loop_prepare(struct agent *a, struct err *reterr) _warn_unused_;
int agent_loop(struct agent *a, struct err *reterr) _warn_unused_;
