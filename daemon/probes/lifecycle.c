/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "base/clock.h"
#include "bpf/lifecycle.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/procfs.h"
#include "sys/watch.h"

#include "lifecycle.skel.h"

/* 15 characters are all of a name that the kernel keeps (TASK_COMM_LEN). unattended-upgrades is left out:
 * a daemon of that name waits for the shutdown all day, and what it upgrades it upgrades with dpkg. */
static const char package_managers[][LIFECYCLE_COMM_MAX] = {
	"dpkg", "apt-get", "apt", "rpm", "dnf", "yum",
};

enum { SIGNAL_OOM, SIGNAL_EXIT, SIGNAL_PACKAGES };

static const struct signal_spec signals[] = {
	[SIGNAL_OOM] = { "unit.oom_kill_event", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
			 "pid of a process of the unit that the OOM killer chose" },
	[SIGNAL_EXIT] = { "unit.exit_event", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
			  "a process of the unit died: its signal, or 1000 plus its exit code" },
	[SIGNAL_PACKAGES] = { "host.package_manager_event", ENTITY_KIND_HOST, SOURCE_BPF,
			      PROVENANCE_KERNEL, "pid of a package manager that was started" },
	{ .name = NULL },
};

#define PACKAGERS_MAX        8
#define PACKAGER_INTERVAL_NS (5 * NS_PER_S)

/* A package manager that runs. */
struct packager {
	pid_t pid; /* 0: free */
	uint64_t start_jiffies, told_ns;
};

struct state {
	const struct probe_context *c;
	struct lifecycle_bpf *bpf;
	struct ring_buffer *ring;
	sd_event_source *source;
	int proc_fd;
	uint64_t keys[SERVICES_MAX]; /* cgroup ids in the map of managed ones, as in watch.units */
	struct packager packagers[PACKAGERS_MAX];
};

static double exit_value(const struct watch_exit *e)
{
	return e->signal ? e->signal : 1000 + e->code;
}

/* The OOM killer's victim is mostly still to be seen. */
static void name_unit(const struct state *s, const struct lifecycle_event *e, struct watch_exit *x)
{
	const struct watch_unit *u = watch_find_cgroup(s->c->watch, e->cgroup_id);

	if (u)
		(void)str_copy(x->unit, sizeof(x->unit), u->name);
	else if (!x->is_oom || s->proc_fd < 0 ||
		 procfs_read_unit(s->proc_fd, (pid_t)e->pid, x->unit) < 0)
		x->unit[0] = '\0';
}

static void on_death(const struct state *s, const struct lifecycle_event *e)
{
	struct watch_exit x = { .t_ns = e->t_ns, .pid = (pid_t)e->pid };

	x.is_oom = e->kind == LIFECYCLE_KIND_OOM;
	x.signal = (int)(e->exit_code & 0x7f);
	x.code = (int)(e->exit_code >> 8 & 0xff);
	(void)str_copy(x.comm, sizeof(x.comm), e->comm);
	if (!x.is_oom && !x.signal && !x.code)
		return;
	name_unit(s, e, &x);
	if (!x.unit[0])
		return;
	watch_add_exit(s->c->watch, &x);
	if (!watch_find(s->c->watch, x.unit))
		return;
	if (x.is_oom)
		probe_emit(s->c, &signals[SIGNAL_OOM], x.unit, e->t_ns, x.pid);
	else
		probe_emit(s->c, &signals[SIGNAL_EXIT], x.unit, e->t_ns, exit_value(&x));
}

static bool is_packager(const char *comm)
{
	for (size_t i = 0; i < ELEMENTSOF(package_managers); i++)
		if (str_equal(package_managers[i], comm))
			return true;
	return false;
}

/* Short ones end by themselves before anybody looks; one too many is told once, by its start. */
static void remember_packager(struct state *s, pid_t pid, uint64_t told_ns)
{
	struct procfs_task task = { 0 };
	uid_t euid = 0;

	if (procfs_read_task(s->proc_fd, pid, &task) < 0 || !is_packager(task.comm) ||
	    procfs_is_in_container(s->proc_fd, pid) ||
	    procfs_read_euid(s->proc_fd, pid, &euid) < 0 || euid != 0)
		return;
	for (size_t i = 0; i < PACKAGERS_MAX; i++)
		if (!s->packagers[i].pid) {
			s->packagers[i] = (struct packager){ .pid = pid,
							     .start_jiffies = task.start_jiffies,
							     .told_ns = told_ns };
			return;
		}
}

