/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"
#include "sys/knowledge.h"

/* aiopsctl runbooks search TEXT...; with --incident no TEXT. Asks the recorder; where it does not run, or
 * has no knowledge base yet, looks through these runbooks itself. */
int runbook_search(const struct ctl *ctl, const struct runbooks *all, int argc, char **argv);

/* An index of these runbooks in memory. Returns 0; -errno. */
int runbook_search_index(const struct runbooks *all, struct knowledge **ret,
			 struct err *reterr) _warn_unused_;

/* Whether text finds the runbook id first. Returns 0; -EBADMSG saying what came before it. */
int runbook_search_test(struct knowledge *k, const char *id, const char *text,
			struct err *reterr) _warn_unused_;
