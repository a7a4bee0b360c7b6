/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/handover.h"
#include "ipc/listen.h"
#include "sys/sandbox.h"
#include "sys/watch.h"

#define STAGE_DIR   "config"     /* below our state: what the reader has read */
#define LARGE_BYTES (128 * 1024) /* glibc's own bound at the start */

/* Beyond the base set: reading maps of the probes that are attached; asking the clock, which nobody can set
 * without CAP_SYS_TIME. */
static const char *const extra_syscalls[] = { "bpf", "adjtimex", "clock_adjtime", NULL };

/* While the host thrashes we must not wait for our own pages. Only without a limit: with one, each
 * later allocation would fail. */
static void lock_memory(void)
{
	struct rlimit limit = { 0 };

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY)
		return;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_line(LOG_NOTICE, "Memory is not locked, ignoring: %s", strerror(errno));
}

/* Our tables are large and mostly untouched: a huge page would touch 2 MiB for the first byte, and
 * memory from the heap is touched by calloc(3), which has to clear what was used before. Once set, glibc no
 * longer raises the bound by what was freed. Source: mallopt(3). */
static void leave_tables_untouched(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		log_line(LOG_NOTICE, "Huge pages are not refused, ignoring: %s", strerror(errno));
}

static int init_parts(struct agent *a, struct err *reterr)
{
	struct engine_config ec;
	int r;

	ec = agent_engine_config(a);
	r = engine_new(&ec, &a->engine, reterr);
	if (r >= 0)
		r = ring_init(&a->ring, reterr);
	if (r >= 0)
		r = rollup_init(&a->rollups, reterr);
	if (r >= 0)
		r = watch_new(a->root_fd, &a->watch, reterr);
	if (r >= 0)
		r = agent_watch_services(a, reterr);
	return r;
}

/* What changes something is the executor's, who accepts nothing on our socket: handover.h. */
static int serve(struct agent *a, struct err *reterr)
{
	static const char *const executors[] = { "/action/",      "/openapi.json", "/v1/actions",
						 "/v1/approvals", "/v1/attempts",  "/v1/mode",
						 "/v1/pause",     "/v1/resume",    NULL };
	static const struct http_refusal away = { "hand over: the executor does not take it",
						  "systemctl status aiops-executor" };
	char path[256] = "";
	struct front_route route = { .prefixes = executors, .to = path, .away = &away };
	int fd = listen_get("control", a->runtime_dir, SOCK_STREAM, reterr);
	int r = fd < 0 ? fd : http_serve(a->event, -EBADF, agent_endpoints(), a, &a->http, reterr);

	if (r < 0)
		return r;
	str_append(path, sizeof(path), "%s/plane.sock", a->runtime_dir);
	route.server = a->http;
	return front_new(a->event, fd, &route, &a->front, reterr);
}

/* The order matters: BPF programs are loaded with the capabilities, the sandbox comes last. */
static int start(struct agent *a, struct err *reterr)
{
	int r = agent_wire(a, reterr);

	if (r < 0)
		return r;
	agent_probes_start(a);
	r = serve(a, reterr);
	if (r < 0)
		return r;
	agent_state_restore(a);
	lock_memory();
	r = sandbox_drop_capabilities(reterr);
	return r < 0 ? r : sandbox_enter(extra_syscalls, reterr);
}

/* Before the memory of all else is taken, as it begins as a copy of this process. */
static int start_reader(struct agent *a, struct err *reterr)
{
	if (mkdirat(a->state_fd, STAGE_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make directory '%s': %s", STAGE_DIR,
			       strerror(errno));
	a->stage_fd = fd_open_dir(a->state_fd, STAGE_DIR, reterr);
	return a->stage_fd < 0 ? a->stage_fd :
				 reader_start(&a->reader, a->root_fd, a->stage_fd, reterr);
}

int agent_init(struct agent *a, struct err *reterr)
{
	int r;

	leave_tables_untouched();
	a->started_us = clock_wall_us();
	a->rollup_ns = a->stall.minute_start_ns = clock_boot_ns();
	a->root_fd = fd_open_dir(AT_FDCWD, a->root, reterr);
	if (a->root_fd < 0)
		return a->root_fd;
	r = agent_state_open(a, reterr);
	if (r >= 0)
		r = start_reader(a, reterr);
	if (r >= 0)
		r = agent_config_load(a->root_fd, &a->config, reterr);
	if (r >= 0)
		r = agent_loop_prepare(a, reterr);
	if (r >= 0)
		r = reader_attach(&a->reader, a->event, agent_reload_read, a, reterr);
	if (r >= 0)
		r = init_parts(a, reterr);
	return r < 0 ? r : start(a, reterr);
}

void agent_done(struct agent *a)
{
	a->front = front_free(a->front);
	a->http = http_server_free(a->http);
	agent_probes_stop(a);
	a->executor = peer_free(a->executor);
	a->recorder = peer_free(a->recorder);
	a->gateway = peer_free(a->gateway);
	a->tick = sd_event_source_disable_unref(a->tick);
	a->wake = sd_event_source_disable_unref(a->wake);
	reader_done(&a->reader);
	a->event = sd_event_unref(a->event);
	a->engine = engine_free(a->engine);
	a->watch = watch_free(a->watch);
	ring_done(&a->ring);
	rollup_done(&a->rollups);
	agent_config_done(&a->config);
	free(a->state_buf);
	closep(&a->stage_fd);
	closep(&a->state_fd);
	closep(&a->root_fd);
}
