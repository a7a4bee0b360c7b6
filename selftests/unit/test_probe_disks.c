/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "selftests/unit/tree.h"
#include "sys/disks.h"

extern const struct probe_ops probe_disks;

struct bench {
	struct tree *tree;
	struct probe_context c;
	void *state;
	unsigned n;
	struct sample samples[32];
};

static void on_sample(void *userdata, const struct sample *s)
{
	struct bench *b = userdata;

	assert_true(b->n < ELEMENTSOF(b->samples));
	assert_string_equal(s->entity.name, "vda");
	assert_int_equal(s->entity.kind, ENTITY_KIND_DISK);
	b->samples[b->n++] = *s;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *tree = NULL;

	assert_non_null(b);
	assert_int_equal(tree_setup(&tree), 0);
	b->tree = tree;
	b->c = (struct probe_context){ .root_fd = b->tree->fd, .emit = on_sample, .userdata = b };
	tree_write(b->tree, "sys/block/vda/dev", "254:0\n");
	tree_write(b->tree, "sys/block/loop0/dev", "7:0\n");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *tree = b->tree;

	assert_int_equal(tree_teardown(&tree), 0);
	free(b);
	return 0;
}

static void expect(const struct bench *b, const char *signal, double value)
{
	for (unsigned i = b->n; i > 0; i--)
		if (str_equal(b->samples[i - 1].signal, signal)) {
			assert_float_equal(b->samples[i - 1].value, value, 1e-6);
			return;
		}
	fail_msg("no sample of %s", signal);
}

static void finds_whole_disks_only(void **state)
{
	const struct bench *b = *state;
	char text[] = "   7       0 loop0 5 0 5 5 5 0 5 5 0 5 5\n"
		      " 254       0 vda 100 1 2000 30 50 2 800 40 0 60 70 0 0 0 0 9 9\n"
		      " 254       1 vda1 90 1 2000 30 50 2 800 40 0 60 70\n"
		      " 254       2 cut 90 1\n";
	struct disk_stats disks[2];

	assert_int_equal(disks_parse(b->tree->fd, text, disks, 2), 1);
	assert_string_equal(disks[0].name, "vda");
	assert_int_equal(disks[0].major, 254);
	assert_int_equal(disks[0].minor, 0);
	assert_int_equal(disks[0].reads, 100);
	assert_int_equal(disks[0].read_sectors, 2000);
	assert_int_equal(disks[0].read_ms, 30);
	assert_int_equal(disks[0].writes, 50);
	assert_int_equal(disks[0].write_sectors, 800);
	assert_int_equal(disks[0].write_ms, 40);
	assert_int_equal(disks[0].busy_ms, 60);
}

static void measures_over_the_time_that_passed(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/diskstats", "254 0 vda 100 1 2000 30 50 2 800 40 0 60 70\n");
	assert_int_equal(probe_disks.start(&b->c, &b->state, NULL), 0);
	probe_disks.tick(b->state, NS_PER_S);
	probe_disks.tick(b->state, 2 * NS_PER_S);
	assert_int_equal(b->n, 0); /* one reading is no rate */
	tree_write(b->tree, "proc/diskstats", "254 0 vda 110 1 2100 80 50 2 800 40 0 560 70\n");
	probe_disks.tick(b->state, 6 * NS_PER_S);
	expect(b, "disk.read_bytes_per_s", 100 * 512 / 5.0);
	expect(b, "disk.write_bytes_per_s", 0);
	expect(b, "disk.busy_pct", 10);
	expect(b, "disk.read_wait_mean_ms", 5);
	assert_int_equal(b->n, 4); /* nobody waited for a write */
	probe_disks.stop(b->state);
}

static void takes_a_new_disk_of_the_same_name_as_new(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/diskstats", "254 0 vda 100 1 2000 30 50 2 800 40 0 60 70\n");
	assert_int_equal(probe_disks.start(&b->c, &b->state, NULL), 0);
	probe_disks.tick(b->state, NS_PER_S);
	tree_write(b->tree, "proc/diskstats", "254 0 vda 1 1 2 3 5 2 8 4 0 6 7\n");
	probe_disks.tick(b->state, 6 * NS_PER_S);
	assert_int_equal(b->n, 0);
	probe_disks.stop(b->state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_whole_disks_only, setup, teardown),
		cmocka_unit_test_setup_teardown(measures_over_the_time_that_passed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(takes_a_new_disk_of_the_same_name_as_new, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
