/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "recorder/recorder.h"
#include "registry_recorder_inspector.h"

/* The recorder's inspectors may block, so each has answered when its collect() returns: a peer cannot
 * go away in between. */
struct inspection {
	struct peer *peer;
	uint32_t n_items;
	bool done;
};

static void on_item(void *userdata, const struct inspector_request *rq,
		    const struct evidence *evidence)
{
	struct inspection *i = userdata;
	struct frame f;

	if (i->n_items++ >= INSPECTOR_ITEMS_MAX)
		return;
	frame_init(&f, FRAME_EVIDENCE);
	f.inspect_item.id = rq->id;
	f.inspect_item.evidence = *evidence;
	(void)peer_send(i->peer, &f); /* the asker has a deadline of its own */
}

static void on_done(void *userdata, const struct inspector_request *rq, int r,
		    const struct err *err)
{
	struct inspection *i = userdata;
	struct frame f;

	i->done = true;
	frame_init(&f, FRAME_INSPECT_DONE);
	f.inspect_done.id = rq->id;
	f.inspect_done.r = r;
	if (r < 0)
		(void)str_copy(f.inspect_done.text, sizeof(f.inspect_done.text), err_text(err));
	(void)peer_send(i->peer, &f);
}

static const struct inspector_ops *find(const char *name)
{
	for (size_t i = 0; recorder_inspector_registry[i]; i++)
		if (str_equal(recorder_inspector_registry[i]->name, name))
			return recorder_inspector_registry[i];
	return NULL;
}

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   const char *name, struct err *reterr)
{
	const struct inspector_ops *ops = find(name);

	if (!ops)
		return err_set(reterr, -ENOENT, "inspect: no inspector '%s' here", name);
	if (rq->entity.kind != ops->entity_kind)
		return err_set(reterr, -EINVAL, "inspect with '%s': not for a %s", name,
			       entity_kind_to_string(rq->entity.kind));
	return ops->collect(c, rq, reterr);
}

void recorder_inspect(struct recorder *r, struct peer *p, const struct inspect *inspect)
{
	struct inspection i = { .peer = p };
	const struct inspector_request rq = { .id = inspect->id,
					      .entity = inspect->entity,
					      .since_ns = inspect->since_ns };
	const struct inspector_context c = { .event = r->event,
					     .services = &r->services,
					     .root_fd = r->root_fd,
					     .item = on_item,
					     .done = on_done,
					     .userdata = &i };
	struct err err = { 0 };
	int q = collect(&c, &rq, inspect->inspector, &err);

	if (q < 0)
		on_done(&i, &rq, q, &err);
	assert(i.done);
}
