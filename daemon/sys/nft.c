/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/str.h"
#include "sys/nlraw.h"

#define RULES_MAX 8192 /* of one chain */
#define TRIES_MAX 5    /* each after somebody else's change */

#define MESSAGE(type) ((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (type)))

/* What a rule has counted is not what it says. */
static const struct {
	const char *expression;
	uint16_t attributes[2];
} volatile_parts[] = {
	{ "counter", { NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS } },
	{ "quota", { NFTA_QUOTA_CONSUMED, 0 } },
	{ "last", { NFTA_LAST_SET, NFTA_LAST_MSECS } },
};

struct listed {
	uint64_t handle;
	char sha256[SHA256_HEX_MAX];
};

/* A chain being read: all its rules, and the one with the wanted handle. */
struct listing {
	const struct nft_place *place;
	uint32_t generation;
	size_t n;
	struct listed *v;
	uint64_t wanted;
	struct nft_rule *found;
};

static struct nfgenmsg head_of(const struct nft_place *place)
{
	return (struct nfgenmsg){ .nfgen_family = (uint8_t)place->family, .version = NFNETLINK_V0 };
}

static void put_place(struct nlraw_message *m, const struct nft_place *place)
{
	nlraw_put_text(m, NFTA_RULE_TABLE, place->table);
	nlraw_put_text(m, NFTA_RULE_CHAIN, place->chain);
}

/* Overwrites the bytes of an attribute in the copy. */
static void blank(const struct nlattr *a)
{
	if (a)
		memset((void *)(uintptr_t)nlraw_data(a), 0, nlraw_size(a));
}

static void blank_volatile(const struct nlattr *expression)
{
	const struct nlattr *name = nlraw_find(nlraw_data(expression), nlraw_size(expression),
					       NFTA_EXPR_NAME);
	const struct nlattr *data = nlraw_find(nlraw_data(expression), nlraw_size(expression),
					       NFTA_EXPR_DATA);

	for (size_t i = 0; data && i < ELEMENTSOF(volatile_parts); i++)
		for (size_t j = 0; str_equal(nlraw_text(name), volatile_parts[i].expression) &&
				   j < ELEMENTSOF(volatile_parts[i].attributes);
		     j++)
			blank(nlraw_find(nlraw_data(data), nlraw_size(data),
					 volatile_parts[i].attributes[j]));
}

static int digest(const struct nft_rule *rule, char ret[static SHA256_HEX_MAX])
{
	struct nft_rule copy = *rule;
	const struct nlattr *e = nlraw_first(copy.bytes, copy.expressions_size);

	for (; e; e = nlraw_next(copy.bytes, copy.expressions_size, e))
		blank_volatile(e);
	return sha256_hex(copy.bytes, (size_t)copy.expressions_size + copy.userdata_size, ret);
}

/* Appends the payload of an attribute, if it is there. */
static int keep(struct nft_rule *rule, const struct nlattr *a, size_t *used, uint16_t *ret_size)
{
	size_t size = a ? nlraw_size(a) : 0;

	if (size > sizeof(rule->bytes) - *used)
		return -EFBIG;
	if (size > 0)
		memcpy(&rule->bytes[*used], nlraw_data(a), size);
	*used += size;
	*ret_size = (uint16_t)size;
	return 0;
}

static int parse_rule(const struct nlmsghdr *h, struct nft_rule *ret)
{
	size_t size = 0, used = 0;
	const void *data = nlraw_attributes(h, sizeof(struct nfgenmsg), &size);
	int r;

	ret->handle = nlraw_be64(nlraw_find(data, size, NFTA_RULE_HANDLE));
	r = keep(ret, nlraw_find(data, size, NFTA_RULE_EXPRESSIONS), &used, &ret->expressions_size);
	if (r == 0)
		r = keep(ret, nlraw_find(data, size, NFTA_RULE_USERDATA), &used,
			 &ret->userdata_size);
	if (r == 0)
		r = keep(ret, nlraw_find(data, size, NFTA_RULE_COMPAT), &used, &ret->compat_size);
	return r;
}

