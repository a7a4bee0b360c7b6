/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/message_id.h"

#define PATH_SIZE 4096
#define DAY_US    (UINT64_C(86400) * US_PER_S)

struct history {
	const struct store_ops *ops;
	void *state; /* NULL: not open */
	char path[PATH_SIZE];
	size_t n_records, n_rollups;
	uint64_t lost_before; /* as told in the journal last */
	struct history_stats stats;
	struct record records[HISTORY_RECORDS_MAX]; /* pages that are never used cost nothing */
	struct rollup rollups[HISTORY_ROLLUPS_MAX];
};

static void log_id(int priority, const char *message_id, const char *text)
{
	const struct log_field fields[] = { { "MESSAGE_ID", message_id } };

	log_fields(priority, text, fields, ELEMENTSOF(fields));
}

/* Tells once that it went wrong. */
static void note_failure(struct history *h, const struct err *err)
{
	if (!h->stats.error[0])
		log_line(LOG_ERR, "write history: %s; kept in memory and tried again",
			 err_text(err));
	(void)str_copy(h->stats.error, sizeof(h->stats.error), err_text(err));
}

/* Tells once that it goes on, and what was lost meanwhile. */
static void note_success(struct history *h)
{
	uint64_t lost = h->stats.records_lost + h->stats.rollups_lost;
	char text[160] = "";

	if (!h->stats.error[0])
		return;
	h->stats.error[0] = '\0';
	if (lost == h->lost_before) {
		log_line(LOG_NOTICE, "write history: goes on, nothing was lost");
		return;
	}
	str_append(text, sizeof(text),
		   "write history: goes on, %" PRIu64 " record%s or rollup%s lost",
		   lost - h->lost_before, str_plural(lost - h->lost_before),
		   lost - h->lost_before == 1 ? " was" : "s were");
	log_id(LOG_WARNING, MESSAGE_ID_RECORDS_LOST, text);
	h->lost_before = lost;
}

static void close_store(struct history *h)
{
	if (h->state)
		h->ops->close(h->state);
	h->state = NULL;
}

/* A damaged history is of no use and must be in nobody's way; it is kept for who wants to look. */
static int reset_store(struct history *h, const struct err *cause, struct err *reterr)
{
	char text[ERR_TEXT_MAX + 160] = "";
	int r;

	close_store(h);
	str_append(text, sizeof(text),
		   "history is damaged: %s; kept as '%s.damaged', a new one begins",
		   err_text(cause), h->path);
	log_id(LOG_CRIT, MESSAGE_ID_HISTORY_DAMAGED, text);
	h->stats.resets++;
	r = h->ops->reset(h->path, reterr);
	return r < 0 ? r : h->ops->open(h->path, &h->state, reterr);
}

static int open_store(struct history *h, struct err *reterr)
{
	struct err cause = { 0 };
	int r;

	if (h->state)
		return 0;
	r = h->ops->open(h->path, &h->state, &cause);
	if (r == -EUCLEAN)
		return reset_store(h, &cause, reterr);
	return r < 0 ? err_set(reterr, r, "%s", err_text(&cause)) : 0;
}

int history_new(const struct store_ops *ops, const char *path, struct history **ret,
		struct err *reterr)
{
	_cleanup_(history_freep) struct history *h = calloc(1, sizeof(*h));
	struct err err = { 0 };

	if (!h)
		return err_set(reterr, -ENOMEM, "open history: Out of memory");
	h->ops = ops;
	if (str_copy(h->path, sizeof(h->path), path) < 0)
		return err_set(reterr, -ENAMETOOLONG, "open history: the path is too long");
	if (open_store(h, &err) < 0)
		note_failure(h, &err);
	*ret = TAKE_PTR(h);
	return 0;
}

struct history *history_free(struct history *h)
{
	if (!h)
		return NULL;
	history_flush(h);
	close_store(h);
	free(h);
	return NULL;
}

