/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* What is on its way to the fleet's database: a directory of segments, one line a row, in lanes. The
 * recorder appends, aiops-shipper sends and removes; neither waits for the other. A line is a row of
 * COPY's text format with SPOOL_COLUMNS columns (PostgreSQL manual, "COPY", "Text Format").
 *
 * The shipper holds a lock (flock(2)) on the segment that it sends; the writer makes room by removing the
 * oldest segments that are not locked: telemetry first, then records, audit never. */

#define SPOOL_COLUMNS       10
#define SPOOL_SEGMENT_BYTES (1024 * 1024)
#define SPOOL_BYTES_MAX     (UINT64_C(256) << 20)
#define SPOOL_LINE_MAX      (32 * 1024)
#define SPOOL_NAME_MAX      40

enum spool_lane { SPOOL_AUDIT, SPOOL_RECORDS, SPOOL_TELEMETRY, _SPOOL_LANE_MAX };

struct spool;

struct spool_stats {
	uint64_t bytes;                    /* on the disk */
	uint64_t rows[_SPOOL_LANE_MAX];    /* appended */
	uint64_t dropped[_SPOOL_LANE_MAX]; /* removed to make room, or not written for lack of it */
};

/* Opens the directory for appending, which begins new segments. bytes_max: of all lanes. Returns 0;
 * -ENOENT: there is none, nothing is to be sent anywhere; -errno. */
int spool_open(const char *path, uint64_t bytes_max, struct spool **ret,
	       struct err *reterr) _warn_unused_;
struct spool *spool_close(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_close);

/* Puts one row into the buffer of its lane; texts[] has SPOOL_COLUMNS values, NULL for SQL's NULL. A row
 * over SPOOL_LINE_MAX is dropped, counted. */
void spool_add(struct spool *s, enum spool_lane lane, const char *const texts[SPOOL_COLUMNS]);
/* Writes what was added. Returns 0; -errno: what is not written is kept and tried again, telemetry beyond
 * SPOOL_SEGMENT_BYTES of it dropped, counted. */
int spool_flush(struct spool *s, struct err *reterr) _warn_unused_;
/* Is there what could not be written? */
bool spool_is_waiting(const struct spool *s, enum spool_lane lane);
const struct spool_stats *spool_stats(const struct spool *s);

/* ---- the other side ---- */

struct spool_segment {
	enum spool_lane lane;
	uint64_t number;
	uint64_t bytes;
	bool is_last; /* of its lane: may still grow */
};

/* "records-0000000000000001.seg". Returns buf. */
const char *spool_name(enum spool_lane lane, uint64_t number, char buf[static SPOOL_NAME_MAX]);
/* The same back. Returns 0; -EINVAL. */
int spool_parse_name(const char *name, enum spool_lane *ret_lane,
		     uint64_t *ret_number) _warn_unused_;

/* The segments, by lane and age. Returns how many (at most max, the oldest of all lanes); -errno. */
int spool_list(int dir_fd, struct spool_segment *ret, size_t max, struct err *reterr) _warn_unused_;

/* Length of the whole lines at the front of text that make rows (all columns, clean UTF-8, no NUL); what is
 * not one is skipped: *ret_skip is its length then and the result 0. Pure. */
size_t spool_rows(const char *text, size_t length, size_t *ret_rows, size_t *ret_skip);
