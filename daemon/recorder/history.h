/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/store.h"

/* The history between the frames that come in and the store on the disk: batches, retention, and
 * what happens when the disk is full or the store is damaged. A full disk delays and then loses
 * telemetry, counted; it never stops the recorder. */

#define HISTORY_BATCH_NS       NS_PER_S /* a record is on the disk this late at most */
#define HISTORY_BATCH_MAX      256      /* records of one transaction */
#define HISTORY_RECORDS_MAX    1024     /* held back while the disk refuses: about 4 MB */
#define HISTORY_ROLLUPS_MAX    4096     /* about 1.6 MB */
#define HISTORY_RECORDS_DAYS   30
#define HISTORY_POINTS_DAYS    2 /* of 10 s each */
#define HISTORY_MINUTES_DAYS   14
#define HISTORY_HOURS_DAYS     400 /* the same week a year ago */
#define HISTORY_LATE_S         30  /* rollups come this late at most */
#define HISTORY_SIZE_MAX_BYTES (UINT64_C(512) << 20)
#define HISTORY_EXPIRE_NS      (60 * NS_PER_S)

struct history;

struct history_stats {
	uint64_t records, rollups;           /* written */
	uint64_t records_lost, rollups_lost; /* no room while the disk refused */
	uint32_t records_waiting, rollups_waiting;
	uint32_t resets;          /* damaged stores put aside */
	char error[ERR_TEXT_MAX]; /* why nothing is written now; "" when it is */
};

/* Never fails for the store's sake: what cannot be opened now is tried again. Returns 0; -ENOMEM. */
int history_new(const struct store_ops *ops, const char *path, struct history **ret,
		struct err *reterr) _warn_unused_;
/* Writes what waits. */
struct history *history_free(struct history *h);
DEFINE_CLEANUP(struct history *, history_free);

/* Returns whether a batch is full: history_flush() is due now, else within HISTORY_BATCH_NS. */
bool history_add_record(struct history *h, const struct record *record);
bool history_add_rollups(struct history *h, const struct rollups *rollups);

/* Writes what waits; errors are kept in the stats and logged when they begin and end. */
void history_flush(struct history *h);
bool history_is_waiting(const struct history *h);

/* Makes longer rollups and deletes a little of what is too old. Returns whether there is more to do. */
bool history_expire(struct history *h, uint64_t now_wall_us);

const struct history_stats *history_stats(struct history *h);

/* The store for queries, with everything written that came before. Returns 0; -EBUSY while it cannot
 * be used. */
int history_query(struct history *h, const struct store_ops **ret_ops, void **ret_state,
		  struct err *reterr) _warn_unused_;
/* To be told what a query returned: damage is acted on. Returns r. */
int history_queried(struct history *h, int r, const struct err *err);
