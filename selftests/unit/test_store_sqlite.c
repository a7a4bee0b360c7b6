/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/store.h"
#include "selftests/unit/tree.h"

#define T0_US UINT64_C(1790000000000000)

struct fixture {
	struct tree *tree;
	char path[128];
	void *store;
};

/* What rows come back: their ids, in order. */
struct seen {
	size_t n;
	uint64_t ids[STORE_ROWS_MAX];
	struct rollup last;
};

static void on_row(void *userdata, const struct store_row *row)
{
	struct seen *seen = userdata;

	assert_non_null(row->json);
	seen->ids[seen->n++] = row->id;
}

static void on_rollup(void *userdata, const struct rollup *r)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->last = *r;
}

static int setup(void **state)
{
	static struct fixture f;
	struct err err = { 0 };

	f = (struct fixture){ 0 };
	assert_int_equal(tree_setup((void **)&f.tree), 0);
	str_append(f.path, sizeof(f.path), "%s/history.db", f.tree->path);
	if (store_sqlite.open(f.path, &f.store, &err) < 0)
		fail_msg("%s", err_text(&err));
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_sqlite.close(f->store);
	return tree_teardown((void **)&f->tree);
}

static struct record record_of(uint64_t id, uint64_t parent_id, uint64_t incident_id,
			       enum record_kind kind)
{
	struct record r = { .id = id,
			    .parent_id = parent_id,
			    .incident_id = incident_id,
			    .kind = kind,
			    .wall_us = id };

	r.entity = entity_make(ENTITY_KIND_UNIT, "a.service");
	return r;
}

static struct record incident_of(uint64_t id, uint64_t incident_id, enum incident_state s)
{
	struct record r = record_of(id, 0, incident_id, RECORD_KIND_INCIDENT);

	r.incident.state = s;
	return r;
}

static void write_records(struct fixture *f, const struct record *records, size_t n)
{
	struct err err = { 0 };

	if (store_sqlite.write(f->store, records, n, NULL, 0, &err) < 0)
		fail_msg("%s", err_text(&err));
}

static void three_incidents(struct fixture *f)
{
	struct record records[] = {
		incident_of(T0_US, T0_US, INCIDENT_STATE_OPEN),
		incident_of(T0_US + 10, T0_US + 10, INCIDENT_STATE_OPEN),
		incident_of(T0_US + 20, T0_US + 20, INCIDENT_STATE_OPEN),
		incident_of(T0_US + 30, T0_US, INCIDENT_STATE_RESOLVED),
	};

	records[1].entity = entity_make(ENTITY_KIND_UNIT, "b.service");
	write_records(f, records, ELEMENTSOF(records));
}

static struct seen incidents(struct fixture *f, const struct store_query *q)
{
	struct seen seen = { 0 };

	int n = store_sqlite.incidents(f->store, q, on_row, &seen, NULL);

	assert_int_equal(n, seen.n);
	return seen;
}

static void incidents_show_their_last_state_newest_first(void **state)
{
	struct seen seen;

	three_incidents(*state);
	seen = incidents(*state, &(struct store_query){ .state = -1, .rows_max = 10 });
	assert_int_equal(seen.n, 3);
	assert_true(seen.ids[0] == T0_US + 20 && seen.ids[1] == T0_US + 10 &&
		    seen.ids[2] == T0_US + 30);
}

static void incidents_are_filtered(void **state)
{
	struct store_query q = { .state = INCIDENT_STATE_OPEN, .rows_max = 10 };

	three_incidents(*state);
	assert_int_equal(incidents(*state, &q).n, 2);
	q = (struct store_query){ .state = -1, .entity = "unit:b.service", .rows_max = 10 };
	assert_true(incidents(*state, &q).ids[0] == T0_US + 10);
	q = (struct store_query){ .state = -1, .since_us = T0_US + 25, .rows_max = 10 };
	assert_true(incidents(*state, &q).ids[0] == T0_US + 30);
	q = (struct store_query){ .state = -1, .until_us = T0_US + 20, .rows_max = 1 };
	assert_true(incidents(*state, &q).ids[0] == T0_US + 10);
}

