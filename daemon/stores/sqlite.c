/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ops/store.h"
#include "sys/sqlitedb.h"

#define SERIES_MAX   10000 /* (signal, entity) pairs: some 500 units */
#define EXPIRE_ROWS  500   /* deleted at once: some milliseconds */
#define VACUUM_PAGES "256" /* 1 MiB given back at once */

static int sqlite_open(const char *path, void **ret_state, struct err *reterr)
{
	struct sqlite *q = NULL;
	int r = sqlitedb_open(path, &q, reterr);

	if (r >= 0)
		*ret_state = q;
	return r;
}

static void sqlite_close(void *state)
{
	(void)sqlitedb_close(state);
}

static int add_record(struct sqlite *q, const struct record *record, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	char entity[ENTITY_TEXT_MAX] = "";
	sqlite3_stmt *s;
	int r;

	r = record_to_json(record, &o);
	if (r < 0)
		return err_set(reterr, r, "write record: %s", strerror(-r));
	r = sqlitedb_get(q, ADD_RECORD, &s, reterr);
	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, record->id);
	sqlite_bind_u64(s, 2, record->parent_id);
	sqlite_bind_u64(s, 3, record->incident_id);
	sqlite_bind_u64(s, 4, record->kind);
	if (record->kind == RECORD_KIND_INCIDENT)
		sqlite_bind_u64(s, 5, record->incident.state);
	sqlite_bind_u64(s, 6, record->wall_us);
	sqlite_bind_text(s, 7, entity_format(&record->entity, entity));
	sqlite_bind_text(s, 8,
			 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	r = sqlitedb_run(q, s, "write record", reterr);
	return r == -EINVAL ? 0 : r; /* one impossible row must not hold up the others for ever */
}

/* Returns 1 with the series' id; 0 when there are too many; -errno. */
static int find_series(struct sqlite *q, const struct rollup *rollup, int64_t *ret,
		       struct err *reterr)
{
	char entity[ENTITY_TEXT_MAX] = "";
	sqlite3_stmt *s;
	int rc, r;

	r = sqlitedb_get(q, ADD_SERIES, &s, reterr);
	if (r < 0)
		return r;
	sqlite_bind_text(s, 1, rollup->signal);
	sqlite_bind_text(s, 2, entity_format(&rollup->entity, entity));
	sqlite_bind_u64(s, 3, rollup->wall_us);
	sqlite_bind_u64(s, 4, SERIES_MAX);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*ret = sqlite3_column_int64(s, 0);
		r = sqlitedb_run(q, s, "write series", reterr);
		return r < 0 ? r : 1;
	}
	r = rc == SQLITE_DONE ? 0 : sqlitedb_fail(q, rc, "write series", reterr);
	(void)sqlite3_reset(s);
	return r;
}

static int add_rollup(struct sqlite *q, const struct rollup *rollup, struct err *reterr)
{
	int64_t series = 0;
	sqlite3_stmt *s;
	int r;

	r = find_series(q, rollup, &series, reterr);
	if (r <= 0)
		return r;
	r = sqlitedb_get(q, ADD_POINT, &s, reterr);
	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, rollup->wall_us);
	(void)sqlite3_bind_int64(s, 2, series);
	sqlite_bind_u64(s, 3, rollup->n);
	(void)sqlite3_bind_double(s, 4, rollup->min);
	(void)sqlite3_bind_double(s, 5, rollup->max);
	(void)sqlite3_bind_double(s, 6, rollup->sum);
	(void)sqlite3_bind_double(s, 7, rollup->last);
	r = sqlitedb_run(q, s, "write rollup", reterr);
	return r == -EINVAL ? 0 : r;
}

static const char *const rolled_names
	[] = { [STORE_SPAN_MINUTE] = "minutes_until", [STORE_SPAN_HOUR] = "hours_until" };
static const uint64_t span_us[] = { [STORE_SPAN_10S] = 10 * US_PER_S,
				    [STORE_SPAN_MINUTE] = 60 * US_PER_S,
				    [STORE_SPAN_HOUR] = 3600 * US_PER_S };

