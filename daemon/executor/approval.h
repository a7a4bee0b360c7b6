/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "executor/attempts.h"

/* What a person approves is these bytes and nothing else; the answer must give back their hash. */

#define APPROVALS_MAX        5 /* pending; nobody reads a longer list with care */
#define APPROVALS_REMOTE_MAX 2 /* of them: who has only a key keeps nobody else from asking */
#define APPROVAL_BYTES_MAX   4096

/* The canonical action: version, key, boot, expiry, operation, action, risk and parameters, one a
 * line. Returns buf. */
const char *approval_format(const struct entry *e, const char *boot_id, char *buf, size_t size);

/* Fills e->hash. Returns 0; -ENOMEM. */
int approval_seal(struct entry *e, const char *boot_id) _warn_unused_;

/* May uid decide this with this hash now? Returns 0; -EALREADY: does not wait; -ESTALE: too late or the
 * hash is of another action; -EPERM: a destructive action takes a second person. Pure. */
int approval_check(const struct entry *e, const char *hash, bool approve, uint32_t uid,
		   uint64_t now_ns, struct err *reterr) _warn_unused_;
