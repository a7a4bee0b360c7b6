/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Counters of the network stack, in the files of /proc/net. Source: proc(5), kernel
 * Documentation/networking/snmp_counter.rst, net/core/net-procfs.c. */

#define NETCOUNT_TEXT_MAX (64 * 1024) /* bytes; /proc/net/dev of some 400 devices */

struct netcount_dev {
	char name[IFNAMSIZ];
	uint64_t rx_bytes, rx_errors, rx_drops;
	uint64_t tx_bytes, tx_errors, tx_drops;
};

/* The devices of a /proc/net/dev in text, at most max; their names are ended in place. Returns how many. */
size_t netcount_parse_devs(char *text, struct netcount_dev *ret, size_t max);

/* One figure of a text like /proc/net/snmp or netstat, where a line "Tcp: A B" has the names and the next of that
 * table, "Tcp: 1 2", the figures. Returns 0; -ENODATA if there is none; -EBADMSG. */
int netcount_find(const char *text, const char *table, const char *column,
		  uint64_t *ret) _warn_unused_;

/* One figure of a text like /proc/net/sockstat: "TCP: inuse 2 orphan 0". As above. */
int netcount_find_socket(const char *text, const char *line, const char *key,
			 uint64_t *ret) _warn_unused_;
