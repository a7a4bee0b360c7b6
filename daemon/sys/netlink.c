/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/netem.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define CLSACT_HANDLE  TC_H_MAKE(TC_H_CLSACT, 0)
#define CLSACT_EGRESS  TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)
#define CLSACT_INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

struct netlink {
	struct nl_sock *sock;
};

static void nl_msg_freep(struct nl_msg **m)
{
	nlmsg_free(*m);
}

static void nl_cache_freep(struct nl_cache **c)
{
	if (*c)
		nl_cache_free(*c);
}

static void rtnl_link_putp(struct rtnl_link **l)
{
	rtnl_link_put(*l);
}

static void rtnl_qdisc_putp(struct rtnl_qdisc **q)
{
	rtnl_qdisc_put(*q);
}

/* libnl folds errno into its own codes; the ones a caller acts on come back. */
static int errno_of(int nle)
{
	static const struct {
		int nle, code;
	} known[] = {
		{ NLE_EXIST, -EEXIST },
		{ NLE_OBJ_NOTFOUND, -ENOENT },
		{ NLE_NODEV, -ENODEV },
		{ NLE_PERM, -EPERM },
		{ NLE_NOACCESS, -EACCES },
		{ NLE_NOMEM, -ENOMEM },
		{ NLE_OPNOTSUPP, -EOPNOTSUPP },
		{ NLE_INVAL, -EINVAL },
		{ NLE_BUSY, -EBUSY },
		{ NLE_RANGE, -ERANGE },
		{ NLE_AF_NOSUPPORT, -EAFNOSUPPORT },
	};

	for (size_t i = 0; i < ELEMENTSOF(known); i++)
		if (abs(nle) == known[i].nle)
			return known[i].code;
	return -EIO;
}

static int failed(int nle, struct err *reterr, const char *what, const char *object)
{
	return err_set(reterr, errno_of(nle), "%s '%s': %s", what, object, nl_geterror(nle));
}

static int failed_at(int nle, struct err *reterr, const char *what, uint32_t ifindex)
{
	char object[32] = "";

	str_append(object, sizeof(object), "link %u", ifindex);
	return failed(nle, reterr, what, object);
}

int netlink_open(struct netlink **ret, struct err *reterr)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int r;

	if (!nl)
		return err_set(reterr, -ENOMEM, "open netlink: Out of memory");
	nl->sock = nl_socket_alloc();
	r = nl->sock ? nl_connect(nl->sock, NETLINK_ROUTE) : -NLE_NOMEM;
	if (r < 0) {
		netlink_free(nl);
		return failed(r, reterr, "open netlink", "route");
	}
	*ret = nl;
	return 0;
}

struct netlink *netlink_free(struct netlink *nl)
{
	if (nl) {
		nl_socket_free(nl->sock);
		free(nl);
	}
	return NULL;
}

static struct netlink_link link_of(struct rtnl_link *l)
{
	struct netlink_link link = { .index = (uint32_t)rtnl_link_get_ifindex(l) };
	const char *kind = rtnl_link_get_type(l), *qdisc = rtnl_link_get_qdisc(l);

	(void)str_copy(link.name, sizeof(link.name), rtnl_link_get_name(l) ?: "");
	(void)str_copy(link.kind, sizeof(link.kind), kind ?: "");
	(void)str_copy(link.qdisc, sizeof(link.qdisc), qdisc ?: "");
	link.is_up = rtnl_link_get_flags(l) & IFF_UP;
	return link;
}

ssize_t netlink_list_links(struct netlink *nl, struct netlink_link *ret, size_t max,
			   struct err *reterr)
{
	_cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
	size_t n = 0;
	int r = rtnl_link_alloc_cache(nl->sock, AF_UNSPEC, &cache);

	if (r < 0)
		return failed(r, reterr, "list links of", "this host");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		if (n == max)
			return err_set(reterr, -E2BIG, "list links: over %zu", max);
		ret[n++] = link_of((struct rtnl_link *)o);
	}
	return (ssize_t)n;
}