static void a_record_that_is_there_is_left_alone(void **state)
{
	struct seen seen = { 0 };

	three_incidents(*state);
	three_incidents(*state);
	assert_int_equal(store_sqlite.incident(((struct fixture *)*state)->store, T0_US, 0, 10,
					       on_row, &seen, NULL),
			 2);
}

static void a_chain_walks_to_the_root_and_ends_there(void **state)
{
	struct fixture *f = *state;
	const struct record records[] = {
		record_of(T0_US, 0, T0_US, RECORD_KIND_EVENT),
		record_of(T0_US + 1, T0_US, T0_US, RECORD_KIND_EVIDENCE),
		record_of(T0_US + 2, T0_US + 1, T0_US, RECORD_KIND_DIAGNOSIS),
		record_of(T0_US + 3, T0_US + 3, T0_US, RECORD_KIND_VERDICT), /* its own parent */
	};
	struct seen seen = { 0 };

	write_records(f, records, ELEMENTSOF(records));
	assert_int_equal(store_sqlite.chain(f->store, T0_US + 2, on_row, &seen, NULL), 3);
	assert_true(seen.ids[0] == T0_US + 2 && seen.ids[2] == T0_US);
	assert_int_equal(store_sqlite.chain(f->store, 5, on_row, &seen, NULL), 0);
	seen.n = 0;
	assert_int_equal(store_sqlite.chain(f->store, T0_US + 3, on_row, &seen, NULL),
			 STORE_CHAIN_MAX);
}

static void ids_are_found_by_their_ending(void **state)
{
	struct fixture *f = *state;
	const struct record records[] = {
		record_of(T0_US, 0, T0_US, RECORD_KIND_EVENT),
		record_of(T0_US + (1 << 20), 0, T0_US, RECORD_KIND_EVENT),
		record_of(T0_US + 1, 0, T0_US, RECORD_KIND_EVENT),
	};
	uint64_t ids[4] = { 0 };

	write_records(f, records, ELEMENTSOF(records));
	assert_int_equal(store_sqlite.find(f->store, T0_US & 0xfffff, 0xfffff, false, ids, 4, NULL),
			 2);
	assert_true(ids[0] == T0_US + (1 << 20) && ids[1] == T0_US);
	assert_int_equal(
		store_sqlite.find(f->store, T0_US & 0x1ffffff, 0x1ffffff, false, ids, 4, NULL), 1);
	assert_int_equal(store_sqlite.find(f->store, T0_US & 0xfffff, 0xfffff, true, ids, 4, NULL),
			 1);
	assert_int_equal(store_sqlite.find(f->store, 77, 0xfffff, false, ids, 4, NULL), 0);
}

static struct rollup rollup_of(uint64_t wall_us, double value)
{
	struct rollup r = {
		.wall_us = wall_us, .n = 1, .min = value, .max = value, .sum = value, .last = value
	};

	(void)str_copy(r.signal, sizeof(r.signal), "unit.cpu_usage_pct");
	r.entity = entity_make(ENTITY_KIND_UNIT, "a.service");
	return r;
}

static void rollups_of_the_same_ten_seconds_are_merged(void **state)
{
	struct fixture *f = *state;
	const struct rollup rollups[] = { rollup_of(T0_US, 3), rollup_of(T0_US, 1),
					  rollup_of(T0_US, 2) };
	struct seen seen = { 0 };

	assert_int_equal(store_sqlite.write(f->store, NULL, 0, rollups, 3, NULL), 0);
	assert_int_equal(store_sqlite.rollups(f->store, &(struct store_query){ .rows_max = 10 },
					      on_rollup, &seen, NULL),
			 1);
	assert_true(seen.last.n == 3 && seen.last.min == 1 && seen.last.max == 3 &&
		    seen.last.sum == 6 && seen.last.last == 2);
	assert_string_equal(seen.last.entity.name, "a.service");
}

