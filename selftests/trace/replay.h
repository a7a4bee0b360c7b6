/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "engine/engine.h"

#define SERIES_MAX     48
#define SCRIPTS_MAX    48
#define PENDING_MAX    128
#define REACTIONS_MAX  16 /* lines that follow a proposal */
#define PHASES_MAX     8
#define PROPOSALS_MAX  32
#define NARRATIVES_MAX 128

/* A value that repeats. */
struct series {
	char signal[SIGNAL_NAME_MAX];
	struct entity entity;
	double value;
	uint64_t every_ns, due_ns;
};

/* What an inspector answers. */
struct script {
	struct entity entity;
	struct evidence evidence;
	bool silent;
	uint64_t delay_ns;
};

struct replay {
	struct services services;
	struct alerts alerts;
	struct runbooks runbooks;
	enum autonomy mode;
	uint64_t boot_grace_ns;
	struct engine *engine;
	uint64_t now_ns;
	const char *file;
	unsigned line, n_faults;
	bool verbose;

	struct series series[SERIES_MAX];
	struct script scripts[SCRIPTS_MAX];
	unsigned n_series, n_scripts;
	enum attempt_phase phases[PHASES_MAX], phase;
	unsigned n_phases;
	bool executor_is_away;
	char taken[STR_HEX128_MAX]; /* key of the last proposal the executor got */
	int error;
	char denied_by[64];
	char said[RECORD_TEXT_MAX]; /* of the last attempt */
	struct {
		uint64_t due_ns;
		struct command command;
	} pending[PENDING_MAX];
	unsigned n_pending;
	struct json_object *react; /* list of lines with "in_s", played after each proposal */
	uint64_t react_ns[REACTIONS_MAX]; /* when each is due, or 0 */

	/* what came out */
	struct incident incident;
	unsigned states, n_incidents, n_resolved, n_proposals, n_reverts, n_queries, n_narratives;
	char proposals[PROPOSALS_MAX][640], narratives[NARRATIVES_MAX][1024];
	struct proposal last;
};

int replay_run(struct replay *x, const char *path);
/* Compares what has come out so far with a line's expectations; complains to x->n_faults. */
void replay_expect(struct replay *x, struct json_object *o);
const char *replay_text(struct json_object *o, const char *key);
double replay_number(struct json_object *o, const char *key, double fallback);
void replay_complain(struct replay *x, const char *format, ...) _printf_(2, 3);