bool history_add_record(struct history *h, const struct record *record)
{
	if (h->n_records == HISTORY_RECORDS_MAX)
		h->stats.records_lost++;
	else
		h->records[h->n_records++] = *record;
	return h->n_records >= HISTORY_BATCH_MAX;
}

bool history_add_rollups(struct history *h, const struct rollups *rollups)
{
	for (uint32_t i = 0; i < rollups->n; i++)
		if (h->n_rollups == HISTORY_ROLLUPS_MAX)
			h->stats.rollups_lost++;
		else
			h->rollups[h->n_rollups++] = rollups->v[i];
	return h->n_rollups >= HISTORY_ROLLUPS_MAX / 2;
}

bool history_is_waiting(const struct history *h)
{
	return h->n_records > 0 || h->n_rollups > 0;
}

/* One transaction from the front of what waits. Returns 0; -errno. */
static int write_batch(struct history *h, struct err *reterr)
{
	size_t n_records = h->n_records < HISTORY_BATCH_MAX ? h->n_records : HISTORY_BATCH_MAX;
	size_t n_rollups = h->n_rollups;
	int r = h->ops->write(h->state, h->records, n_records, h->rollups, n_rollups, reterr);

	if (r < 0)
		return r;
	h->stats.records += n_records;
	h->stats.rollups += n_rollups;
	h->n_records -= n_records;
	memmove(h->records, h->records + n_records, h->n_records * sizeof(h->records[0]));
	h->n_rollups = 0;
	return 0;
}

static int write_all(struct history *h, struct err *reterr)
{
	struct err cause = { 0 };
	uint32_t resets = h->stats.resets;
	int r = open_store(h, reterr);

	while (r >= 0 && history_is_waiting(h)) {
		r = write_batch(h, &cause);
		/* Once: a disk that damages everything is not worn out further. */
		if (r == -EUCLEAN && h->stats.resets == resets)
			r = reset_store(h, &cause, reterr);
		else if (r < 0)
			return err_set(reterr, r, "%s", err_text(&cause));
	}
	return r;
}

void history_flush(struct history *h)
{
	struct err err = { 0 };

	if (!history_is_waiting(h) && h->state && !h->stats.error[0])
		return;
	if (write_all(h, &err) < 0)
		note_failure(h, &err);
	else
		note_success(h);
}

static uint64_t days_before(uint64_t wall_us, unsigned days)
{
	return wall_us > days * DAY_US ? wall_us - days * DAY_US : 0;
}

bool history_expire(struct history *h, uint64_t now_wall_us)
{
	const struct store_keep keep = {
		.records_since_us = days_before(now_wall_us, HISTORY_RECORDS_DAYS),
		.rollups_since_us = { days_before(now_wall_us, HISTORY_POINTS_DAYS),
				      days_before(now_wall_us, HISTORY_MINUTES_DAYS),
				      days_before(now_wall_us, HISTORY_HOURS_DAYS) },
		.complete_us = now_wall_us > HISTORY_LATE_S * US_PER_S ?
				       now_wall_us - HISTORY_LATE_S * US_PER_S :
				       0,
		.size_max_bytes = HISTORY_SIZE_MAX_BYTES,
	};
	struct err err = { 0 };
	int r = h->state ? h->ops->expire(h->state, &keep, &err) : 0;

	return history_queried(h, r, &err) > 0;
}

const struct history_stats *history_stats(struct history *h)
{
	h->stats.records_waiting = (uint32_t)h->n_records;
	h->stats.rollups_waiting = (uint32_t)h->n_rollups;
	return &h->stats;
}

int history_query(struct history *h, const struct store_ops **ret_ops, void **ret_state,
		  struct err *reterr)
{
	history_flush(h);
	if (!h->state)
		return err_set(reterr, -EBUSY, "read history: %s", h->stats.error);
	*ret_ops = h->ops;
	*ret_state = h->state;
	return 0;
}

int history_queried(struct history *h, int r, const struct err *err)
{
	struct err next = { 0 };

	if (r == -EUCLEAN && reset_store(h, err, &next) < 0)
		note_failure(h, &next);
	return r;
}