static void rollups_are_filtered_and_bounded(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { 0 };

	for (uint64_t i = 0; i < 20; i++) {
		struct rollup r = rollup_of(T0_US + i, (double)i);

		assert_int_equal(store_sqlite.write(f->store, NULL, 0, &r, 1, NULL), 0);
	}
	assert_int_equal(store_sqlite.rollups(f->store,
					      &(struct store_query){ .since_us = T0_US + 5,
								     .signal = "unit.cpu_usage_pct",
								     .entity = "unit:a.service",
								     .rows_max = 3 },
					      on_rollup, &seen, NULL),
			 3);
	assert_true(seen.last.last == 7);
	assert_int_equal(store_sqlite.rollups(f->store,
					      &(struct store_query){ .signal = "x", .rows_max = 3 },
					      on_rollup, &seen, NULL),
			 0);
}

static void a_value_that_is_no_number_holds_up_no_other(void **state)
{
	struct fixture *f = *state;
	const struct rollup rollups[] = { rollup_of(T0_US, NAN), rollup_of(T0_US + 1, 1) };
	struct seen seen = { 0 };

	assert_int_equal(store_sqlite.write(f->store, NULL, 0, rollups, 2, NULL), 0);
	assert_int_equal(store_sqlite.rollups(f->store, &(struct store_query){ .rows_max = 10 },
					      on_rollup, &seen, NULL),
			 1);
}

static void what_is_too_old_goes(void **state)
{
	struct fixture *f = *state;
	const struct store_keep keep = { .records_since_us = T0_US + 15,
					 .rollups_since_us = { T0_US + 1, T0_US + 1, T0_US + 1 },
					 .size_max_bytes = UINT64_MAX };
	const struct rollup rollups[] = { rollup_of(T0_US, 1), rollup_of(T0_US + 1, 2) };
	struct seen seen = { 0 };

	three_incidents(f);
	assert_int_equal(store_sqlite.write(f->store, NULL, 0, rollups, 2, NULL), 0);
	assert_int_equal(store_sqlite.expire(f->store, &keep, NULL), 1);
	assert_int_equal(store_sqlite.expire(f->store, &keep, NULL), 0);
	assert_int_equal(incidents(f, &(struct store_query){ .state = -1, .rows_max = 9 }).n, 2);
	assert_int_equal(store_sqlite.rollups(f->store, &(struct store_query){ .rows_max = 10 },
					      on_rollup, &seen, NULL),
			 1);
}

static void the_oldest_go_when_it_is_too_big(void **state)
{
	struct fixture *f = *state;
	struct store_keep keep = { .size_max_bytes = 1024 * 1024 };
	struct stat st;
	struct seen seen;

	for (uint64_t i = 0; i < 20; i++) {
		struct record records[100];

		for (uint64_t k = 0; k < 100; k++) {
			uint64_t id = T0_US + i * 100 + k;

			records[k] = incident_of(id, id, INCIDENT_STATE_OPEN);
			memset(records[k].incident.reason, 'x',
			       sizeof(records[k].incident.reason) - 1);
		}
		write_records(f, records, 100);
	}
	for (int i = 0; store_sqlite.expire(f->store, &keep, NULL) > 0; i++)
		assert_true(i < 100);
	seen = incidents(f, &(struct store_query){ .state = -1, .rows_max = 500 });
	assert_int_equal(seen.n, 500);
	assert_true(seen.ids[0] == T0_US + 1999);
	seen = incidents(f, &(struct store_query){
				    .state = -1, .until_us = seen.ids[499], .rows_max = 500 });
	assert_true(seen.n < 500);
	store_sqlite.close(f->store);
	f->store = NULL;
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size < 2 * 1024 * 1024);
	assert_int_equal(store_sqlite.open(f->path, &f->store, NULL), 0);
}

