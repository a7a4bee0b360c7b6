/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "selftests/unit/oneunit.h"

struct oneunit oneunit;

void oneunit_new_invocation(void)
{
	static unsigned n;

	oneunit.facts.invocation_id[0] = '\0';
	str_append(oneunit.facts.invocation_id, sizeof(oneunit.facts.invocation_id), "%032x", ++n);
}

void oneunit_set_state(const char *active, const char *result)
{
	(void)str_copy(oneunit.facts.active_state, sizeof(oneunit.facts.active_state), active);
	(void)str_copy(oneunit.facts.result, sizeof(oneunit.facts.result), result);
	oneunit.facts.state_change_mono_us = ++oneunit.now_mono_us;
}

int unitctl_read(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	(void)bus;
	(void)reterr;
	assert_string_equal(unit, ONEUNIT_NAME);
	*ret = oneunit.facts;
	return 0;
}

/* Returns 0: goes through; 1: it is deaf; -errno. */
static int take(const char *method, const char *unit, struct err *reterr)
{
	assert_string_equal(unit, ONEUNIT_NAME);
	oneunit.n_changes++;
	(void)str_copy(oneunit.last, sizeof(oneunit.last), method);
	if (oneunit.job_result < 0)
		return err_set(reterr, oneunit.job_result, "%s of unit '%s': no", method, unit);
	return oneunit.is_deaf;
}

int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	int r = take(method, unit, reterr);

	(void)bus;
	(void)deadline_ns;
	if (r != 0)
		return r < 0 ? r : 0;
	if (str_equal(method, "StopUnit")) {
		oneunit_set_state("inactive", "success");
		return 0;
	}
	if (!str_equal(method, "ReloadUnit"))
		oneunit_new_invocation();
	oneunit_set_state(oneunit.fails_to_start ? "failed" : "active",
			  oneunit.fails_to_start ? "exit-code" : "success");
	return 0;
}

int unitctl_call(void *bus, const char *method, const char *unit, struct err *reterr)
{
	int r = take(method, unit, reterr);
	char *freezer = oneunit.facts.freezer_state;

	(void)bus;
	if (r != 0)
		return r < 0 ? r : 0;
	if (str_equal(method, "FreezeUnit"))
		(void)str_copy(freezer, sizeof(oneunit.facts.freezer_state), "frozen");
	else if (str_equal(method, "ThawUnit"))
		(void)str_copy(freezer, sizeof(oneunit.facts.freezer_state), "running");
	else if (str_equal(method, "ResetFailedUnit"))
		oneunit_set_state("inactive", "success");
	else
		fail_msg("called '%s'", method);
	return 0;
}

int unitctl_check_stops_alone(void *bus, const char *unit, struct err *reterr)
{
	(void)bus;
	(void)unit;
	return oneunit.is_needed ? err_set(reterr, -EBUSY, "needed") : 0;
}

int unitctl_wait_idle(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)bus;
	(void)unit;
	(void)deadline_ns;
	(void)reterr;
	return 0;
}

void oneunit_set_limit(const char *file, const char *text)
{
	char path[128] = ONEUNIT_CGROUP;

	str_append(path, sizeof(path), "%s", file);
	(void)str_copy(oneunit.limit_file, sizeof(oneunit.limit_file), file);
	(void)str_copy(oneunit.limit_text, sizeof(oneunit.limit_text), text);
	tree_write(oneunit.tree, path, text);
}

