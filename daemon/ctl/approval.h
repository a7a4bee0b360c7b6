/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"

/* Fetches what waits for a person. Prints the error itself and returns its exit code. */
int approval_fetch(const struct ctl *ctl, struct json_object **ret);

/* Approves or denies the pending action whose key begins or ends with id: shows exactly what it is
 * and its undo, asks, and sends the hash of what was shown, so that nothing else can be approved. */
int approval_decide(const struct ctl *ctl, int argc, char **argv, const char *decision);

/* The exit code for the end of an attempt: CTL_UNVERIFIED only where something ran. Pure. */
int approval_exit(struct json_object *attempt);

/* "unit.restart unit=api.service" of an attempt or approval. Returns buf. */
const char *approval_describe(struct json_object *o, char *buf, size_t size);