static int take_rule(const struct nlmsghdr *h, void *userdata)
{
	struct listing *l = userdata;
	struct nft_rule rule = { .place = *l->place };
	struct listed *at = &l->v[l->n];
	size_t size = 0;
	const void *data = nlraw_attributes(h, sizeof(struct nfgenmsg), &size);
	int r;

	/* The kernel takes the names for a filter since 4.x; it costs nothing to be sure. */
	if (h->nlmsg_type != MESSAGE(NFT_MSG_NEWRULE) ||
	    !str_equal(nlraw_text(nlraw_find(data, size, NFTA_RULE_TABLE)), l->place->table) ||
	    !str_equal(nlraw_text(nlraw_find(data, size, NFTA_RULE_CHAIN)), l->place->chain))
		return 0;
	if (l->n == RULES_MAX)
		return -E2BIG;
	r = parse_rule(h, &rule);
	*at = (struct listed){ .handle = rule.handle };
	l->n++;
	if (r == -EFBIG && rule.handle != l->wanted)
		return 0;
	if (r == 0)
		r = digest(&rule, at->sha256);
	if (r == 0 && l->found && rule.handle == l->wanted) {
		(void)str_copy(rule.sha256, sizeof(rule.sha256), at->sha256);
		*l->found = rule;
	}
	return r;
}

static int take_generation(const struct nlmsghdr *h, void *userdata)
{
	size_t size = 0;
	const void *data = nlraw_attributes(h, sizeof(struct nfgenmsg), &size);

	if (h->nlmsg_type == MESSAGE(NFT_MSG_NEWGEN))
		*(uint32_t *)userdata = nlraw_be32(nlraw_find(data, size, NFTA_GEN_ID));
	return 1;
}

/* Reads the chain in one piece: the generation of all rules is the same before and after. */
static int list_once(struct nlraw *nl, struct listing *l)
{
	const struct nfgenmsg head = head_of(l->place), any = { .version = NFNETLINK_V0 };
	struct nlraw_message ask = { 0 }, list = { 0 }, again = { 0 };
	uint32_t after = 0;
	int r;

	l->n = 0;
	nlraw_begin(nl, &ask, MESSAGE(NFT_MSG_GETGEN), 0, &any, sizeof(any));
	r = nlraw_dump(nl, &ask, take_generation, &l->generation);
	if (r < 0)
		return r;
	nlraw_begin(nl, &list, MESSAGE(NFT_MSG_GETRULE), NLM_F_DUMP, &head, sizeof(head));
	put_place(&list, l->place);
	r = nlraw_dump(nl, &list, take_rule, l);
	if (r < 0)
		return r;
	nlraw_begin(nl, &again, MESSAGE(NFT_MSG_GETGEN), 0, &any, sizeof(any));
	r = nlraw_dump(nl, &again, take_generation, &after);
	return r < 0 ? r : after == l->generation ? 0 : -EAGAIN;
}

static int list_chain(struct nlraw *nl, struct listing *l, struct err *reterr)
{
	int r = -EAGAIN;

	l->v = calloc(RULES_MAX, sizeof(*l->v));
	for (int i = 0; l->v && r == -EAGAIN && i < TRIES_MAX; i++)
		r = list_once(nl, l);
	if (!l->v)
		r = -ENOMEM;
	return r < 0 ? err_set(reterr, r, "list rules of chain '%s' of table '%s': %s",
			       l->place->chain, l->place->table, strerror(-r)) :
		       0;
}

static void listing_done(struct listing *l)
{
	free(l->v);
}

static uint32_t count_same(const struct listing *l, const char *sha256)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += str_equal(l->v[i].sha256, sha256);
	return n;
}

static const struct listed *find_handle(const struct listing *l, uint64_t handle)
{
	for (size_t i = 0; handle != 0 && i < l->n; i++)
		if (l->v[i].handle == handle)
			return &l->v[i];
	return NULL;
}

int nft_read_rule(const struct nft_place *place, uint64_t handle, struct nft_rule *ret,
		  struct err *reterr)
{
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	struct nft_rule rule = { 0 };
	_cleanup_(listing_done) struct listing l = { .place = place,
						     .wanted = handle,
						     .found = &rule };
	const struct listed *at;
	int r = nlraw_open(&nl, NETLINK_NETFILTER, reterr);

