/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One client that asks a server on a Unix socket the same again and again, one request after another, and
 * says how long each took. In C, so that it is not the client that is measured.
 *
 *   httpload SOCKET URL close|keep SECONDS    -> REQUESTS P50_US P99_US
 *
 * close: a connection for each request; keep: one for all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define SAMPLES_MAX (1 << 20)
#define ANSWER_MAX  (256 * 1024)

static char answer[ANSWER_MAX + 1];

static void die(const char *what)
{
	(void)fprintf(stderr, "httpload: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

/* Bytes of the whole answer once its head is here; 0 before. */
static size_t whole_size(size_t used)
{
	const char *end, *length;

	answer[used] = '\0';
	end = strstr(answer, "\r\n\r\n");
	if (!end)
		return 0;
	length = strcasestr(answer, "\r\ncontent-length:");
	if (!length || length > end)
		die("no Content-Length");
	return (size_t)(end + 4 - answer) + strtoull(length + 17, NULL, 10);
}

static void ask(int fd, const char *request)
{
	size_t used = 0, whole = 0;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		die("send");
	while (whole == 0 || used < whole) {
		ssize_t n = recv(fd, answer + used, ANSWER_MAX - used, 0);

		if (n <= 0)
			die("receive");
		used += (size_t)n;
		whole = whole_size(used);
		if (whole > ANSWER_MAX)
			die("answer");
	}
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
		die("not 200");
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int main(int argc, char **argv)
{
	static uint32_t took_ns[SAMPLES_MAX];
	char request[256] = "";
	uint64_t seconds = 0, end_ns;
	size_t n = 0;
	bool keep;
	int fd = -EBADF;

	if (argc != 5 || str_parse_u64(argv[4], &seconds) < 0)
		return EXIT_FAILURE;
	keep = str_equal(argv[3], "keep");
	str_append(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", argv[2],
		   keep ? "" : "Connection: close\r\n");
	end_ns = clock_boot_ns() + seconds * NS_PER_S;
	while (n < SAMPLES_MAX && clock_boot_ns() < end_ns) {
		uint64_t begin_ns = clock_boot_ns();

		if (fd < 0)
			fd = connect_to(argv[1]);
		ask(fd, request);
		took_ns[n++] = (uint32_t)(clock_boot_ns() - begin_ns);
		if (!keep) {
			(void)close(fd);
			fd = -EBADF;
		}
	}
	qsort(took_ns, n, sizeof(took_ns[0]), compare);
	(void)printf("%zu %.1f %.1f\n", n, n ? took_ns[n / 2] / 1e3 : 0,
		     n ? took_ns[n * 99 / 100] / 1e3 : 0);
	return EXIT_SUCCESS;
}
