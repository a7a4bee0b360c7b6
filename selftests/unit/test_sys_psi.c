/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/psi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "selftests/unit/tree.h"

#define CPU_FILE                                                  \
	"some avg10=1.23 avg60=4.56 avg300=7.89 total=19021659\n" \
	"full avg10=0.00 avg60=0.00 avg300=0.00 total=42\n"

static int open_with(const struct tree *t, const char *text)
{
	int fd;

	tree_write(t, "cpu.pressure", text);
	fd = psi_open(t->fd, "cpu.pressure", NULL);
	assert_true(fd >= 0);
	return fd;
}

static void reads_the_total_of_each_line(void **state)
{
	_cleanup_close_ int fd = open_with(*state, CPU_FILE);
	uint64_t us = 0;

	assert_int_equal(psi_read_total_us(fd, PSI_LINE_SOME, &us), 0);
	assert_int_equal(us, 19021659);
	assert_int_equal(psi_read_total_us(fd, PSI_LINE_FULL, &us), 0);
	assert_int_equal(us, 42);
}

static void reads_again_what_changed_through_the_same_fd(void **state)
{
	_cleanup_close_ int fd = open_with(*state, CPU_FILE);
	uint64_t us = 0;

	tree_write(*state, "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
	assert_int_equal(psi_read_total_us(fd, PSI_LINE_SOME, &us), 0);
	assert_int_equal(us, 7);
}

static void returns_enodata_when_the_line_is_absent(void **state)
{
	_cleanup_close_ int fd = open_with(*state, "some avg10=0.00 total=7\n");
	uint64_t us = 3;

	assert_int_equal(psi_read_total_us(fd, PSI_LINE_FULL, &us), -ENODATA);
	assert_int_equal(us, 3);
}

static void refuses_what_is_no_pressure_file(void **state)
{
	static const char *const texts[] = { "", "hello\n", "some avg10=0.00\n",
					     "some avg10=0.00 total=x\n" };
	uint64_t us = 0;

	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		_cleanup_close_ int fd = open_with(*state, texts[i]);

		assert_true(psi_read_total_us(fd, PSI_LINE_SOME, &us) < 0);
	}
}

static void returns_eopnotsupp_when_psi_is_off(void **state)
{
	const struct tree *t = *state;
	struct err err = { 0 };

	assert_int_equal(psi_open(t->fd, "proc/pressure/cpu", &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "open pressure 'proc/pressure/cpu': the kernel has PSI off "
				      "(boot with psi=1)");
	assert_int_equal(psi_open_trigger(t->fd, "proc/pressure/cpu", PSI_LINE_SOME, 1, 2, &err),
			 -EOPNOTSUPP);
}

static void writes_the_trigger_with_its_nul(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int fd = -EBADF;
	char buf[64] = "";

	tree_write(t, "memory", "");
	fd = psi_open_trigger(t->fd, "memory", PSI_LINE_FULL, 200000, 2000000, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), sizeof("full 200000 2000000"));
	assert_string_equal(buf, "full 200000 2000000");
}

static void share_is_of_wall_time_and_within_bounds(void **state)
{
	(void)state;
	assert_float_equal(psi_share_pct(0, 250000, NS_PER_S), 25, 1e-9);
	assert_float_equal(psi_share_pct(100, 100, NS_PER_S), 0, 1e-9);
	assert_float_equal(psi_share_pct(0, 3000000, NS_PER_S), 100, 1e-9);
	assert_float_equal(psi_share_pct(5, 1, NS_PER_S), 0, 1e-9);
	assert_float_equal(psi_share_pct(0, 1, 0), 0, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_the_total_of_each_line, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(reads_again_what_changed_through_the_same_fd,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(returns_enodata_when_the_line_is_absent, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_pressure_file, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(returns_eopnotsupp_when_psi_is_off, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(writes_the_trigger_with_its_nul, tree_setup,
						tree_teardown),
		cmocka_unit_test(share_is_of_wall_time_and_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
