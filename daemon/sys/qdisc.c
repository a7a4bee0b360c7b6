/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/str.h"
#include "sys/nlraw.h"

static int take_link(const struct nlmsghdr *h, void *userdata)
{
	const struct ifinfomsg *head = NLMSG_DATA(h);
	struct qdisc *q = userdata;
	size_t size = 0;
	const void *data = nlraw_attributes(h, sizeof(*head), &size);

	if (h->nlmsg_type == RTM_NEWLINK && size > 0 &&
	    str_equal(nlraw_text(nlraw_find(data, size, IFLA_IFNAME)), q->device))
		q->ifindex = (uint32_t)head->ifi_index;
	return 0;
}

static int take_qdisc(const struct nlmsghdr *h, void *userdata)
{
	const struct tcmsg *head = NLMSG_DATA(h);
	struct qdisc *q = userdata;
	size_t size = 0;
	const void *data = nlraw_attributes(h, sizeof(*head), &size);
	const struct nlattr *options;

	/* The kernel's own default has no handle. */
	if (h->nlmsg_type != RTM_NEWQDISC || size == 0 || head->tcm_ifindex != (int)q->ifindex ||
	    head->tcm_parent != TC_H_ROOT || head->tcm_handle == 0)
		return 0;
	options = nlraw_find(data, size, TCA_OPTIONS);
	if (options && nlraw_size(options) > sizeof(q->options))
		return -EFBIG;
	q->handle = head->tcm_handle;
	q->options_size = options ? (uint32_t)nlraw_size(options) : 0;
	if (options)
		memcpy(q->options, nlraw_data(options), q->options_size);
	return str_copy(q->kind, sizeof(q->kind), nlraw_text(nlraw_find(data, size, TCA_KIND)));
}

static int digest(const struct qdisc *q, char ret[static SHA256_HEX_MAX])
{
	uint8_t all[QDISC_KIND_MAX + QDISC_BYTES_MAX] = { 0 };

	memcpy(all, q->kind, strlen(q->kind));
	memcpy(&all[QDISC_KIND_MAX], q->options, q->options_size);
	return sha256_hex(all, QDISC_KIND_MAX + q->options_size, ret);
}

static int dump(struct nlraw *nl, uint16_t type, const void *head, size_t head_size,
		int (*each)(const struct nlmsghdr *h, void *userdata), struct qdisc *q)
{
	struct nlraw_message m = { 0 };

	nlraw_begin(nl, &m, type, NLM_F_DUMP, head, head_size);
	return nlraw_dump(nl, &m, each, q);
}

int qdisc_read_root(const char *device, struct qdisc *ret, struct err *reterr)
{
	const struct ifinfomsg links = { .ifi_family = AF_UNSPEC };
	const struct tcmsg qdiscs = { .tcm_family = AF_UNSPEC };
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	struct qdisc q = { 0 };
	int r = nlraw_open(&nl, NETLINK_ROUTE, reterr);

	if (r < 0)
		return r;
	r = str_copy(q.device, sizeof(q.device), device);
	if (r == 0)
		r = dump(&nl, RTM_GETLINK, &links, sizeof(links), take_link, &q);
	if (r == 0 && q.ifindex == 0)
		r = -ENODEV;
	if (r == 0)
		r = dump(&nl, RTM_GETQDISC, &qdiscs, sizeof(qdiscs), take_qdisc, &q);
	if (r == 0 && q.handle == 0)
		return err_set(reterr, -ENOENT,
			       "read queue of device '%s': it has none but its own", device);
	if (r == 0)
		r = digest(&q, q.sha256);
	if (r < 0)
		return err_set(reterr, r, "read queue of device '%s': %s", device, strerror(-r));
	*ret = q;
	return 0;
}

static int change(const struct qdisc *q, uint16_t type, uint16_t flags, const char *verb,
		  struct err *reterr)
{
	const struct tcmsg head = { .tcm_family = AF_UNSPEC,
				    .tcm_ifindex = (int)q->ifindex,
				    .tcm_handle = q->handle,
				    .tcm_parent = TC_H_ROOT };
	_cleanup_(nlraw_done) struct nlraw nl = { .fd = -EBADF };
	struct nlraw_message m = { 0 };
	int r = nlraw_open(&nl, NETLINK_ROUTE, reterr);

	if (r < 0)
		return r;
	nlraw_begin(&nl, &m, type, NLM_F_ACK | flags, &head, sizeof(head));
	nlraw_put_text(&m, TCA_KIND, q->kind);
	if (type == RTM_NEWQDISC && q->options_size > 0)
		nlraw_put(&m, TCA_OPTIONS, q->options, q->options_size);
	r = nlraw_talk(&nl, &m);
	return r == 0 ? 0 :
			err_set(reterr, r, "%s queue '%s' of device '%s': %s", verb, q->kind,
				q->device, strerror(-r));
}

int qdisc_delete(const struct qdisc *q, struct err *reterr)
{
	return change(q, RTM_DELQDISC, 0, "delete", reterr);
}

int qdisc_restore(const struct qdisc *q, struct err *reterr)
{
	return change(q, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, "put back", reterr);
}
