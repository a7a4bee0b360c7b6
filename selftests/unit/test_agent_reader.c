/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "agent/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "selftests/unit/tree.h"

struct world {
	struct tree *tree;
	int stage_fd;
	sd_event *event;
	struct reader reader;
	unsigned n_done;
	int r;
	struct err err;
};

static void on_done(void *userdata, int r, const struct err *err)
{
	struct world *w = userdata;

	w->n_done++;
	w->r = r;
	w->err = *err;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *tree = NULL;

	assert_non_null(w);
	assert_int_equal(tree_setup(&tree), 0);
	w->tree = tree;
	tree_write(w->tree, "stage/here", "");
	w->stage_fd = fd_open_dir(w->tree->fd, "stage", NULL);
	tree_write(w->tree, "usr/lib/aiops/alerts.d/a.yaml", "of the package");
	tree_write(w->tree, "usr/lib/aiops/alerts.d/b.yaml", "masked");
	tree_write(w->tree, "usr/lib/aiops/runbooks.d/r.md", "book");
	tree_write(w->tree, "etc/aiops/alerts.d/a.yaml", "of the administrator");
	tree_link(w->tree, "etc/aiops/alerts.d/b.yaml", "/dev/null");
	tree_write(w->tree, "etc/aiops/services.d/s.yaml", "service");
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(reader_start(&w->reader, w->tree->fd, w->stage_fd, NULL), 0);
	assert_int_equal(reader_attach(&w->reader, w->event, on_done, w, NULL), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *tree = w->tree;

	(void)kill(w->reader.pid, SIGKILL);
	(void)waitpid(w->reader.pid, NULL, 0);
	reader_done(&w->reader);
	sd_event_unref(w->event);
	(void)close(w->stage_fd);
	assert_int_equal(tree_teardown(&tree), 0);
	free(w);
	return 0;
}

static void wait_done(struct world *w, unsigned n)
{
	while (w->n_done < n)
		assert_true(sd_event_run(w->event, UINT64_MAX) >= 0);
}

static void expect(const struct world *w, const char *path, const char *text)
{
	char buf[64] = "";
	ssize_t n = fd_read_file(w->stage_fd, path, buf, sizeof(buf));

	if (!text)
		assert_int_equal(n, -ENOENT);
	else
		assert_string_equal(buf, text);
}

static void copies_what_counts_and_forgets_what_is_gone(void **state)
{
	struct world *w = *state;

	assert_int_equal(reader_ask(&w->reader, NULL), 0);
	wait_done(w, 1);
	assert_int_equal(w->r, 0);
	expect(w, "etc/aiops/alerts.d/a.yaml", "of the administrator");
	expect(w, "usr/lib/aiops/alerts.d/a.yaml", NULL);
	expect(w, "usr/lib/aiops/alerts.d/b.yaml", NULL);
	expect(w, "usr/lib/aiops/runbooks.d/r.md", "book");
	expect(w, "etc/aiops/services.d/s.yaml", "service");
	assert_int_equal(unlinkat(w->tree->fd, "etc/aiops/alerts.d/a.yaml", 0), 0);
	assert_int_equal(reader_ask(&w->reader, NULL), 0);
	wait_done(w, 2);
	expect(w, "etc/aiops/alerts.d/a.yaml", NULL);
	expect(w, "usr/lib/aiops/alerts.d/a.yaml", "of the package");
}

static void names_the_file_that_cannot_be_read(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdirat(w->tree->fd, "etc/aiops/services.d/x.yaml", 0755), 0);
	assert_int_equal(reader_ask(&w->reader, NULL), 0);
	wait_done(w, 1);
	assert_int_equal(w->r, -EINVAL);
	assert_string_equal(w->err.text, "read '/etc/aiops/services.d/x.yaml': not a regular file");
}

static void reads_once_more_when_asked_while_it_reads(void **state)
{
	struct world *w = *state;

	assert_int_equal(kill(w->reader.pid, SIGSTOP), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(reader_ask(&w->reader, NULL), 0);
	assert_int_equal(sd_event_run(w->event, 0), 0); /* nothing to wait for yet, and no stall */
	assert_int_equal(kill(w->reader.pid, SIGCONT), 0);
	wait_done(w, 2);
	assert_false(w->reader.asked);
}

static void says_when_its_process_is_gone(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_int_equal(kill(w->reader.pid, SIGSTOP), 0);
	assert_int_equal(reader_ask(&w->reader, NULL), 0);
	assert_int_equal(kill(w->reader.pid, SIGKILL), 0);
	wait_done(w, 1);
	assert_int_equal(w->r, -EPIPE);
	assert_int_equal(reader_ask(&w->reader, &err), -EPIPE);
	assert_string_equal(err.text, "read configuration: its reader is gone");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_what_counts_and_forgets_what_is_gone),
		TEST(names_the_file_that_cannot_be_read),
		TEST(reads_once_more_when_asked_while_it_reads),
		TEST(says_when_its_process_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