int netlink_find_link(struct netlink *nl, const char *name, struct netlink_link *ret,
		      struct err *reterr)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *l = NULL;
	int r = rtnl_link_get_kernel(nl->sock, 0, name, &l);

	if (r < 0) {
		r = failed(r, reterr, "find link", name);
		return r == -ENOENT ? -ENODEV : r;
	}
	*ret = link_of(l);
	return 0;
}

int netlink_add_ifb(struct netlink *nl, const char *name, struct netlink_link *ret,
		    struct err *reterr)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *l = rtnl_link_alloc();
	int r = l ? rtnl_link_set_type(l, "ifb") : -NLE_NOMEM;

	if (r < 0)
		return failed(r, reterr, "make ifb", name);
	rtnl_link_set_name(l, name);
	rtnl_link_set_flags(l, IFF_UP);
	r = rtnl_link_add(nl->sock, l, NLM_F_CREATE | NLM_F_EXCL);
	if (r < 0)
		return failed(r, reterr, "make ifb", name);
	return netlink_find_link(nl, name, ret, reterr);
}

int netlink_delete_ifb(struct netlink *nl, const char *name, struct err *reterr)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *l = NULL;
	int r = rtnl_link_get_kernel(nl->sock, 0, name, &l);

	if (r < 0) {
		r = failed(r, reterr, "find link", name);
		return r == -ENODEV || r == -ENOENT ? 0 : r;
	}
	if (!str_equal(rtnl_link_get_type(l), "ifb"))
		return err_set(reterr, -EBUSY, "delete link '%s': it is no ifb of ours", name);
	r = rtnl_link_delete(nl->sock, l);
	return r < 0 ? failed(r, reterr, "delete ifb", name) : 1;
}

int netlink_add_netem(struct netlink *nl, uint32_t ifindex, const struct netlink_netem *netem,
		      struct err *reterr)
{
	_cleanup_(rtnl_qdisc_putp) struct rtnl_qdisc *q = rtnl_qdisc_alloc();
	int r;

	if (!q)
		return failed_at(-NLE_NOMEM, reterr, "put netem on", ifindex);
	rtnl_tc_set_ifindex(TC_CAST(q), (int)ifindex);
	rtnl_tc_set_parent(TC_CAST(q), TC_H_ROOT);
	rtnl_tc_set_handle(TC_CAST(q), NETLINK_QDISC_HANDLE);
	r = rtnl_tc_set_kind(TC_CAST(q), "netem");
	if (r < 0)
		return failed_at(r, reterr, "put netem on", ifindex);
	rtnl_netem_set_delay(q, (int)netem->delay_us);
	if (netem->jitter_us > 0)
		rtnl_netem_set_jitter(q, (int)netem->jitter_us);
	rtnl_netem_set_limit(q, (int)netem->queue_packets);
	r = rtnl_qdisc_add(nl->sock, q, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? failed_at(r, reterr, "put netem on", ifindex) : 0;
}

int netlink_read_netem_packets(struct netlink *nl, uint32_t ifindex, uint64_t *ret,
			       struct err *reterr)
{
	_cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
	int r = rtnl_qdisc_alloc_cache(nl->sock, &cache);

	if (r < 0)
		return failed_at(r, reterr, "read netem of", ifindex);
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_tc *tc = TC_CAST(o);

		if (rtnl_tc_get_ifindex(tc) != (int)ifindex ||
		    !str_equal(rtnl_tc_get_kind(tc), "netem"))
			continue;
		*ret = rtnl_tc_get_stat(tc, RTNL_TC_PACKETS) + rtnl_tc_get_stat(tc, RTNL_TC_QLEN);
		return 0;
	}
	return err_set(reterr, -ENOENT, "read netem of link %u: it has none", ifindex);
}

/* libnl has no clsact and no fw with actions: raw messages from here on. */

