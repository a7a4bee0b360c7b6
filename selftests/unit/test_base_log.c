/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "selftests/unit/tree.h"

/* A journald of our own: its socket. */
static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(str_copy(sa.sun_path, sizeof(sa.sun_path), path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static const char *socket_path(const struct tree *t)
{
	static char path[96];

	path[0] = '\0';
	str_append(path, sizeof(path), "%s/socket", t->path);
	return path;
}

static size_t receive(int fd, char *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* Runs f(priority, message) with stderr in a pipe, and returns what came out of it. */
static const char *stderr_of(void (*f)(void))
{
	static char text[4096];
	int fds[2] = { -1, -1 }, saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	(void)dup2(fds[1], STDERR_FILENO);
	f();
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(fds[0]);
	return text;
}

static void sends_journald_its_native_fields(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	const struct log_field fields[] = { { "AIOPS_STATE", "open" }, { "AIOPS_RUNBOOK", NULL } };
	char got[512] = "";

	log_open_to("aiops-test", path);
	log_fields(LOG_WARNING, "it is \"so\"", fields, 2);
	(void)receive(fd, got, sizeof(got));
	assert_string_equal(got, "PRIORITY=4\nSYSLOG_IDENTIFIER=aiops-test\nMESSAGE=it is \"so\"\n"
				 "AIOPS_STATE=open\n");
	assert_int_equal(log_dropped(), 0);
}

static void a_value_of_several_lines_has_its_length_in_front(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	const struct log_field fields[] = { { "A", "x\nMESSAGE=forged" }, { "B", "1" } };
	static const char tail[] = "A\n\x10\0\0\0\0\0\0\0x\nMESSAGE=forged\nB=1\n";
	char got[512] = "";
	size_t n;

	log_open_to("t", path);
	log_fields(LOG_INFO, "m", fields, 2);
	n = receive(fd, got, sizeof(got));
	assert_true(n > sizeof(tail));
	assert_memory_equal(got + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

static void leaves_out_names_that_journald_reserves(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	const struct log_field fields[] = {
		{ "_SYSTEMD_UNIT", "x" }, { "lower", "x" }, { "", "x" },
		{ "A=B", "x" },           { "1A", "x" },    { "GOOD_1", "x" }
	};
	char got[512] = "";

	log_open_to("t", path);
	log_fields(LOG_INFO, "m", fields, ELEMENTSOF(fields));
	(void)receive(fd, got, sizeof(got));
	assert_string_equal(got, "PRIORITY=6\nSYSLOG_IDENTIFIER=t\nMESSAGE=m\nGOOD_1=x\n");
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	_cleanup_free_ char *big = malloc(20001);
	const struct log_field fields[] = { { "BIG", big }, { "SMALL", "x" } };
	char got[512] = "";

	assert_non_null(big);
	memset(big, 'x', 20000);
	big[20000] = '\0';
	log_open_to("t", path);
	log_fields(LOG_INFO, "m", fields, 2);
	(void)receive(fd, got, sizeof(got));
	assert_string_equal(got, "PRIORITY=6\nSYSLOG_IDENTIFIER=t\nMESSAGE=m\nSMALL=x\n");
}

static void formats_a_line_and_cuts_it(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	char got[4096] = "";

	log_open_to("t", path);
	log_line(LOG_ERR, "%s: %d", "answer", 42);
	(void)receive(fd, got, sizeof(got));
	assert_string_equal(got, "PRIORITY=3\nSYSLOG_IDENTIFIER=t\nMESSAGE=answer: 42\n");
	log_line(LOG_ERR, "%2000d", 1);
	assert_true(receive(fd, got, sizeof(got)) < 1100);
}

static void never_waits_for_a_stopped_reader_and_counts(void **state)
{
	const char *path = socket_path(*state);
	_cleanup_close_ int fd = listen_at(path);
	char got[512] = "";
	unsigned read = 0;
	const unsigned sent = 5000; /* more than any queue of datagrams holds */

	log_open_to("t", path);
	for (unsigned i = 0; i < sent; i++)
		log_line(LOG_INFO, "%u", i);
	while (receive(fd, got, sizeof(got)) > 0)
		read++;
	assert_true(log_dropped() > 0);
	assert_int_equal(read + log_dropped(), sent);
}

static void finds_a_restarted_journald_again(void **state)
{
	const char *path = socket_path(*state);
	int first = listen_at(path);
	_cleanup_close_ int second = -EBADF;
	char got[512] = "";

	log_open_to("t", path);
	log_line(LOG_INFO, "one");
	assert_true(receive(first, got, sizeof(got)) > 0);
	(void)close(first);
	(void)unlink(path);
	second = listen_at(path);
	log_line(LOG_INFO, "two");
	assert_true(receive(second, got, sizeof(got)) > 0);
	assert_non_null(strstr(got, "MESSAGE=two"));
}

static void log_something(void)
{
	log_open_to("t", "/nonexistent/socket");
	log_line(LOG_ERR, "a\x1b[2J %d", 1);
	log_line(LOG_INFO, "b");
}

static void without_journald_lines_go_to_stderr(void **state)
{
	(void)state;
	assert_string_equal(stderr_of(log_something), "t: error: a\\x1b[2J 1\nt: b\n");
	assert_int_equal(log_dropped(), 0);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

static void log_more_than_a_pipe_holds(void)
{
	for (unsigned i = 0; i < 10000; i++)
		log_line(LOG_INFO, "line %u of more than a pipe will hold", i);
}

static void never_waits_for_a_pipe_that_nobody_reads(void **state)
{
	(void)state;
	log_open_to("t", "/nonexistent/socket");
	(void)stderr_of(log_more_than_a_pipe_holds);
	assert_true(log_dropped() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(sends_journald_its_native_fields),
		TREE_TEST(a_value_of_several_lines_has_its_length_in_front),
		TREE_TEST(leaves_out_names_that_journald_reserves),
		TREE_TEST(a_field_that_does_not_fit_is_left_out_whole),
		TREE_TEST(formats_a_line_and_cuts_it),
		TREE_TEST(never_waits_for_a_stopped_reader_and_counts),
		TREE_TEST(finds_a_restarted_journald_again),
		TREE_TEST(without_journald_lines_go_to_stderr),
		TREE_TEST(never_waits_for_a_pipe_that_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
