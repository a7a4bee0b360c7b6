/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/psi.h"

/* A trigger wakes us early; the verdict is the rules'. Windows are multiples of 2 s because shorter ones
 * take CAP_SYS_RESOURCE; 10 % of a window is what systemd's own watch uses.
 * Source: kernel psi.rst; systemd src/basic/psi-util.h. */
#define WINDOW_US      (2 * 1000 * 1000)
#define STALL_US       (WINDOW_US / 10)
#define ELAPSED_MIN_NS (NS_PER_S / 4) /* a share over less is noise */

enum { RESOURCE_CPU, RESOURCE_MEMORY, RESOURCE_IO, _RESOURCE_MAX };

static const struct signal_spec signals[] = {
	[RESOURCE_CPU] = { "host.cpu_pressure_some_pct", ENTITY_KIND_HOST, SOURCE_PSI,
			   PROVENANCE_KERNEL, "share of time in which some task waited for a CPU" },
	[RESOURCE_MEMORY] = { "host.memory_pressure_full_pct", ENTITY_KIND_HOST, SOURCE_PSI,
			      PROVENANCE_KERNEL,
			      "share of time in which all tasks waited for memory" },
	[RESOURCE_IO] = { "host.io_pressure_full_pct", ENTITY_KIND_HOST, SOURCE_PSI,
			  PROVENANCE_KERNEL, "share of time in which all tasks waited for I/O" },
	{ .name = NULL },
};

static const struct {
	const char *path;
	enum psi_line line;
} files[_RESOURCE_MAX] = {
	[RESOURCE_CPU] = { "proc/pressure/cpu", PSI_LINE_SOME },
	[RESOURCE_MEMORY] = { "proc/pressure/memory", PSI_LINE_FULL },
	[RESOURCE_IO] = { "proc/pressure/io", PSI_LINE_FULL },
};

struct resource {
	struct state *s;
	unsigned i;
	int fd;
	sd_event_source *trigger;
	uint64_t total_us, t_ns;
};

struct state {
	const struct probe_context *c;
	struct resource resources[_RESOURCE_MAX];
};

static void measure(struct resource *r, uint64_t now_ns)
{
	uint64_t total_us = 0;

	if (r->t_ns && now_ns < r->t_ns + ELAPSED_MIN_NS)
		return;
	if (psi_read_total_us(r->fd, files[r->i].line, &total_us) < 0)
		return;
	if (r->t_ns)
		probe_emit(r->s->c, &signals[r->i], "", now_ns,
			   psi_share_pct(r->total_us, total_us, now_ns - r->t_ns));
	r->total_us = total_us;
	r->t_ns = now_ns;
}

static int on_trigger(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)fd;
	/* POLLERR: the trigger is gone; the totals each second remain. */
	if (revents & EPOLLERR)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	measure(userdata, clock_boot_ns());
	return 0;
}

static void arm(struct resource *r)
{
	int fd = psi_open_trigger(r->s->c->root_fd, files[r->i].path, files[r->i].line, STALL_US,
				  WINDOW_US, NULL);

	if (fd < 0)
		return;
	if (sd_event_add_io(r->s->c->event, &r->trigger, fd, EPOLLPRI, on_trigger, r) < 0)
		(void)close(fd);
	else
		(void)sd_event_source_set_io_fd_own(r->trigger, true);
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = psi_open(c->root_fd, files[RESOURCE_CPU].path, reterr);

	return fd < 0 ? fd : 0;
}

static void stop(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < _RESOURCE_MAX; i++) {
		(void)sd_event_source_disable_unref(s->resources[i].trigger);
		closep(&s->resources[i].fd);
	}
	free(s);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch pressure: %s", strerror(ENOMEM));
	s->c = c;
	for (unsigned i = 0; i < _RESOURCE_MAX; i++)
		s->resources[i] = (struct resource){ .s = s, .i = i, .fd = -EBADF };
	for (unsigned i = 0; i < _RESOURCE_MAX; i++) {
		struct resource *r = &s->resources[i];

		r->fd = psi_open(c->root_fd, files[i].path, reterr);
		if (r->fd < 0) {
			int code = r->fd;

			stop(s);
			return code;
		}
		arm(r);
	}
	*ret_state = s;
	return 0;
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	for (unsigned i = 0; i < _RESOURCE_MAX; i++)
		measure(&s->resources[i], now_ns);
}

const struct probe_ops probe_psi_host = {
	.name = "psi_host",
	.summary = "pressure on the host: triggers, and totals each second",
	.source = "kernel Documentation/accounting/psi.rst",
	.signals = signals,
	.optional = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.stop = stop,
};
