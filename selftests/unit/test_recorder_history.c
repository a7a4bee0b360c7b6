/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/history.h"

/* A store that does what it is told to, in place of a disk that is full or broken. */
static struct {
	int open_r, write_r, resets, opens, closes;
	size_t records, rollups, batches, largest_batch;
} disk;

static int fake_open(const char *path, void **ret_state, struct err *reterr)
{
	(void)path;
	disk.opens++;
	if (disk.open_r < 0)
		return err_set(reterr, disk.open_r, "open: told to fail");
	*ret_state = &disk;
	return 0;
}

static void fake_close(void *state)
{
	(void)state;
	disk.closes++;
}

static int fake_reset(const char *path, struct err *reterr)
{
	(void)path;
	(void)reterr;
	disk.resets++;
	disk.open_r = 0;
	disk.write_r = disk.write_r == -EUCLEAN && disk.resets == 1 ? 0 : disk.write_r;
	return 0;
}

static int fake_write(void *state, const struct record *records, size_t n_records,
		      const struct rollup *rollups, size_t n_rollups, struct err *reterr)
{
	(void)state;
	(void)rollups;
	if (disk.write_r < 0)
		return err_set(reterr, disk.write_r, "write: told to fail");
	for (size_t i = 0; i < n_records; i++)
		assert_true(records[i].id == disk.records + i + 1); /* in order, none twice */
	disk.records += n_records;
	disk.rollups += n_rollups;
	disk.batches++;
	disk.largest_batch = n_records > disk.largest_batch ? n_records : disk.largest_batch;
	return 0;
}

static const struct store_ops fake = { .open = fake_open,
				       .close = fake_close,
				       .reset = fake_reset,
				       .write = fake_write };

static struct history *history_of_a_good_disk(void)
{
	struct history *h = NULL;

	memset(&disk, 0, sizeof(disk));
	assert_int_equal(history_new(&fake, "/x", &h, NULL), 0);
	return h;
}

static void add(struct history *h, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct record r = { .id = first + i };

		(void)history_add_record(h, &r);
	}
}

static void records_wait_for_their_batch(void **state)
{
	struct history *h = history_of_a_good_disk();

	(void)state;
	add(h, 1, 10);
	assert_int_equal(disk.records, 0);
	assert_true(history_is_waiting(h));
	history_flush(h);
	assert_int_equal(disk.records, 10);
	assert_false(history_is_waiting(h));
	h = history_free(h);
}

static void a_batch_has_its_size(void **state)
{
	struct history *h = history_of_a_good_disk();
	struct record r = { .id = HISTORY_BATCH_MAX };

	(void)state;
	add(h, 1, HISTORY_BATCH_MAX - 1);
	assert_true(history_add_record(h, &r));
	add(h, HISTORY_BATCH_MAX + 1, 300);
	history_flush(h);
	assert_int_equal(disk.records, HISTORY_BATCH_MAX + 300);
	assert_int_equal(disk.largest_batch, HISTORY_BATCH_MAX);
	h = history_free(h);
}

static void a_full_disk_delays_and_then_loses_counted(void **state)
{
	struct history *h = history_of_a_good_disk();

	(void)state;
	disk.write_r = -ENOSPC;
	add(h, 1, HISTORY_RECORDS_MAX);
	history_flush(h);
	assert_string_equal(history_stats(h)->error, "write: told to fail");
	add(h, 9999, 7);
	assert_true(history_stats(h)->records_lost == 7);
	assert_int_equal(history_stats(h)->records_waiting, HISTORY_RECORDS_MAX);
	disk.write_r = 0;
	history_flush(h);
	assert_int_equal(disk.records, HISTORY_RECORDS_MAX);
	assert_string_equal(history_stats(h)->error, "");
	h = history_free(h);
}

static void a_damaged_store_is_reset_once_and_written_to(void **state)
{
	struct history *h = history_of_a_good_disk();

	(void)state;
	disk.write_r = -EUCLEAN;
	add(h, 1, 3);
	history_flush(h);
	assert_int_equal(disk.resets, 1);
	assert_int_equal(disk.records, 3);
	assert_int_equal(history_stats(h)->resets, 1);
	disk.write_r = -EUCLEAN; /* and from now on for good */
	add(h, 4, 1);
	history_flush(h);
	assert_int_equal(disk.resets, 2);
	assert_true(history_is_waiting(h));
	h = history_free(h);
}

static void a_store_that_does_not_open_is_tried_again(void **state)
{
	struct history *h = NULL;
	const struct store_ops *ops;
	struct err err = { 0 };
	void *store;

	(void)state;
	memset(&disk, 0, sizeof(disk));
	disk.open_r = -EIO;
	assert_int_equal(history_new(&fake, "/x", &h, NULL), 0);
	add(h, 1, 2);
	history_flush(h);
	assert_int_equal(history_query(h, &ops, &store, &err), -EBUSY);
	assert_string_equal(err.text, "read history: open: told to fail");
	disk.open_r = 0;
	assert_int_equal(history_query(h, &ops, &store, NULL), 0);
	assert_int_equal(disk.records, 2); /* a query sees what came before it */
	h = history_free(h);
}

static void a_damaged_store_found_by_a_query_is_reset(void **state)
{
	struct history *h = history_of_a_good_disk();
	const struct err err = { .code = -EUCLEAN, .text = "malformed" };

	(void)state;
	assert_int_equal(history_queried(h, 5, NULL), 5);
	assert_int_equal(disk.resets, 0);
	assert_int_equal(history_queried(h, -EUCLEAN, &err), -EUCLEAN);
	assert_int_equal(disk.resets, 1);
	h = history_free(h);
	assert_int_equal(disk.opens, disk.closes);
}

static void what_waits_is_written_at_the_end(void **state)
{
	struct history *h = history_of_a_good_disk();
	struct rollups rollups = { .n = 3 };

	(void)state;
	add(h, 1, 5);
	assert_false(history_add_rollups(h, &rollups));
	h = history_free(h);
	assert_int_equal(disk.records, 5);
	assert_int_equal(disk.rollups, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_wait_for_their_batch),
		cmocka_unit_test(a_batch_has_its_size),
		cmocka_unit_test(a_full_disk_delays_and_then_loses_counted),
		cmocka_unit_test(a_damaged_store_is_reset_once_and_written_to),
		cmocka_unit_test(a_store_that_does_not_open_is_tried_again),
		cmocka_unit_test(a_damaged_store_found_by_a_query_is_reset),
		cmocka_unit_test(what_waits_is_written_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