static int set_rolled(struct sqlite *q, enum statement how, enum store_span span, uint64_t until_us,
		      struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(q, how, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_text(s, 1, rolled_names[span]);
	sqlite_bind_u64(s, 2, until_us);
	return sqlitedb_run(q, s, "write history", reterr);
}

/* What comes late is in a longer span that was made without it: that is made again. */
static int note_late(struct sqlite *q, const struct rollup *rollups, size_t n, struct err *reterr)
{
	uint64_t oldest_us = UINT64_MAX;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		oldest_us = rollups[i].wall_us < oldest_us ? rollups[i].wall_us : oldest_us;
	for (enum store_span s = STORE_SPAN_MINUTE; r >= 0 && n > 0 && s < _STORE_SPAN_MAX; s++)
		r = set_rolled(q, LOWER_ROLLED, s, oldest_us - oldest_us % span_us[s], reterr);
	return r;
}

static int sqlite_write(void *state, const struct record *records, size_t n_records,
			const struct rollup *rollups, size_t n_rollups, struct err *reterr)
{
	struct sqlite *q = state;
	int r = sqlitedb_do(q, BEGIN, "begin history batch", reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < n_records; i++)
		r = add_record(q, &records[i], reterr);
	for (size_t i = 0; r >= 0 && i < n_rollups; i++)
		r = add_rollup(q, &rollups[i], reterr);
	if (r >= 0)
		r = note_late(q, rollups, n_rollups, reterr);
	if (r >= 0)
		r = sqlitedb_do(q, COMMIT, "commit history batch", reterr);
	/* An error of the disk may have rolled back already (SQLite, "Transactions", section 3). */
	if (r < 0 && !sqlite3_get_autocommit(q->db))
		(void)sqlitedb_do(q, ROLLBACK, "roll back history batch", NULL);
	return r < 0 ? r : 0;
}

/* Returns 1 with the first value of the first row; 0: there is none; -errno. */
static int read_u64(struct sqlite *q, sqlite3_stmt *s, uint64_t *ret, struct err *reterr)
{
	int rc = sqlite3_step(s), r = rc == SQLITE_ROW;

	if (rc == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
	else if (rc != SQLITE_DONE)
		r = sqlitedb_fail(q, rc, "read history", reterr);
	(void)sqlite3_reset(s);
	return r;
}

/* The beginning of the oldest span that is not made yet. Returns 1; 0: nothing to make it of; -errno. */
static int find_unrolled(struct sqlite *q, enum store_span to, uint64_t *ret_us, struct err *reterr)
{
	uint64_t from_us = 0, first_us = 0;
	sqlite3_stmt *s;
	int r = sqlitedb_get(q, GET_ROLLED, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_text(s, 1, rolled_names[to]);
	r = read_u64(q, s, &from_us, reterr);
	if (r >= 0)
		r = sqlitedb_get(q, to == STORE_SPAN_MINUTE ? NEXT_POINT : NEXT_MINUTE, &s, reterr);
	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, from_us);
	r = read_u64(q, s, &first_us, reterr);
	if (r > 0)
		*ret_us = first_us - first_us % span_us[to];
	return r;
}

static int make_span(struct sqlite *q, enum store_span to, uint64_t start_us, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(q, to == STORE_SPAN_MINUTE ? ROLL_MINUTE : ROLL_HOUR, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, start_us);
	sqlite_bind_u64(s, 2, start_us + span_us[to]);
	r = sqlitedb_run(q, s, "make longer rollups", reterr);
	return r < 0 ? r : set_rolled(q, SET_ROLLED, to, start_us + span_us[to], reterr);
}

/* Makes one minute or hour of what is in it. Returns 1; 0: none is complete; -errno. */
static int roll(struct sqlite *q, enum store_span to, uint64_t complete_us, struct err *reterr)
{
	uint64_t start_us = 0;
	int r = find_unrolled(q, to, &start_us, reterr);

	if (r <= 0 || start_us + span_us[to] > complete_us)
		return r < 0 ? r : 0;
	r = sqlitedb_do(q, BEGIN, "begin longer rollups", reterr);
	if (r >= 0)
		r = make_span(q, to, start_us, reterr);
	if (r >= 0)
		r = sqlitedb_do(q, COMMIT, "commit longer rollups", reterr);
	if (r < 0 && !sqlite3_get_autocommit(q->db))
		(void)sqlitedb_do(q, ROLLBACK, "roll back longer rollups", NULL);
	return r < 0 ? r : 1;
}

/* Deletes up to EXPIRE_ROWS older than since_us. Returns how many; -errno. */
static int expire_rows(struct sqlite *q, enum statement i, uint64_t since_us, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(q, i, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, since_us);
	sqlite_bind_u64(s, 2, EXPIRE_ROWS);
	r = sqlitedb_run(q, s, "delete old history", reterr);
	return r < 0 ? r : sqlite3_changes(q->db);
}

/* Returns bytes that hold rows; -errno. */
static int64_t read_used_bytes(struct sqlite *q, struct err *reterr)
{
	int64_t pages = 0, unused_pages = 0, page_bytes = 0;
	int r = sqlitedb_read_number(q, "PRAGMA page_count", &pages, reterr);

	if (r >= 0)
		r = sqlitedb_read_number(q, "PRAGMA freelist_count", &unused_pages, reterr);
	if (r >= 0)
		r = sqlitedb_read_number(q, "PRAGMA page_size", &page_bytes, reterr);
	return r < 0 ? r : (pages - unused_pages) * page_bytes;
}

/* The oldest go, whatever their age: points first, which are many and say little each, and of which the
 * minutes and hours are made already. */
static int cut_to_size(struct sqlite *q, uint64_t size_max_bytes, struct err *reterr)
{
	static const enum statement order[] = { EXPIRE_POINTS, EXPIRE_MINUTES, EXPIRE_HOURS,
						EXPIRE_RECORDS };
	int64_t used_bytes = read_used_bytes(q, reterr);
	int r = 0;

	if (used_bytes < 0)
		return (int)used_bytes;
	for (size_t i = 0; (uint64_t)used_bytes > size_max_bytes && r == 0 && i < ELEMENTSOF(order);
	     i++)
		r = expire_rows(q, order[i], UINT64_MAX, reterr);
	return r;
}

static int sqlite_expire(void *state, const struct store_keep *keep, struct err *reterr)
{
	struct sqlite *q = state;
	int r = roll(q, STORE_SPAN_MINUTE, keep->complete_us, reterr), n = r;

	if (r == 0)
		n = r = roll(q, STORE_SPAN_HOUR, keep->complete_us, reterr);
	for (enum store_span s = 0; r >= 0 && s < _STORE_SPAN_MAX; s++) {
		r = expire_rows(q, EXPIRE_POINTS + s, keep->rollups_since_us[s], reterr);
		n += r;
	}
	if (r >= 0)
		r = expire_rows(q, EXPIRE_RECORDS, keep->records_since_us, reterr);
	if (r < 0)
		return r;
	n += r;
	r = expire_rows(q, EXPIRE_SERIES, keep->rollups_since_us[STORE_SPAN_HOUR], reterr);
	if (r < 0)
		return r;
	r = cut_to_size(q, keep->size_max_bytes, reterr);
	if (r < 0)
		return r;
	n += r;
	(void)sqlite3_exec(q->db, "PRAGMA incremental_vacuum(" VACUUM_PAGES ")", NULL, NULL, NULL);
	return n > 0;
}

/* Hands over all rows of a bound statement. Returns how many; -errno. */
static int each_row(struct sqlite *q, sqlite3_stmt *s, store_row_fn *fn, void *userdata,
		    struct err *reterr)
{
	int rc, n = 0, r = 0;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct store_row row = {
			.id = (uint64_t)sqlite3_column_int64(s, 0),
			.parent_id = (uint64_t)sqlite3_column_int64(s, 1),
			.incident_id = (uint64_t)sqlite3_column_int64(s, 2),
			.wall_us = (uint64_t)sqlite3_column_int64(s, 3),
			.json = (const char *)sqlite3_column_text(s, 4),
		};

		fn(userdata, &row);
		n++;
	}
	if (rc != SQLITE_DONE)
		r = sqlitedb_fail(q, rc, "read history", reterr);
	(void)sqlite3_reset(s);
	return r < 0 ? r : n;
}

static uint32_t bound_rows(uint32_t rows_max)
{
	return rows_max < STORE_ROWS_MAX ? rows_max : STORE_ROWS_MAX;
}

static int sqlite_incidents(void *state, const struct store_query *query, store_row_fn *row,
			    void *userdata, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(state, LIST_INCIDENTS, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, query->until_us > 0 ? query->until_us : UINT64_MAX);
	sqlite_bind_u64(s, 2, query->since_us);
	sqlite_bind_text(s, 3, query->entity);
	(void)sqlite3_bind_int(s, 4, query->state);
	sqlite_bind_u64(s, 5, bound_rows(query->rows_max));
	return each_row(state, s, row, userdata, reterr);
}

static int sqlite_incident(void *state, uint64_t incident_id, uint64_t after_id, uint32_t rows_max,
			   store_row_fn *row, void *userdata, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(state, LIST_INCIDENT, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, incident_id);
	sqlite_bind_u64(s, 2, after_id);
	sqlite_bind_u64(s, 3, bound_rows(rows_max));
	return each_row(state, s, row, userdata, reterr);
}

/* Passes a row on and remembers whose child it is. */
struct chain {
	store_row_fn *row;
	void *userdata;
	uint64_t parent_id;
};

static void on_chain_row(void *userdata, const struct store_row *row)
{
	struct chain *c = userdata;

	c->parent_id = row->parent_id;
	c->row(c->userdata, row);
}

static int sqlite_chain(void *state, uint64_t id, store_row_fn *row, void *userdata,
			struct err *reterr)
{
	struct chain c = { row, userdata, id };
	sqlite3_stmt *s;
	int n = 0, r;

	while (c.parent_id != 0 && n < STORE_CHAIN_MAX) {
		r = sqlitedb_get(state, GET_RECORD, &s, reterr);
		if (r < 0)
			return r;
		sqlite_bind_u64(s, 1, c.parent_id);
		c.parent_id = 0;
		r = each_row(state, s, on_chain_row, &c, reterr);
		if (r <= 0)
			return r < 0 ? r : n;
		n++;
	}
	return n;
}

static int read_rollup(sqlite3_stmt *s, struct rollup *ret)
{
	*ret = (struct rollup){
		.wall_us = (uint64_t)sqlite3_column_int64(s, 2),
		.n = (uint32_t)sqlite3_column_int64(s, 3),
		.min = sqlite3_column_double(s, 4),
		.max = sqlite3_column_double(s, 5),
		.sum = sqlite3_column_double(s, 6),
		.last = sqlite3_column_double(s, 7),
	};
	(void)str_copy(ret->signal, sizeof(ret->signal), (const char *)sqlite3_column_text(s, 0));
	return entity_parse((const char *)sqlite3_column_text(s, 1), &ret->entity, NULL);
}

/* Hands over all rollups of a bound statement. Returns how many; -errno. */
static int each_rollup(struct sqlite *q, sqlite3_stmt *s, store_rollup_fn *fn, void *userdata,
		       struct err *reterr)
{
	struct rollup rollup;
	int rc, n = 0, r = 0;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (read_rollup(s, &rollup) < 0)
			continue;
		fn(userdata, &rollup);
		n++;
	}
	if (rc != SQLITE_DONE)
		r = sqlitedb_fail(q, rc, "read rollups", reterr);
	(void)sqlite3_reset(s);
	return r < 0 ? r : n;
}

