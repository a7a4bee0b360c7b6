/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PEER_FRAMES_PER_WAKEUP 32 /* a busy peer must not keep the loop from the others */
#define PEER_RECONNECT_MAX_NS  (8 * NS_PER_S)
#define PEER_UIDS_MAX          8

struct peer {
	sd_event *event;
	sd_event_source *io, *timer; /* the timer is a client's: reconnect */
	int fd;
	bool up;
	struct sockaddr_un address; /* a client's */
	char process[32], other[32];
	struct peer_handlers handlers;
	void *userdata;
	struct peer_server *server; /* NULL: client */
	struct peer *next;
	uint64_t retry_ns, dropped;
	struct frame *queue[PEER_QUEUE_MAX]; /* a ring of copies */
	unsigned head, queued;
	struct frame in;
};

struct peer_server {
	sd_event *event;
	sd_event_source *accept;
	int fd;
	char process[32];
	unsigned n_peers, peers_max;
	uid_t uids[PEER_UIDS_MAX];
	size_t n_uids;
	struct peer_handlers handlers;
	void *userdata;
	struct peer *peers;
};

static void queue_drop_all(struct peer *p)
{
	for (; p->queued > 0; p->queued--) {
		free(p->queue[p->head]);
		p->head = (p->head + 1) % PEER_QUEUE_MAX;
	}
}

static int queue_add(struct peer *p, const struct frame *f)
{
	struct frame *copy;

	if (p->queued == PEER_QUEUE_MAX) {
		p->dropped++;
		return -ENOBUFS;
	}
	copy = malloc(f->size);
	if (!copy) {
		p->dropped++;
		return -ENOMEM;
	}
	memcpy(copy, f, f->size);
	p->queue[(p->head + p->queued++) % PEER_QUEUE_MAX] = copy;
	return 0;
}

static ssize_t send_now(const struct peer *p, const struct frame *f)
{
	return send(p->fd, f, f->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Sends what is queued until the socket is full. Returns 0; -errno when the other side is gone. */
static int queue_flush(struct peer *p)
{
	while (p->queued > 0) {
		ssize_t r = send_now(p, p->queue[p->head]);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return (int)r;
		free(p->queue[p->head]);
		p->head = (p->head + 1) % PEER_QUEUE_MAX;
		p->queued--;
	}
	return sd_event_source_set_io_events(p->io, EPOLLIN);
}

static int send_or_queue(struct peer *p, const struct frame *f)
{
	ssize_t r = p->queued > 0 ? -EAGAIN : send_now(p, f);
	int q;

	if (r != -EAGAIN)
		return (int)r;
	q = queue_add(p, f);
	if (q < 0)
		return q;
	return sd_event_source_set_io_events(p->io, EPOLLIN | EPOLLOUT);
}

static int send_hello(struct peer *p)
{
	struct frame f;

	frame_init(&f, FRAME_HELLO);
	(void)str_copy(f.hello.process, sizeof(f.hello.process), p->process);
	f.hello.boot_ns = clock_boot_ns();
	return send_or_queue(p, &f);
}

static void close_socket(struct peer *p)
{
	p->io = sd_event_source_disable_unref(p->io);
	if (p->fd >= 0)
		(void)close(TAKE_FD(p->fd));
	queue_drop_all(p);
}

static void arm_reconnect(struct peer *p)
{
	(void)sd_event_source_set_time_relative(p->timer, p->retry_ns / NS_PER_US);
	(void)sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
	p->retry_ns = p->retry_ns * 2 < PEER_RECONNECT_MAX_NS ? p->retry_ns * 2 :
								PEER_RECONNECT_MAX_NS;
}

static void server_remove(struct peer_server *s, struct peer *p)
{
	for (struct peer **i = &s->peers; *i; i = &(*i)->next)
		if (*i == p) {
			*i = p->next;
			s->n_peers--;
			return;
		}
}

/* Ends the connection: a client tries again later, a server's peer is freed. */
static void peer_lost(struct peer *p)
{
	bool was_up = p->up;

	p->up = false;
	close_socket(p);
	if (was_up && p->handlers.down)
		p->handlers.down(p->userdata, p);
	if (p->server) {
		server_remove(p->server, p);
		p->server = NULL;
		(void)peer_free(p);
		return;
	}
	arm_reconnect(p);
}

/* Takes one frame from the socket. Returns 1; 0 when there is none; -errno when the peer is to be
 * dropped. */
static int receive_frame(struct peer *p)
{
	ssize_t n = recv(p->fd, &p->in, sizeof(p->in), MSG_DONTWAIT | MSG_TRUNC);
	struct err err = { 0 };

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n > sizeof(p->in))
		return -EBADMSG;
	return frame_check(&p->in, (size_t)n, &err) < 0 ? -EBADMSG : 1;
}

static void dispatch_frame(struct peer *p)
{
	if (p->in.type == FRAME_HELLO) {
		if (p->up)
			return;
		p->up = true;
		p->retry_ns = PEER_RECONNECT_NS;
		(void)str_copy(p->other, sizeof(p->other), p->in.hello.process);
		if (p->handlers.up)
			p->handlers.up(p->userdata, p);
		return;
	}
	if (p->up)
		p->handlers.frame(p->userdata, p, &p->in);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct peer *p = userdata;
	int r = 0;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		r = queue_flush(p);
	for (unsigned i = 0; r >= 0 && i < PEER_FRAMES_PER_WAKEUP; i++) {
		r = receive_frame(p);
		if (r == 0)
			break;
		if (r > 0)
			dispatch_frame(p);
	}
	if (r < 0)
		peer_lost(p);
	return 0;
}

/* Watches a connected socket and says hello. Returns 0; -errno. */
static int peer_attach(struct peer *p)
{
	int r = sd_event_add_io(p->event, &p->io, p->fd, EPOLLIN, on_io, p);

	if (r < 0)
		return r;
	return send_hello(p);
}

static int try_connect(struct peer *p)
{
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	if (connect(p->fd, (const struct sockaddr *)&p->address, sizeof(p->address)) < 0)
		return -errno;
	return peer_attach(p);
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct peer *p = userdata;

	(void)source;
	(void)usec;
	if (try_connect(p) < 0) {
		close_socket(p);
		arm_reconnect(p);
	}
	return 0;
}

static struct peer *peer_new(sd_event *event, const char *process,
			     const struct peer_handlers *handlers, void *userdata)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->event = sd_event_ref(event);
	p->fd = -EBADF;
	p->handlers = *handlers;
	p->userdata = userdata;
	p->retry_ns = PEER_RECONNECT_NS;
	(void)str_copy(p->process, sizeof(p->process), process);
	return p;
}