static struct nl_msg *tc_message(int type, int flags, const struct tcmsg *tc, const char *kind)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (!m || nlmsg_append(m, (void *)tc, sizeof(*tc), NLMSG_ALIGNTO) < 0 ||
	    (kind && nla_put_string(m, TCA_KIND, kind) < 0)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* Consumes the message. */
static int send_message(struct netlink *nl, struct nl_msg *m)
{
	return m ? nl_send_sync(nl->sock, m) : -NLE_NOMEM;
}

static struct tcmsg clsact_of(uint32_t ifindex)
{
	return (struct tcmsg){
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_CLSACT,
		.tcm_handle = CLSACT_HANDLE,
	};
}

int netlink_add_clsact(struct netlink *nl, uint32_t ifindex, struct err *reterr)
{
	struct tcmsg tc = clsact_of(ifindex);
	int r = send_message(nl,
			     tc_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &tc, "clsact"));

	if (r == -NLE_EXIST)
		return 0;
	return r < 0 ? failed_at(r, reterr, "put clsact on", ifindex) : 1;
}

/* What is on one direction of a clsact. */
struct filters {
	const struct netlink_redirect *ours;
	unsigned n;
	bool found, is_foreign;
};

static uint32_t redirect_target(struct nlattr *act)
{
	struct nlattr *order[2] = { 0 }, *kind[TCA_ACT_MAX + 1] = { 0 },
		      *parms[TCA_MIRRED_MAX + 1] = { 0 };

	if (!act || nla_parse_nested(order, 1, act, NULL) < 0 || !order[1] ||
	    nla_parse_nested(kind, TCA_ACT_MAX, order[1], NULL) < 0 || !kind[TCA_ACT_KIND] ||
	    nla_strcmp(kind[TCA_ACT_KIND], "mirred") != 0 || !kind[TCA_ACT_OPTIONS] ||
	    nla_parse_nested(parms, TCA_MIRRED_MAX, kind[TCA_ACT_OPTIONS], NULL) < 0 ||
	    !parms[TCA_MIRRED_PARMS] ||
	    nla_len(parms[TCA_MIRRED_PARMS]) < (int)sizeof(struct tc_mirred))
		return UINT32_MAX;
	return ((struct tc_mirred *)nla_data(parms[TCA_MIRRED_PARMS]))->ifindex;
}

/* A target that is gone reads as 0. */
static bool is_ours(const struct netlink_redirect *ours, struct nlattr *const *tb)
{
	struct nlattr *fw[TCA_FW_MAX + 1] = { 0 };
	uint32_t target;

	if (!tb[TCA_KIND] || nla_strcmp(tb[TCA_KIND], "fw") != 0 || !tb[TCA_OPTIONS] ||
	    nla_parse_nested(fw, TCA_FW_MAX, tb[TCA_OPTIONS], NULL) < 0)
		return false;
	target = redirect_target(fw[TCA_FW_ACT]);
	return fw[TCA_FW_MASK] && nla_get_u32(fw[TCA_FW_MASK]) == ours->mark &&
	       (target == ours->to_ifindex || target == 0);
}

static int take_filter(struct nl_msg *m, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	const struct tcmsg *tc = nlmsg_data(h);
	struct nlattr *tb[TCA_MAX + 1] = { 0 };
	struct filters *f = arg;

	if (h->nlmsg_type != RTM_NEWTFILTER || nlmsg_parse(h, sizeof(*tc), tb, TCA_MAX, NULL) < 0)
		return NL_OK;
	f->n++;
	/* Before a priority's filters the kernel tells of the priority itself, with handle 0. */
	if (tc->tcm_handle == 0) {
		f->n--;
		return NL_OK;
	}
	if (!f->ours || TC_H_MAJ(tc->tcm_info) >> 16 != NETLINK_FILTER_PRIO)
		return NL_OK;
	if (tc->tcm_handle == f->ours->mark && is_ours(f->ours, tb))
		f->found = true;
	else
		f->is_foreign = true;
	return NL_OK;
}

static int list_filters(struct netlink *nl, uint32_t ifindex, uint32_t parent, struct filters *f)
{
	struct tcmsg tc = { .tcm_ifindex = (int)ifindex, .tcm_parent = parent };
	_cleanup_(nl_msg_freep) struct nl_msg *m = tc_message(RTM_GETTFILTER, NLM_F_DUMP, &tc,
							      NULL);
	struct nl_cb *cb = m ? nl_cb_alloc(NL_CB_DEFAULT) : NULL;
	int r = cb ? nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take_filter, f) : -NLE_NOMEM;

	if (r == 0)
		r = nl_send_auto(nl->sock, m);
	if (r >= 0)
		r = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);
	return r < 0 ? r : 0;
}

