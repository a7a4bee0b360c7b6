/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <string.h>

#include "ops/action.h"
#include "sys/nft.h"

#define TIMEOUT_MS 60000

static const char *const family_choices[] = {
	"inet", "ip", "ip6", "arp", "bridge", "netdev", NULL
};
static const uint32_t families[] = { NFPROTO_INET, NFPROTO_IPV4,   NFPROTO_IPV6,
				     NFPROTO_ARP,  NFPROTO_BRIDGE, NFPROTO_NETDEV };

static const struct param_spec params[] = {
	{ .name = "family",
	  .type = PARAM_TYPE_ENUM,
	  .default_text = "inet",
	  .choices = family_choices,
	  .help = "address family of the table" },
	{ .name = "table", .type = PARAM_TYPE_NAME, .help = "table of the rule" },
	{ .name = "chain", .type = PARAM_TYPE_NAME, .help = "chain of the rule" },
	{ .name = "handle",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "number of the rule, as 'nft -a list ruleset' shows it" },
	{ .name = "sha256",
	  .type = PARAM_TYPE_NAME,
	  .help = "digest of the rule's content; a dry run with another word here shows it" },
	{ .name = NULL },
};

_Static_assert(sizeof(struct nft_rule) <= ACTION_UNDO_MAX, "the undo record holds the rule");

static int read_rule(const struct action_context *c, struct nft_rule *ret, struct err *reterr)
{
	struct nft_place place = { .family = families[params_integer(c->params, "family")] };

	(void)str_copy(place.table, sizeof(place.table), params_text(c->params, "table"));
	(void)str_copy(place.chain, sizeof(place.chain), params_text(c->params, "chain"));
	return nft_read_rule(&place, (uint64_t)params_integer(c->params, "handle"), ret, reterr);
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct nft_rule rule;
	char what[160];
	int r = read_rule(c, &rule, reterr);

	if (r < 0)
		return r;
	if (!str_equal(rule.sha256, params_text(c->params, "sha256")))
		return err_set(reterr, -ESTALE, "remove rule %s: it is '%s' with the digest %s",
			       params_text(c->params, "handle"),
			       nft_describe(&rule, what, sizeof(what)), rule.sha256);
	if (!nft_is_refusal(&rule))
		return err_set(
			reterr, -EPERM,
			"remove rule %s: '%s' refuses nothing, so its end could lock somebody "
			"out",
			params_text(c->params, "handle"), nft_describe(&rule, what, sizeof(what)));
	return 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct nft_rule rule;
	int r = read_rule(c, &rule, reterr);

	if (r < 0)
		return r;
	memcpy(undo, &rule, sizeof(rule));
	return sizeof(rule);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct nft_rule rule;
	char what[160];
	int r = 0;

	if (c->dry_run) {
		r = read_rule(c, &rule, reterr);
	} else {
		memcpy(&rule, c->undo, sizeof(rule));
		/* What was read for the undo must be what was asked for, too. */
		r = str_equal(rule.sha256, params_text(c->params, "sha256")) ?
			    nft_delete_rule(&rule, reterr) :
			    err_set(reterr, -ESTALE, "remove rule %s: it has changed",
				    params_text(c->params, "handle"));
	}
	if (r == -ETIMEDOUT)
		r = -EINPROGRESS;
	if (r == 0)
		str_append(c->text, c->text_size, "%s '%s' from chain '%s' of table '%s'",
			   c->dry_run ? "would remove" : "removed",
			   nft_describe(&rule, what, sizeof(what)), rule.place.chain,
			   rule.place.table);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct nft_rule rule;
	int r = read_rule(c, &rule, reterr);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r :
		       err_set(reterr, -EIO, "verify rule %s: it is still there",
			       params_text(c->params, "handle"));
}

/* The kernel gives it another handle, so it is known by how many of its content there were. */
static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct nft_rule rule;
	int r;

	if (undo_size != sizeof(rule))
		return err_set(reterr, -EBADMSG, "undo rule: bad undo record");
	memcpy(&rule, undo, sizeof(rule));
	r = nft_count_same(&rule, reterr);
	if (r < 0)
		return r;
	if ((uint32_t)r >= rule.n_same) {
		str_append(c->text, c->text_size, "the rule is in chain '%s'", rule.place.chain);
		return 0;
	}
	r = nft_restore_rule(&rule, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "put the rule back into chain '%s'",
			   rule.place.chain);
	return r == -ESTALE ? -ECANCELED : r;
}

const struct action_ops action_net_remove_rule = {
	.name = "net.remove_rule",
	.summary = "remove one packet filter rule that refuses packets",
	.source = "nft(8), delete rule; kernel net/netfilter/nf_tables_api.c",
	.params = params,
	.profile = STEP_PROFILE_NET,
	.risk = RISK_DISRUPTIVE,
	.undo = "puts the rule back at its place",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