	if (r == 0)
		r = list_chain(&nl, &l, reterr);
	if (r < 0)
		return r;
	at = find_handle(&l, handle);
	if (!at)
		return err_set(reterr, -ENOENT, "find rule in chain '%s': no handle %llu",
			       place->chain, (unsigned long long)handle);
	rule.before = at > l.v ? at[-1].handle : 0;
	rule.after = at + 1 < l.v + l.n ? at[1].handle : 0;
	rule.n_same = count_same(&l, rule.sha256);
	*ret = rule;
	return 0;
}

int nft_count_same(const struct nft_rule *rule, struct err *reterr)
{
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	_cleanup_(listing_done) struct listing l = { .place = &rule->place };
	int r = nlraw_open(&nl, NETLINK_NETFILTER, reterr);

	if (r == 0)
		r = list_chain(&nl, &l, reterr);
	return r < 0 ? r : (int)count_same(&l, rule->sha256);
}

/* The verdict of an immediate expression, or NF_ACCEPT for any other. */
static uint32_t verdict_of(const struct nlattr *expression)
{
	static const uint16_t path[] = { NFTA_EXPR_DATA, NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT,
					 NFTA_VERDICT_CODE };
	const struct nlattr *a = expression;

	for (size_t i = 0; a && i < ELEMENTSOF(path); i++)
		a = nlraw_find(nlraw_data(a), nlraw_size(a), path[i]);
	return a ? nlraw_be32(a) : NF_ACCEPT;
}

static bool is_refusal(const struct nlattr *e)
{
	const struct nlattr *name = nlraw_find(nlraw_data(e), nlraw_size(e), NFTA_EXPR_NAME);
	const struct nlattr *data = nlraw_find(nlraw_data(e), nlraw_size(e), NFTA_EXPR_DATA);
	const struct nlattr *target;

	if (str_equal(nlraw_text(name), "reject"))
		return true;
	if (str_equal(nlraw_text(name), "immediate"))
		return verdict_of(e) == NF_DROP;
	if (!data || !str_equal(nlraw_text(name), "target"))
		return false;
	target = nlraw_find(nlraw_data(data), nlraw_size(data), NFTA_TARGET_NAME);
	return str_equal(nlraw_text(target), "REJECT");
}

bool nft_is_refusal(const struct nft_rule *rule)
{
	const struct nlattr *e = nlraw_first(rule->bytes, rule->expressions_size);

	while (e && !is_refusal(e))
		e = nlraw_next(rule->bytes, rule->expressions_size, e);
	return e;
}

const char *nft_describe(const struct nft_rule *rule, char *buf, size_t size)
{
	const struct nlattr *e = nlraw_first(rule->bytes, rule->expressions_size);

	buf[0] = '\0';
	for (; e; e = nlraw_next(rule->bytes, rule->expressions_size, e)) {
		const char *name =
			nlraw_text(nlraw_find(nlraw_data(e), nlraw_size(e), NFTA_EXPR_NAME));

		str_append(buf, size, "%s%.24s", buf[0] ? " " : "",
			   is_refusal(e) && str_equal(name, "immediate") ? "drop" : name);
	}
	return buf;
}

/* Begins or ends what the kernel does as a whole, if the generation is still that one. */
static void put_batch(struct nlraw *nl, struct nlraw_message *m, uint16_t type, uint32_t generation)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0,
				       .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nlraw_begin(nl, m, type, 0, &head, sizeof(head));
	if (generation != 0)
		nlraw_put_be32(m, NFNL_BATCH_GENID, generation);
}

