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

/* One limit: what counts against it, and how much is too much. */
struct window {
	const char *by;
	uint64_t action_hash, entity_hash; /* 0: all */
	uint64_t span_ns;
	uint32_t n_max;
	char what[ENTITY_TEXT_MAX + 2];
};

static bool counts(const struct budget_event *e, const struct window *w, uint64_t now_ns)
{
	return (w->action_hash == 0 || e->action_hash == w->action_hash) &&
	       (w->entity_hash == 0 || e->entity_hash == w->entity_hash) &&
	       is_within(e, w->span_ns, now_ns);
}

static uint32_t count_in(const struct budget *b, const struct window *w, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n += counts(&b->v[i], w, now_ns);
	return n;
}

/* How long until one more fits: until as many of the oldest are out as are too many. */
static uint64_t retry_in(const struct budget *b, const struct window *w, uint32_t n,
			 uint64_t now_ns)
{
	uint32_t excess = n - w->n_max + 1;

	for (uint32_t i = 0; i < b->n; i++)
		if (counts(&b->v[i], w, now_ns) && --excess == 0)
			return (uint64_t)(b->v[i].t_ns + (int64_t)w->span_ns - (int64_t)now_ns);
	return w->span_ns;
}

static int check_window(const struct budget *b, const struct window *w, uint64_t now_ns,
			struct budget_refusal *ret, struct err *reterr)
{
	char span[CLOCK_SPAN_MAX] = "";
	uint32_t n = count_in(b, w, now_ns);

	if (n < w->n_max)
		return 0;
	*ret = (struct budget_refusal){ w->by, retry_in(b, w, n, now_ns) };
	if (str_equal(w->by, "cooldown"))
		return err_set(reterr, -EDQUOT, "%s cools down for another %s", w->what,
			       clock_format_span(ret->retry_ns, span));
	return err_set(reterr, -EDQUOT, "%u of %u actions on %s within %s are used up", n, w->n_max,
		       w->what, clock_format_span(w->span_ns, span));
}

/* The same limit for an hour and, times BUDGET_DAY_FACTOR, for a day. */
static int check_windows(const struct budget *b, struct window w, uint64_t now_ns,
			 struct budget_refusal *ret, struct err *reterr)
{
	int r;

	w.span_ns = BUDGET_HOUR_NS;
	r = check_window(b, &w, now_ns, ret, reterr);
	if (r < 0)
		return r;
	w.span_ns = BUDGET_DAY_NS;
	w.n_max = w.n_max >= BUDGET_EVENTS_MAX / BUDGET_DAY_FACTOR ? BUDGET_EVENTS_MAX :
								     w.n_max * BUDGET_DAY_FACTOR;
	return check_window(b, &w, now_ns, ret, reterr);
}

int budget_check(const struct budget *b, const struct policy_limits *limits,
		 const struct budget_wish *wish, uint64_t now_ns, struct budget_refusal *ret,
		 struct err *reterr)
{
	uint64_t cooldown_ns = wish->cooldown_ms * NS_PER_MS;
	struct window w = { .by = "cooldown",
			    .action_hash = hash_text(wish->action),
			    .entity_hash = hash_entity(wish->on),
			    .n_max = 1 };
	char on[ENTITY_TEXT_MAX];
	int r;

	if (limits->cooldown_s * NS_PER_S > cooldown_ns)
		cooldown_ns = limits->cooldown_s * NS_PER_S;
	w.span_ns = cooldown_ns;
	str_append(w.what, sizeof(w.what), "%s on '%s'", wish->action, entity_format(wish->on, on));
	r = check_window(b, &w, now_ns, ret, reterr);
	if (r < 0)
		return r;
	w = (struct window){ .by = "budget-entity",
			     .entity_hash = hash_entity(wish->on),
			     .n_max = limits->per_entity_per_hour };
	str_append(w.what, sizeof(w.what), "'%s'", on);
	r = check_windows(b, w, now_ns, ret, reterr);
	if (r < 0)
		return r;
	w = (struct window){ .by = "budget-host",
			     .n_max = limits->per_host_per_hour,
			     .what = "this host" };
	r = check_windows(b, w, now_ns, ret, reterr);
	if (r < 0)
		return r;
	w = (struct window){ .by = "budget-action",
			     .action_hash = hash_text(wish->action),
			     .n_max = limits->per_action_per_hour ? limits->per_action_per_hour :
								    limits->per_host_per_hour };
	str_append(w.what, sizeof(w.what), "anything by %s", wish->action);
	return check_windows(b, w, now_ns, ret, reterr);
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
	const struct window all = { .span_ns = BUDGET_HOUR_NS };

	return count_in(b, &all, now_ns);
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

/* His, or that of the one who came first of all. */
static struct rate *find_rate(struct uid_rates *r, uint32_t uid)
{
	uint32_t i, oldest = 0;

	for (i = 0; i < r->n; i++) {
		if (r->v[i].uid == uid)
			return &r->v[i].rate;
		if (r->v[i].rate.start_ns < r->v[oldest].rate.start_ns)
			oldest = i;
	}
	i = r->n < RATE_UIDS_MAX ? r->n++ : oldest;
	r->v[i].uid = uid;
	r->v[i].rate = (struct rate){ 0 };
	return &r->v[i].rate;
}

bool uid_rates_take(struct uid_rates *r, uint32_t uid, uint64_t window_ns, uint32_t max,
		    uint64_t now_ns)
{
	bool taken = rate_take(find_rate(r, uid), window_ns, max, now_ns);

	r->dropped += !taken;
	return taken;
}