static struct seen steps(struct fixture *f, enum store_span span, uint64_t step_us)
{
	const struct store_query q = { .rows_max = STORE_STEPS_MAX,
				       .span = span,
				       .step_us = step_us };
	struct seen seen = { 0 };
	int n = store_sqlite.steps(f->store, &q, on_rollup, &seen, NULL);

	assert_true(n >= 0 && (size_t)n == seen.n);
	return seen;
}

static void make_all(struct fixture *f, uint64_t complete_us)
{
	const struct store_keep keep = { .complete_us = complete_us, .size_max_bytes = UINT64_MAX };
	int r, n = 0;

	while ((r = store_sqlite.expire(f->store, &keep, NULL)) > 0)
		assert_true(n++ < 1000);
	assert_int_equal(r, 0);
}

/* T0 rounded to the hour; value i at the i-th ten seconds of two hours. */
#define HOUR_US UINT64_C(3600000000)
#define H0_US   (T0_US / HOUR_US * HOUR_US)
static void two_hours(struct fixture *f)
{
	for (uint64_t i = 0; i < 720; i++) {
		struct rollup r = rollup_of(H0_US + i * 10 * US_PER_S, (double)i);

		assert_int_equal(store_sqlite.write(f->store, NULL, 0, &r, 1, NULL), 0);
	}
}

static void minutes_and_hours_are_made_of_what_is_complete(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	two_hours(f);
	make_all(f, H0_US + 2 * HOUR_US - 1); /* the last second of the second hour is to come */
	assert_int_equal(steps(f, STORE_SPAN_MINUTE, 60 * US_PER_S).n, 119);
	seen = steps(f, STORE_SPAN_HOUR, HOUR_US);
	assert_int_equal(seen.n, 1);
	assert_true(seen.last.wall_us == H0_US && seen.last.n == 360 && seen.last.min == 0 &&
		    seen.last.max == 359 && seen.last.sum == 359 * 360 / 2);
	make_all(f, H0_US + 2 * HOUR_US);
	assert_int_equal(steps(f, STORE_SPAN_HOUR, HOUR_US).n, 2);
}

static void what_comes_late_is_in_its_minute_and_hour(void **state)
{
	struct fixture *f = *state;
	struct rollup late = rollup_of(H0_US + 61 * US_PER_S, 5000);

	two_hours(f);
	make_all(f, H0_US + 3 * HOUR_US);
	assert_int_equal(store_sqlite.write(f->store, NULL, 0, &late, 1, NULL), 0);
	make_all(f, H0_US + 3 * HOUR_US);
	assert_int_equal(steps(f, STORE_SPAN_HOUR, HOUR_US).n, 2);
	assert_true(steps(f, STORE_SPAN_MINUTE, 24 * HOUR_US).last.max == 5000);
	assert_true(steps(f, STORE_SPAN_HOUR, 24 * HOUR_US).last.max == 5000);
	assert_int_equal(steps(f, STORE_SPAN_HOUR, 24 * HOUR_US).last.n, 721);
}

static void the_same_is_not_made_twice_over_a_restart(void **state)
{
	struct fixture *f = *state;

	two_hours(f);
	make_all(f, H0_US + HOUR_US);
	store_sqlite.close(f->store);
	f->store = NULL;
	assert_int_equal(store_sqlite.open(f->path, &f->store, NULL), 0);
	make_all(f, H0_US + 2 * HOUR_US);
	assert_int_equal(steps(f, STORE_SPAN_HOUR, 24 * HOUR_US).last.n, 720);
}

