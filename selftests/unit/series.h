/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Noise that is the same each time. */
double series_uniform(uint64_t *state); /* 0 to 1 */
double series_normal(uint64_t *state);
