/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/err.h"
#include "selftests/target/app/cache.h"

/* Exchange rates from a service upstream, kept in the cache. They are fetched beforehand: who asks for a
 * price waits for nobody, and is told how old they are. */

#define RATES_REFRESH_NS (5 * NS_PER_S)
#define RATES_FRESH_NS   (3 * RATES_REFRESH_NS)
#define RATES_USABLE_NS  (600 * NS_PER_S)

struct rates_config {
	const char *url;
	const struct cache *cache;
};

enum rates_state {
	RATES_STATE_OFF,
	RATES_STATE_FRESH,
	RATES_STATE_STALE,
	RATES_STATE_LOST,
};

struct rates_answer {
	enum rates_state state;
	uint64_t age_ns;
	char source[32]; /* whose they are: what the service upstream calls itself */
	double rate;
	const char *why; /* the last fetch failed; "" if not */
};

struct rates;

int rates_new(sd_event *event, const struct rates_config *config, struct rates **ret,
	      struct err *reterr) _warn_unused_;
struct rates *rates_free(struct rates *r);

/* currency: "USD". Returns 0, with .state LOST and no rate if there is none that may be used; -ENOENT for
 * a currency that the service does not know. */
int rates_read(struct rates *r, const char *currency, struct rates_answer *ret) _warn_unused_;

const char *rates_state_to_string(enum rates_state state);

uint64_t rates_count_failures(const struct rates *r);
