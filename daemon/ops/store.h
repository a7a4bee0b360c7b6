/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/message.h"
#include "model/record.h"

/* A store: where the history is kept. May block on its disk or database, so only the recorder has
 * one; everything is bounded by what the caller asks for. */

#define STORE_ROWS_MAX   500  /* of one query */
#define STORE_STEPS_MAX  2000 /* of steps(): some forty series of a screen's width */
#define STORE_CHAIN_MAX  64   /* parents of one record */
#define STORE_ENDING_MIN 4    /* characters of an id's ending: 20 bits */

/* Rollups are kept by three spans, each for longer than the one before: the 10 s that come in, and what
 * the store makes of them when nothing more is to come. */
enum store_span { STORE_SPAN_10S, STORE_SPAN_MINUTE, STORE_SPAN_HOUR, _STORE_SPAN_MAX };

/* A stored record: the columns that are asked for and the text of record_to_json(). */
struct store_row {
	uint64_t id, parent_id, incident_id, wall_us;
	const char *json; /* valid during the call */
};

struct store_query {
	uint64_t since_us;    /* changed at or after; 0: all */
	uint64_t until_us;    /* opened before; 0: all. The id of an incident is when it opened */
	const char *entity;   /* "unit:nginx.service"; NULL: all */
	const char *signal;   /* rollups only; of steps() with '*' for any characters */
	enum store_span span; /* steps() only */
	uint64_t step_us;     /* steps() only: a multiple of the span */
	int state;            /* enum incident_state; -1: all. Incidents only */
	uint32_t rows_max;    /* 1..STORE_ROWS_MAX */
};

struct store_keep {
	uint64_t records_since_us, rollups_since_us[_STORE_SPAN_MAX]; /* what is older goes */
	uint64_t complete_us; /* no rollup from before it is expected: longer spans may be made */
	uint64_t size_max_bytes; /* the oldest beyond it go too */
};

typedef void store_row_fn(void *userdata, const struct store_row *row);
typedef void store_rollup_fn(void *userdata, const struct rollup *rollup);

/* All functions return -EUCLEAN when they find the store damaged: close it, reset() and open it
 * again; -ENOSPC, -EIO, -EBUSY: nothing was changed, try again later. */
struct store_ops {
	const char *name;
	const char *summary;
	const char *source;

	int (*open)(const char *path, void **ret_state, struct err *reterr);
	void (*close)(void *state); /* accepts NULL */
	/* Puts a damaged store out of the way under another name, in place of the last such one. */
	int (*reset)(const char *path, struct err *reterr);

	/* Adds all or nothing. A record whose id is there already is left alone; a rollup of the same
	 * 10 s is merged. */
	int (*write)(void *state, const struct record *records, size_t n_records,
		     const struct rollup *rollups, size_t n_rollups, struct err *reterr);
	/* Makes the rollups of a longer span, and deletes a little of what need not be kept. Returns 1 if
	 * there is more to do, 0, -errno. */
	int (*expire)(void *state, const struct store_keep *keep, struct err *reterr);

	/* The last INCIDENT record of each incident, newest incident first. Returns rows, -errno. */
	int (*incidents)(void *state, const struct store_query *q, store_row_fn *row,
			 void *userdata, struct err *reterr);
	/* All records of one incident after the given record id (0: from the first), oldest first. */
	int (*incident)(void *state, uint64_t incident_id, uint64_t after_id, uint32_t rows_max,
			store_row_fn *row, void *userdata, struct err *reterr);
	/* The record and then its parents up to the root. Returns rows; 0: no such record. */
	int (*chain)(void *state, uint64_t id, store_row_fn *row, void *userdata,
		     struct err *reterr);
	/* Oldest first. */
	int (*rollups)(void *state, const struct store_query *q, store_rollup_fn *rollup,
		       void *userdata, struct err *reterr);
	/* Rollups put together by step_us, series after series, each oldest first; .last is not given. */
	int (*steps)(void *state, const struct store_query *q, store_rollup_fn *rollup,
		     void *userdata, struct err *reterr);
	/* The ids that end in these low bits (mask: at least STORE_ENDING_MIN characters), of records
	 * or of incidents. Returns how many were put into ret_ids (at most ids_max), newest first. */
	int (*find)(void *state, uint64_t ending, uint64_t mask, bool incidents, uint64_t *ret_ids,
		    size_t ids_max, struct err *reterr);
};

extern const struct store_ops store_sqlite;
