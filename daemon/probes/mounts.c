/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/procfs.h"

#define INTERVAL_NS      (10 * NS_PER_S) /* a disk does not fill faster than that matters */
#define LIST_INTERVAL_NS (60 * NS_PER_S)

enum { SIGNAL_USED, SIGNAL_AVAILABLE, SIGNAL_INODES };

#define SIGNAL(n, h)                                                      \
	{                                                                 \
		n, ENTITY_KIND_MOUNT, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_USED] = SIGNAL("mount.used_ratio", "of the space that users may fill, as df(1)"),
	[SIGNAL_AVAILABLE] = SIGNAL("mount.available_bytes", "what users may still write"),
	[SIGNAL_INODES] = SIGNAL("mount.inodes_used_ratio",
				 "of all inodes, where their number is bounded"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	uint64_t list_ns, t_ns; /* of the last reading; 0: none */
	struct procfs_mounts mounts;
};

static void measure(const struct state *s, const char *path, uint64_t now_ns)
{
	struct statvfs v = { 0 };
	double used, all;

	if (statvfs(path, &v) < 0 || !str_is_clean_utf8(path, strlen(path)))
		return;
	/* What root alone may use is neither used nor free. */
	used = (double)(v.f_blocks - v.f_bfree);
	all = used + (double)v.f_bavail;
	if (all > 0) {
		probe_emit(s->c, &signals[SIGNAL_USED], path, now_ns, used / all);
		probe_emit(s->c, &signals[SIGNAL_AVAILABLE], path, now_ns,
			   (double)v.f_bavail * (double)v.f_frsize);
	}
	if (v.f_files > 0)
		probe_emit(s->c, &signals[SIGNAL_INODES], path, now_ns,
			   (double)(v.f_files - v.f_ffree) / (double)v.f_files);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	s->t_ns = now_ns;
	if (!s->list_ns || now_ns >= s->list_ns + LIST_INTERVAL_NS) {
		s->list_ns = now_ns;
		if (procfs_read_mounts(s->c->root_fd, &s->mounts) < 0)
			s->mounts.n = 0;
	}
	for (uint32_t i = 0; i < s->mounts.n; i++)
		measure(s, s->mounts.paths[i], now_ns);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch file systems: %s", strerror(ENOMEM));
	s->c = c;
	if (faccessat(c->root_fd, "proc/self/mountinfo", R_OK, 0) < 0) {
		free(s);
		return err_set(reterr, -ENOENT, "watch file systems: no /proc/self/mountinfo");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_mounts = {
	.name = "mounts",
	.summary = "space and inodes of local file systems",
	.source = "proc(5), /proc/PID/mountinfo; statvfs(3)",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = free,
};