static int sqlite_rollups(void *state, const struct store_query *query, store_rollup_fn *fn,
			  void *userdata, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(state, LIST_POINTS, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, query->since_us);
	sqlite_bind_text(s, 2, query->signal);
	sqlite_bind_text(s, 3, query->entity);
	sqlite_bind_u64(s, 4, bound_rows(query->rows_max));
	return each_rollup(state, s, fn, userdata, reterr);
}

static int sqlite_steps(void *state, const struct store_query *query, store_rollup_fn *fn,
			void *userdata, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(state, STEP_POINTS + query->span, &s, reterr);

	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, query->since_us);
	sqlite_bind_u64(s, 2, query->until_us > 0 ? query->until_us : UINT64_MAX);
	sqlite_bind_text(s, 3, query->signal);
	sqlite_bind_text(s, 4, query->entity);
	sqlite_bind_u64(s, 5, query->step_us);
	sqlite_bind_u64(s, 6,
			query->rows_max < STORE_STEPS_MAX ? query->rows_max : STORE_STEPS_MAX);
	return each_rollup(state, s, fn, userdata, reterr);
}

static int sqlite_find(void *state, uint64_t ending, uint64_t mask, bool incidents,
		       uint64_t *ret_ids, size_t ids_max, struct err *reterr)
{
	struct sqlite *q = state;
	sqlite3_stmt *s;
	int rc, n = 0, r;

	r = sqlitedb_get(q, incidents ? FIND_INCIDENTS : FIND_RECORDS, &s, reterr);
	if (r < 0)
		return r;
	sqlite_bind_u64(s, 1, ending);
	sqlite_bind_u64(s, 2, mask);
	sqlite_bind_u64(s, 3, ids_max);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		ret_ids[n++] = (uint64_t)sqlite3_column_int64(s, 0);
	if (rc != SQLITE_DONE)
		r = sqlitedb_fail(q, rc, "find record", reterr);
	(void)sqlite3_reset(s);
	return r < 0 ? r : n;
}

const struct store_ops store_sqlite = {
	.name = "sqlite",
	.summary = "History in one file, no server",
	.source = "SQLite 3.37 or later (STRICT tables), WAL",
	.open = sqlite_open,
	.close = sqlite_close,
	.reset = sqlitedb_put_aside,
	.write = sqlite_write,
	.expire = sqlite_expire,
	.incidents = sqlite_incidents,
	.incident = sqlite_incident,
	.chain = sqlite_chain,
	.rollups = sqlite_rollups,
	.steps = sqlite_steps,
	.find = sqlite_find,
};
