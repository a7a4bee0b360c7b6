/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/fault.h"
#include "sys/cgroup.h"
#include "sys/unitctl.h"
#include "sys/victim.h"
#include "sys/worker.h"

#define SYSTEMD_NAME        "org.freedesktop.systemd1"
#define SYSTEMD_PATH        "/org/freedesktop/systemd1"
#define SYSTEMD_UNIT        "org.freedesktop.systemd1.Unit"
#define SYSTEMD_MANAGER     "org.freedesktop.systemd1.Manager"
#define BURNER_NAME_MAX     32
#define BURNER_TEXT         "Batch job" /* says nothing: a diagnosis has to find out */
#define BURNER_MEMORY_BYTES UINT64_C(67108864)
/* Our own end comes first; this one is for the day when nothing of us is left. */
#define BURNER_GRACE_USEC (5 * US_PER_S)
#define STOP_MAX_NS       (5 * NS_PER_S)
/* Share of the CPU time it could have that counts as an effect: with less it disturbs nobody. */
#define EFFECT_SHARE_PCT 50

static const struct param_spec params[] = {
	{ .name = "workers",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 1,
	  .max = WORKER_SPIN_MAX,
	  .default_text = "8",
	  .help = "processes that compute without end" },
	{ .name = "weight",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 1,
	  .max = 10000,
	  .default_text = "2000",
	  .help = "CPUWeight= of their unit; a service has 100, and at 10000 the bus starves" },
	{ .name = NULL },
};

struct state {
	char unit[BURNER_NAME_MAX];
};

struct burner {
	struct state state;
	uint64_t read_ns, cpu_us; /* the last reading; 0: none */
};

static void message_unrefp(sd_bus_message **m)
{
	(void)sd_bus_message_unref(*m);
}

static void error_freep(sd_bus_error *e)
{
	sd_bus_error_free(e);
}

static int append_command(sd_bus_message *m, int64_t workers)
{
	char count[8] = "", path[512] = "";
	int r = worker_path(path, sizeof(path));

	str_append(count, sizeof(count), "%" PRId64, workers);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "ExecStart", "a(sasb)", 1, path, 3,
					  WORKER_NAME, WORKER_SPINS, count, 0);
	return r;
}

static int append_properties(sd_bus_message *m, const struct fault_context *c)
{
	uint64_t weight = (uint64_t)params_integer(c->params, "weight");
	uint64_t runtime_usec = c->duration_ns / NS_PER_US + BURNER_GRACE_USEC;
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description",
					  "s", BURNER_TEXT, "Type", "s", "exec", "CollectMode", "s",
					  "inactive-or-failed", "RuntimeMaxUSec", "t", runtime_usec,
					  "TimeoutStopUSec", "t", 2 * US_PER_S, "CPUWeight", "t",
					  weight, "MemoryMax", "t", BURNER_MEMORY_BYTES,
					  "DynamicUser", "b", 1, "NoNewPrivileges", "b", 1);
	if (r >= 0)
		r = append_command(m, params_integer(c->params, "workers"));
	return r >= 0 ? sd_bus_message_close_container(m) : r;
}

static int start_burner(const struct fault_context *c, const char *unit, struct err *reterr)
{
	_cleanup_(message_unrefp) sd_bus_message *m = NULL;
	_cleanup_(error_freep) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(c->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER, "StartTransientUnit");

	/* "fail": a unit of that name is somebody else's. */
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", unit, "fail");
	if (r >= 0)
		r = append_properties(m, c);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r >= 0)
		r = sd_bus_call(c->bus, m, 0, &error, NULL);
	return r < 0 ? err_set(reterr, r, "start unit '%s': %s", unit,
			       error.message ?: strerror(-r)) :
		       0;
}

static int inject(struct fault_context *c, struct err *reterr)
{
	struct burner *b = calloc(1, sizeof(*b));
	int r;

	c->priv = b;
	if (!b)
		return err_set(reterr, -ENOMEM, "start a unit: Out of memory");
	str_append(b->state.unit, sizeof(b->state.unit), "batch-%.4s.service", c->key);
	r = c->record(c, &b->state, sizeof(b->state), reterr);
	return r < 0 ? r : start_burner(c, b->state.unit, reterr);
}