static void steps_are_put_together_by_series_and_pattern(void **state)
{
	struct fixture *f = *state;
	struct rollup other = rollup_of(H0_US, 7);
	struct store_query q = { .rows_max = 9, .step_us = HOUR_US, .signal = "unit.*_pct" };
	struct seen seen = { 0 };

	two_hours(f);
	other.entity = entity_make(ENTITY_KIND_UNIT, "b.service");
	assert_int_equal(store_sqlite.write(f->store, NULL, 0, &other, 1, NULL), 0);
	assert_int_equal(store_sqlite.steps(f->store, &q, on_rollup, &seen, NULL), 3);
	assert_string_equal(seen.last.entity.name, "b.service");
	q.signal = "host.*";
	assert_int_equal(store_sqlite.steps(f->store, &q, on_rollup, &seen, NULL), 0);
	q = (struct store_query){ .rows_max = 2, .step_us = HOUR_US };
	assert_int_equal(store_sqlite.steps(f->store, &q, on_rollup, &seen, NULL), 2);
}

/* The schema as version 1 made it, with two hours of points. */
static void a_history_of_version_1_is_taken_over(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	two_hours(f);
	store_sqlite.close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DROP TABLE minutes; DROP TABLE hours; DELETE FROM meta;"
				      "INSERT INTO meta VALUES('schema_version', '1');"
				      "PRAGMA user_version = 1;",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(store_sqlite.open(f->path, &f->store, NULL), 0);
	make_all(f, H0_US + 3 * HOUR_US);
	assert_int_equal(steps(f, STORE_SPAN_HOUR, 24 * HOUR_US).last.n, 720);
}

static void points_go_before_minutes_and_records(void **state)
{
	struct fixture *f = *state;
	const struct store_keep keep = { .size_max_bytes = 60 * 1024 };
	int r, n = 0;

	two_hours(f);
	make_all(f, H0_US + 3 * HOUR_US);
	three_incidents(f);
	while ((r = store_sqlite.expire(f->store, &keep, NULL)) > 0)
		assert_true(n++ < 100);
	assert_true(steps(f, STORE_SPAN_10S, 10 * US_PER_S).n < 720);
	assert_int_equal(steps(f, STORE_SPAN_MINUTE, 60 * US_PER_S).n, 120);
	assert_int_equal(incidents(f, &(struct store_query){ .state = -1, .rows_max = 9 }).n, 3);
}

static void it_is_all_there_when_opened_again(void **state)
{
	struct fixture *f = *state;

	three_incidents(f);
	store_sqlite.close(f->store);
	f->store = NULL;
	assert_int_equal(store_sqlite.open(f->path, &f->store, NULL), 0);
	assert_int_equal(incidents(f, &(struct store_query){ .state = -1, .rows_max = 9 }).n, 3);
}

static void a_file_of_something_else_is_damaged_and_put_aside(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct stat st;
	char text[9000];

	store_sqlite.close(f->store);
	f->store = NULL;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	tree_write(f->tree, "history.db", text);
	assert_int_equal(store_sqlite.open(f->path, &f->store, &err), -EUCLEAN);
	assert_int_equal(store_sqlite.reset(f->path, NULL), 0);
	assert_int_equal(store_sqlite.open(f->path, &f->store, NULL), 0);
	assert_int_equal(fstatat(f->tree->fd, "history.db.damaged", &st, 0), 0);
	three_incidents(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(incidents_show_their_last_state_newest_first),
		TEST(incidents_are_filtered),
		TEST(a_record_that_is_there_is_left_alone),
		TEST(a_chain_walks_to_the_root_and_ends_there),
		TEST(ids_are_found_by_their_ending),
		TEST(rollups_of_the_same_ten_seconds_are_merged),
		TEST(rollups_are_filtered_and_bounded),
		TEST(a_value_that_is_no_number_holds_up_no_other),
		TEST(what_is_too_old_goes),
		TEST(the_oldest_go_when_it_is_too_big),
		TEST(minutes_and_hours_are_made_of_what_is_complete),
		TEST(what_comes_late_is_in_its_minute_and_hour),
		TEST(the_same_is_not_made_twice_over_a_restart),
		TEST(steps_are_put_together_by_series_and_pattern),
		TEST(a_history_of_version_1_is_taken_over),
		TEST(points_go_before_minutes_and_records),
		TEST(it_is_all_there_when_opened_again),
		TEST(a_file_of_something_else_is_damaged_and_put_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
