/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"

/* Reads every file of every kind as the daemons do, prints each mistake with FILE:LINE:COLUMN and
 * returns the exit code. root_fd: where usr/lib/aiops and etc/aiops are looked for. */
int config_check(const struct ctl *ctl, int root_fd);
