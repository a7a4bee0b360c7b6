/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nlraw.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"

#define CALL_MAX_S  5
#define RECEIVE_MAX 32768 /* the kernel's own dump buffer. Source: net/netlink/af_netlink.c */
#define DUMP_MAX_NS (10 * NS_PER_S)

int nlraw_open(struct nlraw *nl, int protocol, struct err *reterr)
{
	const struct timeval wait = { .tv_sec = CALL_MAX_S };

	nl->seq = 1;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (nl->fd < 0 || setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return err_set(reterr, -errno, "open netlink: %s", strerror(errno));
	return 0;
}

void nlraw_done(struct nlraw *nl)
{
	closep(&nl->fd);
	nl->fd = -EBADF;
}

static uint8_t *reserve(struct nlraw_message *m, size_t size)
{
	size_t aligned = NLMSG_ALIGN(size);
	uint8_t *p = &m->data[m->size];

	if (m->is_full || aligned > sizeof(m->data) - m->size) {
		m->is_full = true;
		return NULL;
	}
	memset(p, 0, aligned);
	m->size += aligned;
	return p;
}

static void set_length(struct nlraw_message *m)
{
	const uint32_t length = (uint32_t)(m->size - m->last);

	memcpy(&m->data[m->last + offsetof(struct nlmsghdr, nlmsg_len)], &length, sizeof(length));
}

void nlraw_begin(struct nlraw *nl, struct nlraw_message *m, uint16_t type, uint16_t flags,
		 const void *head, size_t head_size)
{
	const struct nlmsghdr h = { .nlmsg_type = type,
				    .nlmsg_flags = NLM_F_REQUEST | flags,
				    .nlmsg_seq = ++nl->seq };
	size_t at = m->size;
	uint8_t *p = reserve(m, sizeof(h) + head_size);

	if (!p)
		return;
	m->last = at;
	if (flags & NLM_F_ACK)
		m->awaited_seq = h.nlmsg_seq;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), head, head_size);
	set_length(m);
}

void nlraw_put(struct nlraw_message *m, uint16_t attribute, const void *data, size_t size)
{
	const struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + size), .nla_type = attribute };
	uint8_t *p = size < NLRAW_MESSAGE_MAX ? reserve(m, sizeof(a) + size) : NULL;

	if (!p) {
		m->is_full = true;
		return;
	}
	memcpy(p, &a, sizeof(a));
	memcpy(p + sizeof(a), data, size);
	set_length(m);
}

void nlraw_put_text(struct nlraw_message *m, uint16_t attribute, const char *text)
{
	nlraw_put(m, attribute, text, strlen(text) + 1);
}

void nlraw_put_be32(struct nlraw_message *m, uint16_t attribute, uint32_t value)
{
	value = htobe32(value);
	nlraw_put(m, attribute, &value, sizeof(value));
}

void nlraw_put_be64(struct nlraw_message *m, uint16_t attribute, uint64_t value)
{
	value = htobe64(value);
	nlraw_put(m, attribute, &value, sizeof(value));
}

static int send_all(const struct nlraw *nl, const struct nlraw_message *m)
{
	ssize_t n;

	if (m->is_full)
		return -EMSGSIZE;
	n = send(nl->fd, m->data, m->size, 0);
	return n < 0 ? -errno : n == (ssize_t)m->size ? 0 : -EMSGSIZE;
}

static ssize_t receive(const struct nlraw *nl, void *buf)
{
	ssize_t n;

	do
		n = recv(nl->fd, buf, RECEIVE_MAX, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n;
}

/* The code of an error or acknowledgement. */
static int error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	return h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EBADMSG : e->error;
}

int nlraw_talk(struct nlraw *nl, struct nlraw_message *m)
{
	_cleanup_free_ uint8_t *buf = malloc(RECEIVE_MAX);
	int r = buf ? send_all(nl, m) : -ENOMEM;

	while (r == 0) {
		ssize_t n = receive(nl, buf);
		const struct nlmsghdr *h = (const void *)buf;

		if (n < 0)
			return (int)n;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			r = error_of(h);
			if (r < 0 || h->nlmsg_seq == m->awaited_seq)
				return r;
		}
	}
	return r;
}

/* Returns 1 at the end of the dump; 0; -errno; each()'s. */
static int take_dumped(const struct nlraw *nl, const struct nlmsghdr *h,
		       int (*each)(const struct nlmsghdr *h, void *userdata), void *userdata)
{
	if (h->nlmsg_seq != nl->seq)
		return 0;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EAGAIN;
	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (h->nlmsg_type == NLMSG_ERROR)
		return error_of(h) < 0 ? error_of(h) : 1;
	return each(h, userdata);
}

int nlraw_dump(struct nlraw *nl, struct nlraw_message *m,
	       int (*each)(const struct nlmsghdr *h, void *userdata), void *userdata)
{
	_cleanup_free_ uint8_t *buf = malloc(RECEIVE_MAX);
	uint64_t end_ns = clock_boot_ns() + DUMP_MAX_NS;
	int r = buf ? send_all(nl, m) : -ENOMEM;

	while (r == 0) {
		ssize_t n = clock_boot_ns() < end_ns ? receive(nl, buf) : -ETIMEDOUT;
		const struct nlmsghdr *h = (const void *)buf;

		if (n < 0)
			return (int)n;
		for (; r == 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
			r = take_dumped(nl, h, each, userdata);
	}
	return r > 0 ? 0 : r;
}

static const struct nlattr *attribute_at(const void *data, size_t size, size_t at)
{
	const struct nlattr *a = (const void *)((const uint8_t *)data + at);

	if (at > size || size - at < sizeof(*a) || a->nla_len < sizeof(*a) ||
	    a->nla_len > size - at)
		return NULL;
	return a;
}

const struct nlattr *nlraw_first(const void *data, size_t size)
{
	return attribute_at(data, size, 0);
}

const struct nlattr *nlraw_next(const void *data, size_t size, const struct nlattr *a)
{
	size_t at = (size_t)((const uint8_t *)a - (const uint8_t *)data);

	return attribute_at(data, size, at + NLA_ALIGN(a->nla_len));
}

const struct nlattr *nlraw_find(const void *data, size_t size, uint16_t attribute)
{
	const struct nlattr *a = nlraw_first(data, size);

	while (a && nlraw_type(a) != attribute)
		a = nlraw_next(data, size, a);
	return a;
}

const void *nlraw_attributes(const struct nlmsghdr *h, size_t head_size, size_t *ret_size)
{
	size_t head = NLMSG_LENGTH(NLMSG_ALIGN(head_size));

	*ret_size = h->nlmsg_len > head ? h->nlmsg_len - head : 0;
	return (const uint8_t *)h + head;
}

uint32_t nlraw_be32(const struct nlattr *a)
{
	uint32_t value = 0;

	if (a && nlraw_size(a) >= sizeof(value))
		memcpy(&value, nlraw_data(a), sizeof(value));
	return be32toh(value);
}

uint64_t nlraw_be64(const struct nlattr *a)
{
	uint64_t value = 0;

	if (a && nlraw_size(a) >= sizeof(value))
		memcpy(&value, nlraw_data(a), sizeof(value));
	return be64toh(value);
}

const char *nlraw_text(const struct nlattr *a)
{
	const char *text = a ? nlraw_data(a) : "";

	return a && memchr(text, '\0', nlraw_size(a)) ? text : "";
}
