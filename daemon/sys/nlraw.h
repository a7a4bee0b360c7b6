/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Netlink as the bytes it is: what is read can be written back exactly, which no library promises.
 * Source: netlink(7); kernel Documentation/userspace-api/netlink/intro.rst. */

#define NLRAW_MESSAGE_MAX 8192

struct nlraw {
	int fd;
	uint32_t seq;
};

/* Opens a socket of a protocol (NETLINK_ROUTE, NETLINK_NETFILTER), whose calls take 5 s at most.
 * Returns 0; -errno. */
int nlraw_open(struct nlraw *nl, int protocol, struct err *reterr) _warn_unused_;
void nlraw_done(struct nlraw *nl);

/* One or several messages being built. A full buffer is remembered and fails the send with -EMSGSIZE. */
struct nlraw_message {
	size_t size, last;    /* bytes; where the newest message begins */
	uint32_t awaited_seq; /* of the newest that asks for an answer */
	bool is_full;
	_Alignas(NLMSG_ALIGNTO) uint8_t data[NLRAW_MESSAGE_MAX];
};

/* Begins a message with its fixed header. */
void nlraw_begin(struct nlraw *nl, struct nlraw_message *m, uint16_t type, uint16_t flags,
		 const void *head, size_t head_size);
void nlraw_put(struct nlraw_message *m, uint16_t attribute, const void *data, size_t size);
void nlraw_put_text(struct nlraw_message *m, uint16_t attribute, const char *text);
void nlraw_put_be32(struct nlraw_message *m, uint16_t attribute, uint32_t value);
void nlraw_put_be64(struct nlraw_message *m, uint16_t attribute, uint64_t value);

/* Sends the messages and waits until the newest that asks for an answer (NLM_F_ACK) has it. Returns 0;
 * the kernel's -errno for any of them; -ETIMEDOUT: nobody knows. */
int nlraw_talk(struct nlraw *nl, struct nlraw_message *m) _warn_unused_;

/* Sends a dump request and calls each for every answer, which it stops with a return other than 0.
 * Returns 0; that; the kernel's -errno; -EAGAIN: it changed meanwhile; -ETIMEDOUT. */
int nlraw_dump(struct nlraw *nl, struct nlraw_message *m,
	       int (*each)(const struct nlmsghdr *h, void *userdata), void *userdata) _warn_unused_;

/* Attributes of a byte range. Returns the first, or the one after a; NULL at the end or at what is cut. */
const struct nlattr *nlraw_first(const void *data, size_t size);
const struct nlattr *nlraw_next(const void *data, size_t size, const struct nlattr *a);

/* The attribute of that type, or NULL. */
const struct nlattr *nlraw_find(const void *data, size_t size, uint16_t attribute);

/* What follows the fixed header of a message; *ret_size 0 if it is cut. */
const void *nlraw_attributes(const struct nlmsghdr *h, size_t head_size, size_t *ret_size);

static inline const void *nlraw_data(const struct nlattr *a)
{
	return a + 1;
}

static inline size_t nlraw_size(const struct nlattr *a)
{
	return a->nla_len - sizeof(*a);
}

static inline uint16_t nlraw_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

/* 0 for what is absent or too short. */
uint32_t nlraw_be32(const struct nlattr *a);
uint64_t nlraw_be64(const struct nlattr *a);

/* The text of an attribute, terminated; "" for what is absent or not terminated. */
const char *nlraw_text(const struct nlattr *a);
