/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What a load saw: answers and the time each took. */

#define MEASURE_MAX 1000000 /* answers */

struct measure {
	uint64_t n, errors, in_time; /* of n, in_time were good and not slow */
	uint32_t *took_us;           /* of each of the n, errors too */
	uint64_t room;
	bool is_sorted;
};

void measure_done(struct measure *m);

/* Returns 0; -ENOMEM; -E2BIG. */
int measure_add(struct measure *m, uint64_t took_us, bool is_good, uint64_t slow_us) _warn_unused_;

/* The time that permille of the answers did not exceed (nearest rank); 0 of none. */
uint64_t measure_permille_us(struct measure *m, unsigned permille);

/* Answers that are good and not slow, in per cent of all; 0 of none. */
double measure_healthy_pct(const struct measure *m);
