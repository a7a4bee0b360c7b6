/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/fuzz/httpfuzz.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define TURNS_MAX  400
#define ANSWER_MAX (1 << 20)

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void remove_directory(void)
{
	(void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A journal that nobody reads: what is logged is dropped. */
static void open_log(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	str_append(sa.sun_path, sizeof(sa.sun_path), "%s/log", directory);
	r = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
	assert(fd >= 0 && r == 0);
	log_open_to("fuzz", sa.sun_path);
}

const char *httpfuzz_directory(void)
{
	if (!directory[0]) {
		(void)str_copy(directory, sizeof(directory), "/dev/shm/httpfuzz-XXXXXX");
		assert(mkdtemp(directory));
		(void)atexit(remove_directory);
		open_log();
	}
	return directory;
}

static int connect_to(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	str_append(sa.sun_path, sizeof(sa.sun_path), "%s/%s.sock", httpfuzz_directory(), name);
	r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	assert(fd >= 0 && r == 0);
	return fd;
}

static void send_bytes(int fd, const void *data, size_t size)
{
	ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	assert(n >= 0 || errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

/* "METHOD URL\nBODY" as a request. */
static void send_framed(int fd, const char *data, size_t size)
{
	const char *newline = memchr(data, '\n', size);
	size_t line = newline ? (size_t)(newline - data) : size;
	size_t body = newline ? size - line - 1 : 0;
	_cleanup_free_ char *text = NULL;
	int n = asprintf(&text, "%.*s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
			 (int)line, data, body);

	assert(n > 0);
	send_bytes(fd, text, (size_t)n);
	if (body > 0)
		send_bytes(fd, newline + 1, body);
}

/* Appends what has come. Returns false at the end. */
static bool receive(int fd, char *answer, size_t *used)
{
	for (;;) {
		ssize_t n = recv(fd, answer + *used, ANSWER_MAX - *used, MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		*used += (size_t)n;
		assert(*used < ANSWER_MAX);
	}
}

static void check_answer(const char *answer, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *body = memmem(answer, size, "\r\n\r\n", 4);
	int status = 0;

	if (size == 0)
		return;
	assert(sscanf(answer, "HTTP/1.%*1[01] %3d ", &status) == 1 && status != 500);
	if (!body || !memmem(answer, (size_t)(body - answer), "application/json", 16))
		return;
	body += 4;
	size -= (size_t)(body - answer);
	if (size > 0 && size <= JSON_TEXT_MAX)
		assert(json_parse(body, size, &o, NULL) == 0);
}

void httpfuzz_send(sd_event *event, const char *name, const uint8_t *data, size_t size)
{
	static char answer[ANSWER_MAX + 1];
	int fd = connect_to(name);
	size_t used = 0;
	bool open = true;

	if (size > 0 && data[0] == '!')
		send_framed(fd, (const char *)data + 1, size - 1);
	else
		send_bytes(fd, data, size);
	for (unsigned i = 0; i < TURNS_MAX && open; i++) {
		assert(sd_event_run(event, 0) >= 0);
		open = receive(fd, answer, &used);
		if (i == 4) /* later than the bytes: libmicrohttpd waits for an edge of its own */
			(void)shutdown(fd, SHUT_WR);
	}
	assert(!open);
	answer[used] = '\0';
	check_answer(answer, used);
	(void)close(fd);
}