/* What its workers could use in the time, of all CPUs. */
static uint64_t possible_us(const struct fault_context *c, uint64_t elapsed_ns)
{
	int64_t workers = params_integer(c->params, "workers");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return elapsed_ns / NS_PER_US * (uint64_t)(workers < cpus ? workers : cpus);
}

static int effect(struct fault_context *c, struct err *reterr)
{
	struct burner *b = c->priv;
	uint64_t now_ns, cpu_us = 0, possible = 0;
	struct victim v = { 0 };
	_cleanup_close_ int fd = -EBADF;
	int r = victim_read_running(c->bus, b->state.unit, &v, reterr);

	if (r < 0)
		return r;
	fd = victim_open_cgroup(&v, reterr);
	now_ns = clock_boot_ns();
	r = fd < 0 ? fd : cgroup_read_key_at(fd, "cpu.stat", "usage_usec", &cpu_us);
	if (r < 0)
		return r;
	if (b->read_ns > 0)
		possible = possible_us(c, now_ns - b->read_ns);
	r = possible > 0 && (cpu_us - b->cpu_us) * 100 >= possible * EFFECT_SHARE_PCT;
	if (r > 0)
		str_append(c->text, c->text_size, "%s uses %" PRIu64 " %% of what it can get",
			   b->state.unit, (cpu_us - b->cpu_us) * 100 / possible);
	b->read_ns = now_ns;
	b->cpu_us = cpu_us;
	return r;
}

static bool is_over(const struct victim *v)
{
	return str_equal(v->facts.active_state, "inactive") ||
	       str_equal(v->facts.active_state, "failed");
}

static int active(struct fault_context *c, struct err *reterr)
{
	const struct burner *b = c->priv;
	struct victim v = { 0 };
	int r = victim_read(c->bus, b->state.unit, &v, reterr);

	return r == -ENOENT ? 0 : r < 0 ? r : !is_over(&v);
}

/* A unit that somebody has written to disk under that name is not ours. */
static int check_transient(void *bus, const char *unit, struct err *reterr)
{
	_cleanup_free_ char *path = NULL;
	int is_transient = 0;
	int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);

	if (r >= 0)
		r = sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, SYSTEMD_UNIT, "Transient",
						NULL, 'b', &is_transient);
	if (r < 0)
		return err_set(reterr, r, "read unit '%s': %s", unit, strerror(-r));
	return is_transient ?
		       0 :
		       err_set(reterr, -ESTALE, "stop unit '%s': it is another's by now", unit);
}

static int clear(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	const struct state *s = state;
	struct victim v = { 0 };
	int r;

	if (size != sizeof(*s) || !str_is_terminated(s->unit, sizeof(s->unit)) ||
	    strncmp(s->unit, "batch-", 6) != 0 || !str_is_unit_name(s->unit))
		return err_set(reterr, -EBADMSG, "stop the unit: the undo state is malformed");
	r = victim_read(c->bus, s->unit, &v, reterr);
	if (r == -ENOENT || (r == 0 && is_over(&v)))
		return 0;
	if (r == 0)
		r = check_transient(c->bus, s->unit, reterr);
	if (r == 0)
		r = unitctl_stop_ours(c->bus, s->unit, clock_boot_ns() + STOP_MAX_NS, reterr);
	return r < 0 ? r : 1;
}

static void release(struct fault_context *c)
{
	free(c->priv);
	c->priv = NULL;
}

static const char *const actions[] = { "unit.set_cpu_quota", NULL };

const struct fault_ops fault_cpu_stress = {
	.name = "cpu.stress",
	.summary = "a neighbour in a unit of its own takes the host's CPU time",
	.source = "systemd.resource-control(5) CPUWeight=, a transient unit with RuntimeMaxSec=",
	.params = params,
	.reverts = REVERTS_TIMER,
	.expects = { .cause = "cpu-neighbour",
		     .actions = actions,
		     .effect =
			     "services at the default weight get little CPU time and answer late" },
	.inject = inject,
	.effect = effect,
	.active = active,
	.clear = clear,
	.release = release,
};
