/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "ipc/handover.h"

#define ACCEPT_AGAIN_US \
	100000 /* after an error that is not the caller's, as of too many open files */

static const struct http_refusal crowded = { "too many connections of one user",
					     "close some and try again" };

struct pending {
	struct front *front;
	int fd;
	uid_t uid;
	sd_event_source *io, *timer;
};

struct front {
	sd_event *event;
	sd_event_source *listen, *again;
	int listen_fd, send_fd;
	struct front_route route;
	char to[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct pending pending[HANDOVER_PENDING_MAX];
};

/* Forgets a connection, whose descriptor is someone else's by now or is closed here. */
static void release(struct pending *p)
{
	p->io = sd_event_source_disable_unref(p->io);
	p->timer = sd_event_source_disable_unref(p->timer);
	closep(&p->fd);
	p->fd = -EBADF;
}

enum handover_owner handover_owner_of(const char *const *prefixes, const char *line, size_t n)
{
	const char *path = memchr(line, ' ', n);
	size_t length = path ? n - (size_t)(path + 1 - line) : 0;
	bool open = !path;

	for (const char *const *p = prefixes; path && *p; p++) {
		size_t k = strlen(*p) < length ? strlen(*p) : length;

		if (strncmp(path + 1, *p, k) != 0)
			continue;
		if (k == strlen(*p))
			return HANDOVER_OWNER_OTHER;
		open = true;
	}
	return open && n < HANDOVER_LINE_MAX ? HANDOVER_OWNER_UNKNOWN : HANDOVER_OWNER_US;
}

/* Returns 0; -errno: it is still ours. */
static int hand_over(struct front *f, int fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	(void)str_copy(to.sun_path, sizeof(to.sun_path), f->to);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(f->send_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void route(struct pending *p)
{
	struct front *f = p->front;
	char line[HANDOVER_LINE_MAX];
	ssize_t n = recv(p->fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT);
	enum handover_owner owner;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		release(p);
		return;
	}
	owner = handover_owner_of(f->route.prefixes, line, (size_t)n);
	if (owner == HANDOVER_OWNER_UNKNOWN)
		return;
	if (owner == HANDOVER_OWNER_US)
		http_adopt(f->route.server, TAKE_FD(p->fd), NULL);
	else if (hand_over(f, p->fd) < 0)
		http_adopt(f->route.server, TAKE_FD(p->fd), f->route.away);
	release(p);
}

static int on_bytes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	route(userdata);
	return 0;
}

static int on_too_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	release(userdata);
	return 0;
}

/* A place for a connection of uid; NULL where there is none. */
static struct pending *find_place(struct front *f, uid_t uid)
{
	struct pending *place = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < ELEMENTSOF(f->pending); i++) {
		if (f->pending[i].fd < 0)
			place = place ? place : &f->pending[i];
		else
			n += f->pending[i].uid == uid;
	}
	return n < HANDOVER_PER_UID_MAX ? place : NULL;
}

static void take(struct front *f, int fd)
{
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	struct pending *p;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ||
	    !(p = find_place(f, cred.uid))) {
		http_adopt(f->route.server, fd, &crowded);
		return;
	}
	p->fd = fd;
	p->uid = cred.uid;
	/* By edges: what is only looked at stays readable. */
	r = sd_event_add_io(f->event, &p->io, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_bytes, p);
	if (r >= 0)
		r = sd_event_add_time_relative(f->event, &p->timer, CLOCK_MONOTONIC,
					       HANDOVER_WAIT_US, 0, on_too_slow, p);
	if (r < 0)
		release(p);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct front *f = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(f->listen, SD_EVENT_ON);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct front *f = userdata;

	(void)revents;
	for (unsigned i = 0; i < HANDOVER_PENDING_MAX; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0) {
			take(f, client);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			break;
		/* It stays readable: the loop would do nothing else. */
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		(void)sd_event_source_set_time_relative(f->again, ACCEPT_AGAIN_US);
		(void)sd_event_source_set_enabled(f->again, SD_EVENT_ONESHOT);
		break;
	}
	return 0;
}

int front_new(sd_event *event, int listen_fd, const struct front_route *to, struct front **ret,
	      struct err *reterr)
{
	struct front *f = calloc(1, sizeof(*f));
	int r;

	if (!f) {
		(void)close(listen_fd);
		return err_set(reterr, -ENOMEM, "serve: %s", strerror(ENOMEM));
	}
	f->event = sd_event_ref(event);
	f->listen_fd = listen_fd;
	f->route = *to;
	for (size_t i = 0; i < ELEMENTSOF(f->pending); i++)
		f->pending[i] = (struct pending){ .front = f, .fd = -EBADF };
	f->send_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = f->send_fd < 0 ? -errno : str_copy(f->to, sizeof(f->to), to->to);
	if (r >= 0)
		r = sd_event_add_io(event, &f->listen, listen_fd, EPOLLIN, on_connection, f);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &f->again, CLOCK_MONOTONIC, 0, 0, on_again,
					       f);
	if (r < 0) {
		front_free(f);
		return err_set(reterr, r, "serve: %s", strerror(-r));
	}
	*ret = f;
	return 0;
}

struct front *front_free(struct front *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < ELEMENTSOF(f->pending); i++)
		release(&f->pending[i]);
	sd_event_source_disable_unref(f->listen);
	sd_event_source_disable_unref(f->again);
	closep(&f->listen_fd);
	closep(&f->send_fd);
	sd_event_unref(f->event);
	free(f);
	return NULL;
}
