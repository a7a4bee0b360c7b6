/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames that must be refused, by the thousand: noise, and ones of our own with a few bytes changed. What
 * frame_check() would take is not sent: it might be obeyed.
 *
 *   hostileframes SOCKET SEED COUNT    prints how many were sent and how many connections that ended
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/frame.h"

#define NOISE_MAX    (sizeof(struct frame) + 4096)
#define RECEIVE_S    5
#define FRAMES_AFTER 3 /* bad ones behind the first, on a connection that is about to end */

static uint64_t state;

static uint32_t dice(uint32_t n)
{
	/* Numerical Recipes, a 64-bit linear congruence; the upper half is good enough here. */
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % n;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "hostileframes: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Fills buf with something of the size that is returned. */
static size_t make_noise(uint8_t *buf)
{
	struct frame f;
	size_t size;

	frame_init(&f, (enum frame_type)dice(_FRAME_TYPE_MAX));
	size = f.size;
	memcpy(buf, &f, size);
	for (uint32_t n = dice(64); n > 0; n--)
		buf[dice(4) ? FRAME_HEAD_SIZE + dice((uint32_t)(sizeof(f) - FRAME_HEAD_SIZE)) :
			      dice((uint32_t)FRAME_HEAD_SIZE)] = (uint8_t)dice(256);
	if (dice(4) == 0) /* no text in it ends */
		memset(buf + FRAME_HEAD_SIZE, (int)(1 + dice(255)), size - FRAME_HEAD_SIZE);
	return dice(4) ? size : dice((uint32_t)NOISE_MAX) + 1;
}

static void send_bad(int fd)
{
	static union {
		struct frame frame;
		uint8_t bytes[NOISE_MAX];
	} u;
	size_t size;

	do
		size = make_noise(u.bytes);
	while (frame_check(&u.frame, size, NULL) == 0);
	if (send(fd, u.bytes, size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		die("send");
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = RECEIVE_S };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

/* True once the other side has ended it; what it says until then is its hello. */
static bool was_ended(int fd)
{
	struct frame f;
	ssize_t n;

	do
		n = recv(fd, &f, sizeof(f), 0);
	while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

int main(int argc, char **argv)
{
	uint64_t count = 0, ended = 0;

	if (argc != 4 || str_parse_u64(argv[2], &state) < 0 || str_parse_u64(argv[3], &count) < 0)
		return EXIT_FAILURE;
	for (uint64_t i = 0; i < count; i++) {
		int fd = connect_to(argv[1]);

		if (dice(2)) {
			struct frame hello;

			frame_init(&hello, FRAME_HELLO);
			(void)str_copy(hello.hello.process, sizeof(hello.hello.process), "agent");
			(void)send(fd, &hello, hello.size, MSG_NOSIGNAL);
		}
		for (uint32_t n = dice(FRAMES_AFTER) + 1; n > 0; n--)
			send_bad(fd);
		ended += was_ended(fd);
		(void)close(fd);
	}
	(void)printf("%" PRIu64 " connections, %" PRIu64 " ended\n", count, ended);
	return ended == count ? EXIT_SUCCESS : EXIT_FAILURE;
}
