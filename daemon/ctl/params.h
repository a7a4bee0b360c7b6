/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"
#include "model/param.h"

/* NAME=VALUE arguments (cut in place) against specs: a mistake is named before anything is asked or
 * sent. Prints the error itself and returns its exit code. */
int params_from_arguments(const struct ctl *ctl, const struct param_spec *specs, int argc,
			  char **argv, struct params *ret);

/* "unit=UNIT [delay_ms=100]" as a synopsis. Returns buf. */
const char *params_synopsis(const struct param_spec *specs, char *buf, size_t size);
