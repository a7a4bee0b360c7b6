/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/action.h"
#include "sys/qdisc.h"

#define TIMEOUT_MS 30000

static const struct param_spec params[] = {
	{ .name = "device", .type = PARAM_TYPE_NAME, .help = "network device, as in 'eth0'" },
	{ .name = "sha256",
	  .type = PARAM_TYPE_NAME,
	  .help = "digest of the queue's kind and options; a dry run with another word here shows it" },
	{ .name = NULL },
};

_Static_assert(sizeof(struct qdisc) <= ACTION_UNDO_MAX, "the undo record holds the queue");

static const char *device_of(const struct action_context *c)
{
	return params_text(c->params, "device");
}

/* What delays and throttles; the kernel takes their options back as it gives them. A netem's table of a
 * distribution of delays is the one thing that it does not tell. */
static bool is_brake(const struct qdisc *q)
{
	return str_equal(q->kind, "netem") || str_equal(q->kind, "tbf");
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct qdisc q;
	int r = qdisc_read_root(device_of(c), &q, reterr);

	if (r < 0)
		return r;
	if (!str_equal(q.sha256, params_text(c->params, "sha256")))
		return err_set(reterr, -ESTALE,
			       "remove queue of device '%s': it is %s with the digest %s", q.device,
			       q.kind, q.sha256);
	if (!is_brake(&q))
		return err_set(reterr, -EPERM,
			       "remove queue of device '%s': %s is neither netem nor tbf", q.device,
			       q.kind);
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct qdisc q;
	int r = qdisc_read_root(device_of(c), &q, reterr);

	if (r < 0)
		return r;
	memcpy(undo, &q, sizeof(q));
	return sizeof(q);
}

/* The kernel knows no "delete if": who changes it in this moment loses. */
static int apply(const struct action_context *c, struct err *reterr)
{
	struct qdisc q;
	int r = qdisc_read_root(device_of(c), &q, reterr);

	if (r == 0 && !str_equal(q.sha256, params_text(c->params, "sha256")))
		r = err_set(reterr, -ESTALE, "remove queue of device '%s': it has changed",
			    q.device);
	if (r == 0 && !c->dry_run)
		r = qdisc_delete(&q, reterr);
	if (r == -ETIMEDOUT)
		r = -EINPROGRESS;
	if (r == 0)
		str_append(c->text, c->text_size, "%s %s from device '%s'",
			   c->dry_run ? "would remove" : "removed", q.kind, q.device);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct qdisc q;
	int r = qdisc_read_root(device_of(c), &q, reterr);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && str_equal(q.sha256, params_text(c->params, "sha256")))
		r = err_set(reterr, -EIO, "verify queue of device '%s': %s is still there",
			    q.device, q.kind);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct qdisc was, now;
	int r;

	if (undo_size != sizeof(was))
		return err_set(reterr, -EBADMSG, "undo queue: bad undo record");
	memcpy(&was, undo, sizeof(was));
	r = qdisc_read_root(was.device, &now, reterr);
	if (r == 0 && !str_equal(now.sha256, was.sha256))
		return err_set(reterr, -ECANCELED,
			       "undo queue of device '%s': somebody put %s there, left alone",
			       was.device, now.kind);
	/* A device of that name may be another by now. */
	if (r == 0 || r == -ENODEV) {
		str_append(c->text, c->text_size,
			   r == 0 ? "device '%s' has its %s" :
				    "device '%s' is gone, and its %s with it",
			   was.device, was.kind);
		return 0;
	}
	if (r == -ENOENT)
		r = qdisc_restore(&was, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "put %s back on device '%s'", was.kind,
			   was.device);
	return r;
}

const struct action_ops action_net_remove_qdisc = {
	.name = "net.remove_qdisc",
	.summary = "take a delay or throttle (netem, tbf) off a network device",
	.source = "tc(8), tc-netem(8), tc-tbf(8); rtnetlink(7)",
	.params = params,
	.profile = STEP_PROFILE_NET,
	.risk = RISK_REVERSIBLE,
	.undo = "puts it back",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
