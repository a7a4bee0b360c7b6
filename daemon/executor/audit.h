/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "executor/store.h"
#include "ipc/peer.h"

/* Audit entries on their way to the recorder: each is a file in PATH_EXEC_DIR/audit until the recorder has
 * acknowledged it, so that neither a hanging disk nor a dead recorder loses one. */

#define AUDIT_ENTRIES_MAX 1024
/* New actions are refused from here on: the rest is for the ends of what runs and for undo. */
#define AUDIT_FULL_AT   960
#define AUDIT_IN_FLIGHT 32 /* sent and not acknowledged at once */

struct audit_queue {
	const struct store *store;
	uint64_t last_seq;
	size_t n, n_sent;
	uint64_t seqs[AUDIT_ENTRIES_MAX]; /* ascending; the first n_sent are on their way */
	uint64_t dropped;
};

/* Finds what was not acknowledged to an earlier process. */
void audit_queue_init(struct audit_queue *q, const struct store *store);

/* Keeps one. Returns 0; -ENOSPC: dropped and counted; -errno. */
int audit_queue_add(struct audit_queue *q, struct audit_entry *entry, struct err *reterr);
/* Sends what may be sent now. */
void audit_queue_send(struct audit_queue *q, struct peer *recorder);
/* The connection is new: everything not acknowledged goes again. */
void audit_queue_restart(struct audit_queue *q);
void audit_queue_ack(struct audit_queue *q, uint64_t seq);
