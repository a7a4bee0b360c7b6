/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"
#include "model/record.h"

/* Records as a person reads them. */

/* GET of prefix + id from the recorder, or from the agent's memory where the recorder is down. Prints
 * the error itself and returns its exit code. */
int story_fetch(const struct ctl *ctl, const char *prefix, const char *id,
		struct json_object **ret);

/* {"incident":{...},"records":[...]}: head and timeline. */
void story_print_incident(const struct ctl *ctl, struct json_object *answer);

/* One record in a few lines, the first behind prefix: what it says, and what was ruled out. */
void story_print_record(const struct ctl *ctl, struct json_object *record, const char *prefix);