/* What the kernel gets of the drop-in. Source: systemd.resource-control(5), cgroup-v2.rst. */
static void format_limit(const char *conf, char *buf, size_t size)
{
	uint64_t v = 0;
	const char *p = strstr(conf, "\n[Service]\n");

	assert_non_null(p);
	p += strlen("\n[Service]\n");
	if (sscanf(p, "MemoryHigh=%" SCNu64 "M\n", &v) == 1 ||
	    sscanf(p, "MemoryMax=%" SCNu64 "M\n", &v) == 1)
		str_append(buf, size, "%" PRIu64, v * 1048576);
	else if (sscanf(p, "TasksMax=%" SCNu64 "\n", &v) == 1)
		str_append(buf, size, "%" PRIu64, v);
	else if (sscanf(p, "IOReadBandwidthMax=/ %" SCNu64 "K\n", &v) == 1)
		str_append(buf, size, "8:0 rbps=%" PRIu64 " wbps=max riops=max wiops=max",
			   v * 1024);
	else if (sscanf(p, "IOWriteBandwidthMax=/ %" SCNu64 "K\n", &v) == 1)
		str_append(buf, size, "8:0 rbps=max wbps=%" PRIu64 " riops=max wiops=max",
			   v * 1024);
	else if (sscanf(p, "IOWeight=%" SCNu64 "\n", &v) == 1)
		str_append(buf, size, "default %" PRIu64, v);
	else
		fail_msg("drop-in says '%s'", p);
}

int unitctl_reload(void *bus, struct err *reterr)
{
	char conf[512] = "", text[128] = "", path[128] = ONEUNIT_CGROUP;

	(void)bus;
	(void)reterr;
	oneunit.n_changes++;
	if (oneunit.is_deaf)
		return 0;
	if (fd_read_file(oneunit.tree->fd, ONEUNIT_DROPIN, conf, sizeof(conf)) > 0)
		format_limit(conf, text, sizeof(text));
	else
		str_append(text, sizeof(text), "%s", oneunit.limit_text);
	str_append(path, sizeof(path), "%s", oneunit.limit_file);
	tree_write(oneunit.tree, path, text);
	return 0;
}

static int record(const struct action_context *c, const void *data, size_t size, struct err *reterr)
{
	(void)c;
	(void)reterr;
	assert_true(size <= sizeof(oneunit.undo));
	memcpy(oneunit.undo, data, size);
	return 0;
}

int oneunit_setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&oneunit, 0, sizeof(oneunit));
	oneunit.tree = *state;
	(void)str_copy(oneunit.facts.id, sizeof(oneunit.facts.id), ONEUNIT_NAME);
	(void)str_copy(oneunit.facts.load_state, sizeof(oneunit.facts.load_state), "loaded");
	(void)str_copy(oneunit.facts.freezer_state, sizeof(oneunit.facts.freezer_state), "running");
	(void)str_copy(oneunit.facts.control_group, sizeof(oneunit.facts.control_group),
		       "/system.slice/" ONEUNIT_NAME);
	oneunit.facts.can_reload = oneunit.facts.can_freeze = true;
	oneunit.facts.main_pid = 100;
	oneunit_new_invocation();
	oneunit_set_state("active", "success");
	return 0;
}

struct params oneunit_params(const struct action_ops *a, const char *name, const char *value)
{
	const struct param_text texts[] = { { "unit", ONEUNIT_NAME }, { name, value } };
	struct params params = { 0 };

	assert_int_equal(params_parse(a->params, texts, name ? 2 : 1, &params, NULL), 0);
	return params;
}

struct action_context oneunit_context(const struct params *params)
{
	oneunit.text[0] = '\0';
	return (struct action_context){ .params = params,
					.key = ONEUNIT_KEY,
					.root_fd = oneunit.tree->fd,
					.undo = oneunit.undo,
					.record = record,
					.text = oneunit.text,
					.text_size = sizeof(oneunit.text) };
}

int oneunit_carry_out(const struct action_ops *a, struct action_context *c, const char **ret_phase)
{
	int r = a->check(c, NULL);

	*ret_phase = "check";
	if (r != 0)
		return r;
	*ret_phase = "snapshot";
	r = a->snapshot ? a->snapshot(c, oneunit.undo, NULL) : 0;
	if (r < 0)
		return r;
	c->undo_size = (size_t)r;
	*ret_phase = "apply";
	r = a->apply(c, NULL);
	*ret_phase = r < 0 ? "apply" : "verify";
	return r < 0 ? r : a->verify(c, NULL);
}
