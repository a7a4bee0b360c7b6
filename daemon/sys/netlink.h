/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Links and traffic control, of what a fault needs. Whatever we make carries our mark (qdisc handle,
 * filter priority) and only that is deleted; the root qdisc of a device that is not ours is never
 * looked at twice. Source: kernel Documentation/networking/, rtnetlink(7), tc-fw(8), tc-netem(8). */

#define NETLINK_LINKS_MAX     16
#define NETLINK_QDISC_HANDLE  0xa1050000u /* "a105:" in tc's words */
#define NETLINK_FILTER_PRIO   0xa105u
#define NETLINK_LINK_KIND_MAX 16

struct netlink;

/* Returns 0; -errno. */
int netlink_open(struct netlink **ret, struct err *reterr) _warn_unused_;
struct netlink *netlink_free(struct netlink *nl);
DEFINE_CLEANUP(struct netlink *, netlink_free);

struct netlink_link {
	uint32_t index;
	char name[IFNAMSIZ];
	char kind
		[NETLINK_LINK_KIND_MAX]; /* "ifb", "veth", ...; "": the loopback or real hardware */
	char qdisc[NETLINK_LINK_KIND_MAX];
	bool is_up;
};

/* All links, at most max. Returns how many; -E2BIG over max; -errno. */
ssize_t netlink_list_links(struct netlink *nl, struct netlink_link *ret, size_t max,
			   struct err *reterr) _warn_unused_;

/* Returns 0; -ENODEV. */
int netlink_find_link(struct netlink *nl, const char *name, struct netlink_link *ret,
		      struct err *reterr) _warn_unused_;

/* Makes an ifb device and sets it up. Returns 0; -EEXIST; -EOPNOTSUPP: the kernel has none. */
int netlink_add_ifb(struct netlink *nl, const char *name, struct netlink_link *ret,
		    struct err *reterr) _warn_unused_;

/* Deletes the ifb of that name. Returns 1; 0: there is none; -EBUSY: it is no ifb. */
int netlink_delete_ifb(struct netlink *nl, const char *name, struct err *reterr) _warn_unused_;

struct netlink_netem {
	uint32_t delay_us, jitter_us;
	uint32_t queue_packets; /* beyond it netem drops */
};

/* Puts netem at the root of one of our own links. Returns 0; -errno. */
int netlink_add_netem(struct netlink *nl, uint32_t ifindex, const struct netlink_netem *netem,
		      struct err *reterr) _warn_unused_;

/* Packets that came to that netem. Returns 0; -ENOENT: it has none. */
int netlink_read_netem_packets(struct netlink *nl, uint32_t ifindex, uint64_t *ret,
			       struct err *reterr) _warn_unused_;

/* Returns 1: made; 0: there was one; -errno. */
int netlink_add_clsact(struct netlink *nl, uint32_t ifindex, struct err *reterr) _warn_unused_;

/* Deletes it if no filter is left on it. Returns 1: deleted; 0: none, or in use; -errno. */
int netlink_delete_clsact(struct netlink *nl, uint32_t ifindex, struct err *reterr) _warn_unused_;

/* An egress filter on clsact: what has the mark goes to another link's queue. */
struct netlink_redirect {
	uint32_t ifindex, to_ifindex;
	uint32_t mark; /* also the mask */
};

/* Returns 0; -EEXIST; -errno. */
int netlink_add_redirect(struct netlink *nl, const struct netlink_redirect *redirect,
			 struct err *reterr) _warn_unused_;

/* Deletes ours: same priority, mark and target (or a target that is gone).
 * Returns 1; 0: there is none; -ESTALE: one of our priority is another's by now; -errno. */
int netlink_delete_redirect(struct netlink *nl, const struct netlink_redirect *redirect,
			    struct err *reterr) _warn_unused_;
