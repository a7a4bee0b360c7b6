/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "recorder/recorder.h"
#include "sys/knowledge.h"

/* aiops-recorder index: makes the knowledge base anew where what it is made of has changed, in a process
 * of its own and with a file of its own that is renamed over the old one. The recorder reads on meanwhile.
 *
 *   runbooks.d/NAME.md                       as aiops-runbook(5) says
 *   docs.d/NAME.{md,txt,conf,yaml,yml,json}  as they are
 *   docs.d/NAME.{pdf,docx}                   through a tool (sys/convert.h)
 *   man:NAME(SECTION) in Documentation= of the units in services.d
 *
 * Below /usr/lib/aiops and /etc/aiops; a file in /etc replaces or masks one of the same name. */

#define INDEX_INPUTS_MAX 1024

/* Returns 1 with *ret filled; 0: nothing had changed; -errno. */
int recorder_index(const struct recorder_paths *paths, struct knowledge_stats *ret,
		   struct err *reterr) _warn_unused_;
