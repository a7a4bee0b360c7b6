/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/budget.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* FNV-1a, 64 bit: a collision can only deny. */
static uint64_t hash_text(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t hash_entity(const struct entity *e)
{
	char text[ENTITY_TEXT_MAX];

	return hash_text(entity_format(e, text));
}

static bool is_within(const struct budget_event *e, uint64_t span_ns, uint64_t now_ns)
{
	return e->t_ns + (int64_t)span_ns > (int64_t)now_ns;
}

/* on: NULL for all. */
static uint32_t count_since(const struct budget *b, const struct entity *on, uint64_t span_ns,
			    uint64_t now_ns)
{
	uint64_t hash = on ? hash_entity(on) : 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n += (!on || b->v[i].entity_hash == hash) && is_within(&b->v[i], span_ns, now_ns);
	return n;
}

static int check_cooldown(const struct budget *b, uint64_t cooldown_ns, const char *action,
			  const struct entity *on, uint64_t now_ns, struct err *reterr)
{
	uint64_t entity = hash_entity(on), what = hash_text(action);
	char span[CLOCK_SPAN_MAX] = "", text[ENTITY_TEXT_MAX];

	for (uint32_t i = b->n; i-- > 0;) {
		int64_t left_ns = b->v[i].t_ns + (int64_t)cooldown_ns - (int64_t)now_ns;

		if (b->v[i].entity_hash == entity && b->v[i].action_hash == what && left_ns > 0)
			return err_set(reterr, -EDQUOT, "%s on '%s' cools down for another %s",
				       action, entity_format(on, text),
				       clock_format_span((uint64_t)left_ns, span));
	}
	return 0;
}

static int check_window(const struct budget *b, const struct entity *on, uint32_t n_max,
			uint64_t span_ns, uint64_t now_ns, struct err *reterr)
{
	char span[CLOCK_SPAN_MAX] = "", text[ENTITY_TEXT_MAX];
	uint32_t n = count_since(b, on, span_ns, now_ns);

	if (n < n_max)
		return 0;
	return err_set(reterr, -EDQUOT, "%u of %u actions on %s%s%s within %s are used up", n,
		       n_max, on ? "'" : "", on ? entity_format(on, text) : "this host",
		       on ? "'" : "", clock_format_span(span_ns, span));
}

static uint32_t day_limit(uint32_t per_hour)
{
	return per_hour >= BUDGET_EVENTS_MAX / BUDGET_DAY_FACTOR ? BUDGET_EVENTS_MAX :
								   per_hour * BUDGET_DAY_FACTOR;
}

int budget_check(const struct budget *b, const struct policy_limits *limits, const char *action,
		 uint32_t cooldown_ms, const struct entity *on, uint64_t now_ns,
		 const char **ret_by, struct err *reterr)
{
	uint64_t cooldown_ns = cooldown_ms * NS_PER_MS;
	uint32_t entity = limits->per_entity_per_hour, host = limits->per_host_per_hour;

	if (limits->cooldown_s * NS_PER_S > cooldown_ns)
		cooldown_ns = limits->cooldown_s * NS_PER_S;
	*ret_by = "cooldown";
	if (check_cooldown(b, cooldown_ns, action, on, now_ns, reterr) < 0)
		return -EDQUOT;
	*ret_by = "budget-entity";
	if (check_window(b, on, entity, BUDGET_HOUR_NS, now_ns, reterr) < 0 ||
	    check_window(b, on, day_limit(entity), BUDGET_DAY_NS, now_ns, reterr) < 0)
		return -EDQUOT;
	*ret_by = "budget-host";
	if (check_window(b, NULL, host, BUDGET_HOUR_NS, now_ns, reterr) < 0 ||
	    check_window(b, NULL, day_limit(host), BUDGET_DAY_NS, now_ns, reterr) < 0)
		return -EDQUOT;
	return 0;
}

void budget_spend(struct budget *b, const char *action, const struct entity *on, uint64_t now_ns)
{
	uint32_t old = 0;

	while (old < b->n && !is_within(&b->v[old], BUDGET_DAY_NS, now_ns))
		old++;
	/* Full within a day: budget_check() denied, only what must be may still come here. */
	if (old == 0 && b->n == BUDGET_EVENTS_MAX)
		old = 1;
	memmove(b->v, b->v + old, (b->n - old) * sizeof(b->v[0]));
	b->n -= old;
	b->v[b->n++] = (struct budget_event){ .t_ns = (int64_t)now_ns,
					      .entity_hash = hash_entity(on),
					      .action_hash = hash_text(action) };
}

void budget_refund(struct budget *b, const char *action, const struct entity *on, uint64_t t_ns)
{
	uint64_t entity = hash_entity(on), what = hash_text(action);

	for (uint32_t i = b->n; i-- > 0;) {
		if (b->v[i].t_ns != (int64_t)t_ns || b->v[i].entity_hash != entity ||
		    b->v[i].action_hash != what)
			continue;
		memmove(&b->v[i], &b->v[i + 1], (b->n - i - 1) * sizeof(b->v[0]));
		b->n--;
		return;
	}
}

uint32_t budget_count_hour(const struct budget *b, uint64_t now_ns)
{
	return count_since(b, NULL, BUDGET_HOUR_NS, now_ns);
}

bool rate_take(struct rate *r, uint64_t window_ns, uint32_t max, uint64_t now_ns)
{
	if (now_ns - r->start_ns >= window_ns) {
		r->start_ns = now_ns;
		r->n = 0;
	}
	if (r->n >= max) {
		r->dropped++;
		return false;
	}
	r->n++;
	return true;
}

void budget_carry_over(struct budget *b, const char *boot_id, uint64_t now_ns, uint64_t wall_us)
{
	uint64_t away_ns = wall_us > b->saved_wall_us ? (wall_us - b->saved_wall_us) * NS_PER_US :
							0;
	int64_t shift_ns = (int64_t)now_ns - (int64_t)away_ns - (int64_t)b->saved_boot_ns;

	for (uint32_t i = 0; i < b->n; i++)
		b->v[i].t_ns += shift_ns;
	(void)str_copy(b->boot_id, sizeof(b->boot_id), boot_id);
}
