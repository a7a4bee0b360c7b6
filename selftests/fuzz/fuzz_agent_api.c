/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent.a selftests/fuzz/httpfuzz.o gen/registry_probe.o gen/registry_rule.o */
/* links: gen/registry_inspector.o daemon/probes.a daemon/rules.a */
/* links: daemon/inspectors.a gen/agent_table.o gen/action_table.o */
#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "base/fd.h"
#include "ipc/listen.h"
#include "selftests/fuzz/httpfuzz.h"
#include "sys/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something to find: two incidents whose ids end alike. */
static void remember(struct agent *a)
{
	for (uint64_t id = 1000; id < 3000; id += 1 << 10) {
		struct record r = { .id = id, .incident_id = id, .kind = RECORD_KIND_INCIDENT };

		r.entity = entity_make(ENTITY_KIND_UNIT, "a.service");
		ring_add(&a->ring, &r);
		r.parent_id = id;
		r.id = id + 7;
		ring_add(&a->ring, &r);
	}
}

static int start(struct agent *a, struct err *reterr)
{
	struct engine_config config;
	int r = sd_event_new(&a->event), fd;

	if (r >= 0)
		r = a->root_fd = fd_open_dir(AT_FDCWD, httpfuzz_directory(), reterr);
	if (r >= 0)
		r = agent_config_load(a->root_fd, &a->config, reterr);
	config = agent_engine_config(a);
	if (r >= 0)
		r = engine_new(&config, &a->engine, reterr);
	if (r >= 0)
		r = ring_init(&a->ring, reterr);
	if (r >= 0)
		r = rollup_init(&a->rollups, reterr);
	if (r >= 0)
		r = watch_new(a->root_fd, &a->watch, reterr);
	if (r >= 0)
		r = agent_wire(a, reterr);
	if (r < 0)
		return r;
	fd = listen_get("control", httpfuzz_directory(), SOCK_STREAM, reterr);
	return fd < 0 ? fd : http_serve(a->event, fd, agent_endpoints(), a, &a->http, reterr);
}

static struct agent *agent_here(void)
{
	static struct agent a = { .root_fd = -EBADF, .state_fd = -EBADF };
	struct err err = { 0 };

	if (a.event)
		return &a;
	if (start(&a, &err) < 0)
		assert(!err_text(&err));
	remember(&a);
	return &a;
}

/* control.sock of an agent without probes, whose peers are away: it only reads. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	httpfuzz_send(agent_here()->event, "control", data, size);
	return 0;
}