/* Those that were running before us. Our own package may be what is upgraded. */
static void find_packagers(struct state *s)
{
	int fd = openat(s->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	uint64_t pid = 0;

	while (dir && (d = readdir(dir)))
		if (str_parse_u64(d->d_name, &pid) == 0 && pid > 0 && pid <= INT_MAX)
			remember_packager(s, (pid_t)pid, 0);
}

static int on_event(void *userdata, void *data, size_t size)
{
	struct state *s = userdata;
	const struct lifecycle_event *e = data;

	if (size < sizeof(*e))
		return 0;
	if (e->kind == LIFECYCLE_KIND_PACKAGES) {
		/* One that is gone already was in our PID namespace. */
		if (procfs_is_in_container(s->proc_fd, (pid_t)e->pid))
			return 0;
		probe_emit(s->c, &signals[SIGNAL_PACKAGES], "", e->t_ns, e->pid);
		remember_packager(s, (pid_t)e->pid, e->t_ns);
	} else {
		on_death(s, e);
	}
	return 0;
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct state *s = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	(void)ring_buffer__consume(s->ring);
	return 0;
}

static void follow_unit(struct state *s, uint32_t i, uint64_t cgroup_id)
{
	int map_fd = bpf_map__fd(s->bpf->maps.managed);
	uint32_t one = 1;

	if (s->keys[i])
		(void)bpf_map_delete_elem(map_fd, &s->keys[i]);
	s->keys[i] = 0;
	if (cgroup_id && bpf_map_update_elem(map_fd, &cgroup_id, &one, BPF_ANY) == 0)
		s->keys[i] = cgroup_id;
}

static void follow(void *state)
{
	struct state *s = state;
	const struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++)
		if (s->keys[i] != w->units[i].cgroup_id)
			follow_unit(s, i, w->units[i].cgroup_id);
}

/* Says so as long as a package manager runs that we saw: an upgrade may take minutes. */
static void tell_packagers(struct state *s, uint64_t now_ns)
{
	for (size_t i = 0; i < PACKAGERS_MAX; i++) {
		struct packager *p = &s->packagers[i];
		struct procfs_task task = { 0 };

		if (!p->pid || now_ns < p->told_ns + PACKAGER_INTERVAL_NS)
			continue;
		p->told_ns = now_ns;
		if (procfs_read_task(s->proc_fd, p->pid, &task) < 0 ||
		    task.start_jiffies != p->start_jiffies || task.state == 'Z')
			p->pid = 0;
		else
			probe_emit(s->c, &signals[SIGNAL_PACKAGES], "", now_ns, p->pid);
	}
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++)
		(void)watch_refresh_cgroup(w, &w->units[i]);
	tell_packagers(s, now_ns);
}

/* The order of the units may be another: all keys are made anew. */
static void reload(void *state)
{
	struct state *s = state;

	for (uint32_t i = 0; i < SERVICES_MAX; i++)
		follow_unit(s, i, 0);
}

static uint64_t dropped(void *state)
{
	const struct state *s = state;
	uint64_t n = 0;

	for (uint32_t why = 0; why < _LIFECYCLE_DROP_MAX; why++)
		n += bpfload_sum(bpf_map__fd(s->bpf->maps.drops), why);
	return n;
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	(void)c;
	return bpfload_supported(reterr);
}

static void stop(void *state)
{
	struct state *s = state;

	s->c->watch->has_exits = false;
	(void)sd_event_source_disable_unref(s->source);
	ring_buffer__free(s->ring);
	lifecycle_bpf__destroy(s->bpf);
	closep(&s->proc_fd);
	free(s);
}

static int load(struct state *s, struct err *reterr)
{
	uint32_t one = 1;
	struct stat st;
	int r;

	s->bpf = lifecycle_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "lifecycle", reterr);
	r = bpfload_tracepoint_param("mark_victim", reterr);
	if (r < 0)
		return r;
	(void)bpf_program__set_autoload(s->bpf->progs.lifecycle_oom_task,
					r == BPFLOAD_PARAM_POINTER);
	(void)bpf_program__set_autoload(s->bpf->progs.lifecycle_oom_pid,
					r == BPFLOAD_PARAM_INTEGER);
	if (fstatat(s->proc_fd, "self/ns/pid", &st, 0) == 0)
		s->bpf->rodata->host_pid_ns = (uint32_t)st.st_ino;
	r = lifecycle_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "lifecycle", reterr);
	for (size_t i = 0; i < ELEMENTSOF(package_managers); i++)
		(void)bpf_map_update_elem(bpf_map__fd(s->bpf->maps.package_managers),
					  package_managers[i], &one, BPF_ANY);
	r = lifecycle_bpf__attach(s->bpf);
	return r < 0 ? bpfload_error(r, "attach", "lifecycle", reterr) : 0;
}

static int listen_ring(struct state *s, struct err *reterr)
{
	int r;

	s->ring = ring_buffer__new(bpf_map__fd(s->bpf->maps.events), on_event, s, NULL);
	if (!s->ring)
		return bpfload_error(-errno, "open ring of", "lifecycle", reterr);
	r = sd_event_add_io(s->c->event, &s->source, ring_buffer__epoll_fd(s->ring), EPOLLIN,
			    on_ring, s);
	/* Before D-Bus: a death is told while its cgroup and its process are still to be seen. */
	if (r >= 0)
		r = sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? bpfload_error(r, "poll", "lifecycle", reterr) : 0;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch processes: %s", strerror(ENOMEM));
	s->c = c;
	s->proc_fd = openat(c->root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = load(s, reterr);
	if (r == 0)
		r = listen_ring(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	find_packagers(s);
	c->watch->has_exits = true;
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_lifecycle = {
	.name = "lifecycle",
	.summary = "deaths of processes, OOM kills and package managers (eBPF)",
	.source = "bpf/lifecycle.bpf.c; kernel include/trace/events/sched.h, oom.h",
	.signals = signals,
	.optional = true,
	.privileged = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.reload = reload,
	.follow = follow,
	.stop = stop,
	.dropped = dropped,
};