int netlink_delete_clsact(struct netlink *nl, uint32_t ifindex, struct err *reterr)
{
	struct tcmsg tc = clsact_of(ifindex);
	struct filters f = { 0 };
	int r = list_filters(nl, ifindex, CLSACT_EGRESS, &f);

	if (r == 0)
		r = list_filters(nl, ifindex, CLSACT_INGRESS, &f);
	if (r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND || f.n > 0)
		return 0;
	if (r == 0)
		r = send_message(nl, tc_message(RTM_DELQDISC, 0, &tc, "clsact"));
	if (r == -NLE_OBJ_NOTFOUND || r == -NLE_NODEV || r == -NLE_INVAL)
		return 0;
	return r < 0 ? failed_at(r, reterr, "delete clsact of", ifindex) : 1;
}

static struct tcmsg filter_of(const struct netlink_redirect *redirect)
{
	return (struct tcmsg){
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)redirect->ifindex,
		.tcm_parent = CLSACT_EGRESS,
		.tcm_handle = redirect->mark,
		.tcm_info = TC_H_MAKE(NETLINK_FILTER_PRIO << 16, htons(ETH_P_ALL)),
	};
}

static int put_mirred(struct nl_msg *m, uint32_t to_ifindex)
{
	const struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = to_ifindex,
	};
	struct nlattr *acts = nla_nest_start(m, TCA_FW_ACT);
	struct nlattr *first = acts ? nla_nest_start(m, 1) : NULL;
	struct nlattr *options = NULL;

	if (!first || nla_put_string(m, TCA_ACT_KIND, "mirred") < 0)
		return -NLE_NOMEM;
	options = nla_nest_start(m, TCA_ACT_OPTIONS);
	if (!options || nla_put(m, TCA_MIRRED_PARMS, sizeof(mirred), &mirred) < 0)
		return -NLE_NOMEM;
	nla_nest_end(m, options);
	nla_nest_end(m, first);
	nla_nest_end(m, acts);
	return 0;
}

int netlink_add_redirect(struct netlink *nl, const struct netlink_redirect *redirect,
			 struct err *reterr)
{
	struct tcmsg tc = filter_of(redirect);
	_cleanup_(nl_msg_freep) struct nl_msg *m = tc_message(RTM_NEWTFILTER,
							      NLM_F_CREATE | NLM_F_EXCL, &tc, "fw");
	struct nlattr *options = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;
	int r = options ? 0 : -NLE_NOMEM;

	if (r == 0)
		r = nla_put_u32(m, TCA_FW_MASK, redirect->mark);
	if (r == 0)
		r = put_mirred(m, redirect->to_ifindex);
	if (r == 0) {
		nla_nest_end(m, options);
		r = nl_send_sync(nl->sock, TAKE_PTR(m));
	}
	return r < 0 ? failed_at(r, reterr, "put filter on", redirect->ifindex) : 0;
}

int netlink_delete_redirect(struct netlink *nl, const struct netlink_redirect *redirect,
			    struct err *reterr)
{
	struct tcmsg tc = filter_of(redirect);
	struct filters f = { .ours = redirect };
	int r = list_filters(nl, redirect->ifindex, CLSACT_EGRESS, &f);

	if (r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND)
		return 0;
	if (r < 0)
		return failed_at(r, reterr, "list filters of", redirect->ifindex);
	if (!f.found)
		return f.is_foreign ? err_set(reterr, -ESTALE,
					      "delete filter of link %u: somebody has changed it",
					      redirect->ifindex) :
				      0;
	r = send_message(nl, tc_message(RTM_DELTFILTER, 0, &tc, "fw"));
	if (r == -NLE_OBJ_NOTFOUND)
		return 0;
	return r < 0 ? failed_at(r, reterr, "delete filter of", redirect->ifindex) : 1;
}
