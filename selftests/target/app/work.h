/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Chunks of work that take an undisturbed CPU 20 ms. Takes 80 ms. */
uint64_t work_measure_chunks(void);

/* Does them, and returns a number that nothing else gives. */
uint64_t work_do(uint64_t seed, uint64_t chunks);
