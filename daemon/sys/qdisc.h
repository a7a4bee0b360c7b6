/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/if.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"

/* The queueing discipline at the root of a device, which is taken off and put back as the kernel has it.
 * Source: rtnetlink(7); kernel include/uapi/linux/pkt_sched.h. */

#define QDISC_KIND_MAX  16
#define QDISC_BYTES_MAX 2048

struct qdisc {
	char device[IFNAMSIZ], kind[QDISC_KIND_MAX];
	uint32_t ifindex, handle;    /* 0x80010000 is "8001:" in tc's words */
	char sha256[SHA256_HEX_MAX]; /* of kind and options */
	uint32_t options_size;
	uint8_t options[QDISC_BYTES_MAX];
};

/* Returns 0; -ENODEV: no such device; -ENOENT: no discipline but the kernel's own; -EFBIG; other -errno. */
int qdisc_read_root(const char *device, struct qdisc *ret, struct err *reterr) _warn_unused_;

/* Returns 0; -ENOENT; -ETIMEDOUT: nobody knows; other -errno. */
int qdisc_delete(const struct qdisc *q, struct err *reterr) _warn_unused_;

/* Puts it at the root of its device, where there is no other. Returns 0; -EEXIST; other -errno. */
int qdisc_restore(const struct qdisc *q, struct err *reterr) _warn_unused_;
