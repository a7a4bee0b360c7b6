/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "ipc/handover.h"

#define MESSAGES_MAX  32              /* in one turn of the loop */
#define FDS_MAX       4               /* one is allowed; more are closed, not leaked */
#define TELL_EVERY_NS (10 * NS_PER_S) /* what is refused; between two it is counted */

struct receiver {
	sd_event_source *io;
	int fd;
	uid_t uid;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct http_server *server;
	uint64_t told_ns;
	unsigned n_untold;
};

static bool option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

static bool peer_has_no_name(int fd)
{
	struct sockaddr_un peer = { 0 };
	socklen_t size = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
	       size == offsetof(struct sockaddr_un, sun_path);
}

/* A stream that was accepted on the socket whose name is ours to know: handover.h. */
static bool is_accepted_there(const struct receiver *r, int fd)
{
	struct sockaddr_un own = { 0 };
	socklen_t size = sizeof(own);

	return peer_has_no_name(fd) && option_is(fd, SO_DOMAIN, AF_UNIX) &&
	       option_is(fd, SO_TYPE, SOCK_STREAM) && option_is(fd, SO_ACCEPTCONN, 0) &&
	       getsockname(fd, (struct sockaddr *)&own, &size) == 0 && size <= sizeof(own) &&
	       str_is_terminated(own.sun_path, sizeof(own.sun_path)) &&
	       str_equal(own.sun_path, r->name);
}

static bool has_gone(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) != 0;
}

static void tell_refused(struct receiver *r, uid_t sender)
{
	uint64_t now_ns = clock_boot_ns();

	if (r->told_ns && now_ns - r->told_ns < TELL_EVERY_NS) {
		r->n_untold++;
		return;
	}
	log_line(LOG_WARNING,
		 "Refused what uid %u handed over, and %u before it: no connection to '%s'", sender,
		 r->n_untold, r->name);
	r->told_ns = now_ns;
	r->n_untold = 0;
}

static void adopt(struct receiver *r, int fd, uid_t sender)
{
	int flags = fcntl(fd, F_GETFL);
	bool is_one = (sender == r->uid || sender == 0) && is_accepted_there(r, fd);

	if (is_one && !has_gone(fd) && flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
		http_adopt(r->server, fd, NULL);
		return;
	}
	(void)close(fd);
	if (!is_one)
		tell_refused(r, sender);
}

/* What came with one message. */
static void take(struct receiver *r, struct msghdr *m)
{
	uid_t sender = (uid_t)-1;
	int fds[FDS_MAX];
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			sender = cred.uid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			n = n < FDS_MAX ? n : FDS_MAX;
			memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		}
	}
	if (n == 1) {
		adopt(r, fds[0], sender);
		return;
	}
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)revents;
	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int)) +
						      CMSG_SPACE(sizeof(struct ucred))];
		char byte;
		struct iovec iov = { &byte, 1 };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
			break;
		take(userdata, &m);
	}
	return 0;
}

int receiver_new(sd_event *event, int datagram_fd, const struct receiver_source *source,
		 struct receiver **ret, struct err *reterr)
{
	struct receiver *r = calloc(1, sizeof(*r));
	int one = 1, k;

	if (!r) {
		(void)close(datagram_fd);
		return err_set(reterr, -ENOMEM, "receive connections: %s", strerror(ENOMEM));
	}
	r->fd = datagram_fd;
	r->uid = source->uid;
	r->server = source->server;
	k = str_copy(r->name, sizeof(r->name), source->name);
	if (k == 0 && setsockopt(datagram_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		k = -errno;
	if (k == 0)
		k = sd_event_add_io(event, &r->io, datagram_fd, EPOLLIN, on_message, r);
	if (k < 0) {
		receiver_free(r);
		return err_set(reterr, k, "receive connections: %s", strerror(-k));
	}
	*ret = r;
	return 0;
}

struct receiver *receiver_free(struct receiver *r)
{
	if (!r)
		return NULL;
	sd_event_source_disable_unref(r->io);
	closep(&r->fd);
	free(r);
	return NULL;
}
