/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "sys/unitbus.h"

enum property_type { TYPE_STRING, TYPE_I32, TYPE_U32, TYPE_U64, TYPE_ID, TYPE_JOB, TYPE_COUNT };

struct property {
	const char *name;
	enum property_type type;
	size_t offset, size;
};

#define PROPERTY(name, type, member)                                 \
	{                                                            \
		name, type, offsetof(struct unit_status, member),    \
			sizeof(((struct unit_status *)NULL)->member) \
	}

static const struct property properties[] = {
	PROPERTY("LoadState", TYPE_STRING, load_state),
	PROPERTY("ActiveState", TYPE_STRING, active_state),
	PROPERTY("SubState", TYPE_STRING, sub_state),
	PROPERTY("UnitFileState", TYPE_STRING, unit_file_state),
	PROPERTY("FreezerState", TYPE_STRING, freezer_state),
	PROPERTY("Result", TYPE_STRING, result),
	PROPERTY("Restart", TYPE_STRING, restart),
	PROPERTY("ControlGroup", TYPE_STRING, control_group),
	PROPERTY("InvocationID", TYPE_ID, invocation_id),
	PROPERTY("ExecMainCode", TYPE_I32, exit_code),
	PROPERTY("ExecMainStatus", TYPE_I32, exit_status),
	PROPERTY("NRestarts", TYPE_U32, n_restarts),
	PROPERTY("MainPID", TYPE_U32, main_pid),
	PROPERTY("Job", TYPE_JOB, job_id),
	PROPERTY("StateChangeTimestampMonotonic", TYPE_U64, state_change_mono_us),
	PROPERTY("ActiveEnterTimestampMonotonic", TYPE_U64, active_enter_mono_us),
	PROPERTY("ActiveExitTimestampMonotonic", TYPE_U64, active_exit_mono_us),
	PROPERTY("ExecMainExitTimestampMonotonic", TYPE_U64, main_exit_mono_us),
	PROPERTY("Type", TYPE_STRING, type),
	PROPERTY("TriggeredBy", TYPE_COUNT, n_triggers),
};

bool unit_status_is_active(const struct unit_status *s)
{
	return str_equal(s->active_state, "active") || str_equal(s->active_state, "reloading");
}

bool unit_status_is_failed(const struct unit_status *s)
{
	return str_equal(s->active_state, "failed");
}

static bool has_ended_well(const struct unit_status *s)
{
	return str_equal(s->active_state, "inactive") && str_equal(s->result, "success") &&
	       s->active_exit_mono_us > 0;
}

/* A oneshot is meant to end, and what the bus, a socket or a timer starts may end when it is idle. */
static bool is_meant_to_stay(const struct unit_status *s)
{
	static const char *const types[] = { "simple", "exec", "notify", "notify-reload",
					     "forking" };

	for (size_t i = 0; i < ELEMENTSOF(types); i++)
		if (str_equal(s->type, types[i]))
			return str_equal(s->restart, "no") && s->n_triggers == 0;
	return false;
}

bool unit_status_has_ended_itself(const struct unit_status *s, uint64_t unasked_exit_mono_us)
{
	return has_ended_well(s) && is_meant_to_stay(s) && s->main_exit_mono_us > 0 &&
	       (s->main_exit_mono_us <= s->active_exit_mono_us ||
		unasked_exit_mono_us == s->active_exit_mono_us);
}

bool unit_status_is_stopped_by_admin(const struct unit_status *s, uint64_t unasked_exit_mono_us)
{
	return has_ended_well(s) && !unit_status_has_ended_itself(s, unasked_exit_mono_us);
}

static const struct property *find_property(const char *name)
{
	for (size_t i = 0; i < ELEMENTSOF(properties); i++)
		if (str_equal(properties[i].name, name))
			return &properties[i];
	return NULL;
}

static int read_string(sd_bus_message *m, char *dst, size_t size)
{
	const char *s = NULL;
	int r = sd_bus_message_read(m, "v", "s", &s);

	if (r >= 0)
		(void)str_copy(dst, size, s);
	return r;
}

static int read_id(sd_bus_message *m, char *dst, size_t size)
{
	const uint8_t *bytes = NULL;
	size_t n = 0;
	int r;

	r = sd_bus_message_enter_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', (const void **)&bytes, &n);
	if (r < 0)
		return r;
	dst[0] = '\0';
	for (size_t i = 0; i < n; i++)
		str_append(dst, size, "%02x", bytes[i]);
	return sd_bus_message_exit_container(m);
}

static int read_job(sd_bus_message *m, uint32_t *ret_id)
{
	const char *path = NULL;

	return sd_bus_message_read(m, "v", "(uo)", ret_id, &path);
}

static int read_count(sd_bus_message *m, uint32_t *ret)
{
	const char *name = NULL;
	int r = sd_bus_message_enter_container(m, 'v', "as");

	*ret = 0;
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &name)) > 0)
		++*ret;
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const struct property *p, struct unit_status *s)
{
	void *dst = (char *)s + p->offset;

	switch (p->type) {
	case TYPE_STRING:
		return read_string(m, dst, p->size);
	case TYPE_I32:
		return sd_bus_message_read(m, "v", "i", dst);
	case TYPE_U32:
		return sd_bus_message_read(m, "v", "u", dst);
	case TYPE_U64:
		return sd_bus_message_read(m, "v", "t", dst);
	case TYPE_ID:
		return read_id(m, dst, p->size);
	case TYPE_JOB:
		return read_job(m, dst);
	case TYPE_COUNT:
		return read_count(m, dst);
	}
	return -EINVAL;
}

int unit_status_read(struct unit_status *s, sd_bus_message *m)
{
	int r, n = 0;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const struct property *p;
		const char *name = NULL;

		r = sd_bus_message_read(m, "s", &name);
		if (r < 0)
			return r;
		p = find_property(name);
		r = p ? read_value(m, p, s) : sd_bus_message_skip(m, "v");
		if (r < 0)
			return r;
		n += p != NULL;
		r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	r = sd_bus_message_exit_container(m);
	return r < 0 ? r : n;
}
