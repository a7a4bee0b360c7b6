/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "model/param.h"

/* Tables of parameters as C, for `PROGRAM describe` (build/gen/NAME_table.c). */

/* ".key = "text", " as a C string; nothing for NULL. Our own texts hold no control characters. */
void param_source_text(FILE *out, const char *key, const char *text);

/* "static const struct param_spec params_N[] = { ... };" and what it points to. */
void param_source_specs(FILE *out, unsigned n, const struct param_spec *specs);
