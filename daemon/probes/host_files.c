/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/probe.h"

#define INTERVAL_NS (10 * NS_PER_S)

enum { SIGNAL_FILES, SIGNAL_FILES_RATIO, SIGNAL_REBOOT };

#define SIGNAL(n, h)                                                     \
	{                                                                \
		n, ENTITY_KIND_HOST, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_FILES] = SIGNAL("host.open_files_count", "files that are open on the whole host"),
	[SIGNAL_FILES_RATIO] = SIGNAL("host.open_files_ratio", "of the most there may be"),
	[SIGNAL_REBOOT] = { "host.reboot_required_bool", ENTITY_KIND_HOST, SOURCE_FILES,
			    PROVENANCE_SYSTEM,
			    "1 after an update that works only once the host is rebooted" },
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	uint64_t next_ns;
};

/* "allocated 0 maximum". */
static void measure_open(const struct probe_context *c, uint64_t now_ns)
{
	char text[80] = "";
	uint64_t open = 0, max = 0;

	if (fd_read_file(c->root_fd, "proc/sys/fs/file-nr", text, sizeof(text)) < 0 ||
	    sscanf(text, "%" SCNu64 " %*u %" SCNu64, &open, &max) != 2 || max == 0)
		return;
	probe_emit(c, &signals[SIGNAL_FILES], "", now_ns, (double)open);
	probe_emit(c, &signals[SIGNAL_FILES_RATIO], "", now_ns, (double)open / (double)max);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	if (now_ns < s->next_ns)
		return;
	s->next_ns = now_ns + INTERVAL_NS;
	measure_open(s->c, now_ns);
	/* Source: Debian Policy 9.1.1, /run; package update-notifier-common, notify-reboot-required. */
	probe_emit(s->c, &signals[SIGNAL_REBOOT], "", now_ns,
		   faccessat(s->c->root_fd, "run/reboot-required", F_OK, 0) == 0);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch open files: %s", strerror(ENOMEM));
	s->c = c;
	if (faccessat(c->root_fd, "proc/sys/fs/file-nr", R_OK, 0) < 0) {
		free(s);
		return err_set(reterr, -ENOENT, "watch open files: no /proc/sys/fs/file-nr");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_host_files = {
	.name = "host_files",
	.summary = "open files of the whole host, and the need for a reboot",
	.source = "kernel Documentation/admin-guide/sysctl/fs.rst, file-nr; reboot-required",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = free,
};