static int delete_once(struct nlraw *nl, const struct nft_rule *rule, struct err *reterr)
{
	const struct nfgenmsg head = head_of(&rule->place);
	_cleanup_(listing_done) struct listing l = { .place = &rule->place };
	struct nlraw_message m = { 0 };
	const struct listed *at;
	int r = list_chain(nl, &l, reterr);

	if (r < 0)
		return r;
	at = find_handle(&l, rule->handle);
	if (!at || !str_equal(at->sha256, rule->sha256))
		return err_set(reterr, -ESTALE, "delete rule %llu of chain '%s': it has changed",
			       (unsigned long long)rule->handle, rule->place.chain);
	put_batch(nl, &m, NFNL_MSG_BATCH_BEGIN, l.generation);
	nlraw_begin(nl, &m, MESSAGE(NFT_MSG_DELRULE), NLM_F_ACK, &head, sizeof(head));
	put_place(&m, &rule->place);
	nlraw_put_be64(&m, NFTA_RULE_HANDLE, rule->handle);
	put_batch(nl, &m, NFNL_MSG_BATCH_END, 0);
	r = nlraw_talk(nl, &m);
	return r == 0 ? 0 :
			err_set(reterr, r, "delete rule %llu of chain '%s': %s",
				(unsigned long long)rule->handle, rule->place.chain, strerror(-r));
}

/* The kernel's words for another generation. Source: nfnetlink.c, nfnetlink_rcv_batch(). */
static bool is_other_generation(int r)
{
	return r == -ERESTART || r == -EAGAIN;
}

int nft_delete_rule(const struct nft_rule *rule, struct err *reterr)
{
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	int r = nlraw_open(&nl, NETLINK_NETFILTER, reterr);

	if (r < 0)
		return r;
	r = -EAGAIN;
	for (int i = 0; is_other_generation(r) && i < TRIES_MAX; i++)
		r = delete_once(&nl, rule, reterr);
	return r;
}

/* Where it goes: after the one before it, else before the one after it, else into the empty chain. */
static int put_position(struct nlraw_message *m, const struct listing *l,
			const struct nft_rule *rule)
{
	if (find_handle(l, rule->before))
		nlraw_put_be64(m, NFTA_RULE_POSITION, rule->before);
	else if (find_handle(l, rule->after))
		nlraw_put_be64(m, NFTA_RULE_POSITION, rule->after);
	else if (l->n > 0)
		return -ESTALE;
	return 0;
}

static int restore_once(struct nlraw *nl, const struct nft_rule *rule, struct err *reterr)
{
	const struct nfgenmsg head = head_of(&rule->place);
	const uint8_t *userdata = &rule->bytes[rule->expressions_size];
	_cleanup_(listing_done) struct listing l = { .place = &rule->place };
	struct nlraw_message m = { 0 };
	uint16_t append;
	int r = list_chain(nl, &l, reterr);

	if (r < 0)
		return r;
	append = find_handle(&l, rule->before) || l.n == 0 ? NLM_F_APPEND : 0;
	put_batch(nl, &m, NFNL_MSG_BATCH_BEGIN, l.generation);
	nlraw_begin(nl, &m, MESSAGE(NFT_MSG_NEWRULE), NLM_F_ACK | NLM_F_CREATE | append, &head,
		    sizeof(head));
	put_place(&m, &rule->place);
	r = put_position(&m, &l, rule);
	nlraw_put(&m, NLA_F_NESTED | NFTA_RULE_EXPRESSIONS, rule->bytes, rule->expressions_size);
	if (rule->userdata_size > 0)
		nlraw_put(&m, NFTA_RULE_USERDATA, userdata, rule->userdata_size);
	if (rule->compat_size > 0)
		nlraw_put(&m, NLA_F_NESTED | NFTA_RULE_COMPAT, userdata + rule->userdata_size,
			  rule->compat_size);
	put_batch(nl, &m, NFNL_MSG_BATCH_END, 0);
	if (r == 0)
		r = nlraw_talk(nl, &m);
	return r == 0 ? 0 :
			err_set(reterr, r, "put rule back into chain '%s': %s", rule->place.chain,
				r == -ESTALE ? "its neighbours are gone" : strerror(-r));
}

int nft_restore_rule(const struct nft_rule *rule, struct err *reterr)
{
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	int r = nlraw_open(&nl, NETLINK_NETFILTER, reterr);

	if (r < 0)
		return r;
	r = -EAGAIN;
	for (int i = 0; is_other_generation(r) && i < TRIES_MAX; i++)
		r = restore_once(&nl, rule, reterr);
	return r;
}
