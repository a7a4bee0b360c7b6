/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "ops/inspector.h"
#include "ops/probe.h"
#include "ops/rule.h"

/* A program's plugins as C, for programs that may not link them: what runbooks and alerts may name.
 * Each table ends with an empty entry. */
void describe_head(FILE *out);

/* const struct inspector_info TABLE[] */
void describe_inspectors(FILE *out, const char *table, const struct inspector_ops *const *registry);

/* const struct signal_spec TABLE[], with those of the gateway's checks */
void describe_signals(FILE *out, const char *table, const struct probe_ops *const *registry);

/* const char *const TABLE[] */
void describe_rules(FILE *out, const char *table, const struct rule_ops *const *registry);