DEFINE_CLEANUP(struct peer *, peer_free);
DEFINE_CLEANUP(struct peer_server *, peer_server_free);

int peer_connect(sd_event *event, const char *path, const char *process,
		 const struct peer_handlers *handlers, void *userdata, struct peer **ret,
		 struct err *reterr)
{
	_cleanup_(peer_freep) struct peer *p = peer_new(event, process, handlers, userdata);
	int r;

	if (!p)
		return err_set(reterr, -ENOMEM, "connect to '%s': Out of memory", path);
	p->address.sun_family = AF_UNIX;
	if (str_copy(p->address.sun_path, sizeof(p->address.sun_path), path) < 0)
		return err_set(reterr, -ENAMETOOLONG, "connect to '%s': Path too long", path);
	r = sd_event_add_time_relative(event, &p->timer, CLOCK_BOOTTIME, 0, 10000, on_reconnect, p);
	if (r < 0)
		return err_set(reterr, r, "connect to '%s': %s", path, strerror(-r));
	*ret = TAKE_PTR(p);
	return 0;
}

/* Returns (uid_t)-1 on any doubt. */
static uid_t read_uid(int fd)
{
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 || size != sizeof(cred))
		return (uid_t)-1;
	return cred.uid;
}

static bool uid_is_allowed(const struct peer_server *s, int fd)
{
	uid_t uid = read_uid(fd);

	if (uid == 0)
		return true;
	for (size_t i = 0; uid != (uid_t)-1 && i < s->n_uids; i++)
		if (s->uids[i] == uid)
			return true;
	return false;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct peer_server *s = userdata;
	_cleanup_close_ int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p;

	(void)source;
	(void)revents;
	if (conn < 0 || s->n_peers >= s->peers_max || !uid_is_allowed(s, conn))
		return 0;
	p = peer_new(s->event, s->process, &s->handlers, s->userdata);
	if (!p)
		return 0;
	p->fd = TAKE_FD(conn);
	p->server = s;
	p->next = s->peers;
	s->peers = p;
	s->n_peers++;
	if (peer_attach(p) < 0)
		peer_lost(p);
	return 0;
}

int peer_serve(sd_event *event, int listen_fd, const char *process, unsigned peers_max,
	       const uid_t *uids, size_t n_uids, const struct peer_handlers *handlers,
	       void *userdata, struct peer_server **ret, struct err *reterr)
{
	_cleanup_(peer_server_freep) struct peer_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s || n_uids > PEER_UIDS_MAX)
		return err_set(reterr, -ENOMEM, "serve frames: Out of memory");
	s->event = sd_event_ref(event);
	s->fd = listen_fd;
	s->peers_max = peers_max;
	s->n_uids = n_uids;
	if (n_uids > 0)
		memcpy(s->uids, uids, n_uids * sizeof(*uids));
	s->handlers = *handlers;
	s->userdata = userdata;
	(void)str_copy(s->process, sizeof(s->process), process);
	r = sd_event_add_io(event, &s->accept, listen_fd, EPOLLIN, on_accept, s);
	if (r < 0)
		return err_set(reterr, r, "serve frames: %s", strerror(-r));
	*ret = TAKE_PTR(s);
	return 0;
}

struct peer_server *peer_server_free(struct peer_server *s)
{
	if (!s)
		return NULL;
	while (s->peers) {
		struct peer *p = s->peers;

		s->peers = p->next;
		(void)peer_free(p);
	}
	s->accept = sd_event_source_disable_unref(s->accept);
	s->event = sd_event_unref(s->event);
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s);
	return NULL;
}

int peer_send(struct peer *p, const struct frame *f)
{
	return p->up ? send_or_queue(p, f) : -ENOTCONN;
}

void peer_server_broadcast(struct peer_server *s, const struct frame *f)
{
	for (struct peer *p = s->peers; p; p = p->next)
		(void)peer_send(p, f);
}

bool peer_is_up(const struct peer *p)
{
	return p->up;
}

const char *peer_process(const struct peer *p)
{
	return p->other;
}

uid_t peer_uid(const struct peer *p)
{
	return read_uid(p->fd);
}

uint64_t peer_dropped(const struct peer *p)
{
	return p->dropped;
}

struct peer *peer_free(struct peer *p)
{
	if (!p)
		return NULL;
	close_socket(p);
	p->timer = sd_event_source_disable_unref(p->timer);
	p->event = sd_event_unref(p->event);
	free(p);
	return NULL;
}
