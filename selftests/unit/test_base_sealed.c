/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/sealed.h"
#include "selftests/unit/tree.h"

struct box {
	struct sealed_head head;
	char text[100];
};

static int check(const struct box *b, struct err *reterr)
{
	return sealed_check(b, sizeof(*b), sizeof(*b), 3, 1, reterr);
}

static struct box make_box(void)
{
	struct box b = { .text = "hello" };

	assert_int_equal(sealed_close(&b, sizeof(b), 3, 1), 0);
	return b;
}

static void reads_back_what_it_wrote(void **state)
{
	const struct tree *tree = *state;
	struct box b = { .text = "hello" }, read = { 0 };

	assert_int_equal(sealed_write(tree->fd, "box", &b, sizeof(b), 3, 1, NULL), 0);
	assert_int_equal(sealed_read(tree->fd, "box", &read, sizeof(read), 3, 1, NULL), 0);
	assert_string_equal(read.text, "hello");
}

static void finds_every_flipped_bit(void **state)
{
	struct box b = make_box();

	(void)state;
	assert_int_equal(check(&b, NULL), 0);
	for (size_t i = 0; i < sizeof(b) * 8; i++) {
		((uint8_t *)&b)[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(check(&b, NULL), -EBADMSG);
		((uint8_t *)&b)[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

static void refuses_another_kind_version_and_size_by_name(void **state)
{
	struct box b = make_box();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sealed_check(&b, sizeof(b), sizeof(b), 4, 1, &err), -EBADMSG);
	assert_string_equal(err.text, "kind 3 version 1 instead of 4 version 1");
	assert_int_equal(sealed_check(&b, sizeof(b), sizeof(b), 3, 2, NULL), -EBADMSG);
	assert_int_equal(sealed_check(&b, sizeof(b) - 1, sizeof(b), 3, 1, NULL), -EBADMSG);
	assert_int_equal(sealed_check(&b, 0, sizeof(b), 3, 1, NULL), -EBADMSG);
}

static void finds_every_cut_and_every_longer_file(void **state)
{
	const struct tree *tree = *state;
	char longer[sizeof(struct box) + 1] = { 0 };
	struct box b = make_box(), read;

	for (size_t n = 0; n < sizeof(b); n++) {
		assert_int_equal(fd_write_atomic(tree->fd, "cut", &b, n, 0600, false, NULL), 0);
		assert_int_equal(sealed_read(tree->fd, "cut", &read, sizeof(read), 3, 1, NULL),
				 -EBADMSG);
	}
	memcpy(longer, &b, sizeof(b));
	assert_int_equal(
		fd_write_atomic(tree->fd, "long", longer, sizeof(longer), 0600, false, NULL), 0);
	assert_int_equal(sealed_read(tree->fd, "long", &read, sizeof(read), 3, 1, NULL), -EBADMSG);
}

static void says_that_a_file_is_not_there_and_leaves_the_target_alone(void **state)
{
	const struct tree *tree = *state;
	struct box read = { .text = "kept" };
	struct err err = { 0 };

	assert_int_equal(sealed_read(tree->fd, "none", &read, sizeof(read), 3, 1, &err), -ENOENT);
	assert_string_equal(err.text, "read record 'none': No such file or directory");
	assert_string_equal(read.text, "kept");
}

static void follows_no_symlink(void **state)
{
	const struct tree *tree = *state;
	struct box b = { .text = "hello" }, read;

	assert_int_equal(sealed_write(tree->fd, "real", &b, sizeof(b), 3, 1, NULL), 0);
	assert_int_equal(symlinkat("real", tree->fd, "link"), 0);
	assert_int_equal(sealed_read(tree->fd, "link", &read, sizeof(read), 3, 1, NULL), -ELOOP);
}

/* Known answers of FIPS 180-2, appendix B. */
static void computes_sha256_as_the_standard_says(void **state)
{
	char hex[SHA256_HEX_MAX];

	(void)state;
	assert_int_equal(sha256_hex("abc", 3, hex), 0);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256_hex("", 0, hex), 0);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_back_what_it_wrote, tree_setup,
						tree_teardown),
		cmocka_unit_test(finds_every_flipped_bit),
		cmocka_unit_test(refuses_another_kind_version_and_size_by_name),
		cmocka_unit_test_setup_teardown(finds_every_cut_and_every_longer_file, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(
			says_that_a_file_is_not_there_and_leaves_the_target_alone, tree_setup,
			tree_teardown),
		cmocka_unit_test_setup_teardown(follows_no_symlink, tree_setup, tree_teardown),
		cmocka_unit_test(computes_sha256_as_the_standard_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
