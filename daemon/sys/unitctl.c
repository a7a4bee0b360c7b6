/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define UNIT_INTERFACE    "org.freedesktop.systemd1.Unit"
#define PRIVATE_ADDRESS   "unix:path=/run/systemd/private"
#define JOB_IN_THE_WAY    "org.freedesktop.systemd1.TransactionIsDestructive"
#define IDLE_POLL_NS      (100 * NS_PER_MS)

static void bus_error_done(sd_bus_error *e)
{
	sd_bus_error_free(e);
}
#define _cleanup_bus_error_ _cleanup_(bus_error_done)

static void message_unrefp(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}
#define _cleanup_message_ _cleanup_(message_unrefp)

static void slot_unrefp(sd_bus_slot **s)
{
	sd_bus_slot_unref(*s);
}

static int need_bus(const void *bus, struct err *reterr)
{
	return bus ? 0 : err_set(reterr, -ENOTCONN, "talk to systemd: it is not reached");
}

/* The text of a failed call: systemd's own words if there are any. */
static int call_error(struct err *reterr, int code, const sd_bus_error *e, const char *verb,
		      const char *object)
{
	return err_set(reterr, code, "%s '%s': %s", verb, object,
		       e && e->message ? e->message : strerror(-code));
}

/* sd-bus would wait 90 s for a bus that accepts and never answers. */
static int wait_ready(sd_bus *bus)
{
	uint64_t end_ns = clock_boot_ns() + UNITCTL_CALL_MAX_NS;

	for (;;) {
		int r = sd_bus_is_ready(bus);

		if (r != 0)
			return r < 0 ? r : 0;
		r = sd_bus_process(bus, NULL);
		if (r < 0)
			return r;
		if (clock_boot_ns() >= end_ns)
			return -ETIMEDOUT;
		if (r == 0)
			r = sd_bus_wait(bus, 100 * NS_PER_MS / NS_PER_US);
		if (r < 0 && r != -EINTR)
			return r;
	}
}

static int open_address(const char *address, sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r;

	if (address) {
		r = sd_bus_new(&bus);
		if (r >= 0)
			r = sd_bus_set_address(bus, address);
		if (r >= 0)
			r = sd_bus_start(bus);
	} else {
		r = sd_bus_open_system(&bus);
	}
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, UNITCTL_CALL_MAX_NS / NS_PER_US);
	if (r >= 0)
		r = wait_ready(bus);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

int unitctl_open(void **ret_bus, struct err *reterr)
{
	sd_bus *bus = NULL;
	int r = open_address(PRIVATE_ADDRESS, &bus);

	if (r < 0)
		r = open_address(NULL, &bus);
	/* Signals of jobs come unasked on the private socket; there this is a no-operation. */
	if (r >= 0)
		r = sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
				       "Subscribe", NULL, NULL, NULL);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return err_set(reterr, r, "connect to systemd: %s", strerror(-r));
	}
	*ret_bus = bus;
	return 0;
}

void *unitctl_close(void *bus)
{
	sd_bus_flush_close_unref(bus);
	return NULL;
}

static int read_string(sd_bus *bus, const char *path, const char *property, char *ret, size_t size)
{
	_cleanup_free_ char *value = NULL;
	int r = sd_bus_get_property_string(bus, MANAGER_NAME, path, UNIT_INTERFACE, property, NULL,
					   &value);

	return r < 0 ? r : str_copy(ret, size, value);
}

static int read_bool(sd_bus *bus, const char *path, const char *property, bool *ret)
{
	int value = 0;
	int r = sd_bus_get_property_trivial(bus, MANAGER_NAME, path, UNIT_INTERFACE, property, NULL,
					    'b', &value);

	if (r >= 0)
		*ret = value != 0;
	return r;
}

static int read_invocation(sd_bus *bus, const char *path, struct unit_facts *f)
{
	_cleanup_message_ sd_bus_message *reply = NULL;
	const uint8_t *id = NULL;
	size_t size = 0;
	int r = sd_bus_get_property(bus, MANAGER_NAME, path, UNIT_INTERFACE, "InvocationID", NULL,
				    &reply, "ay");

	if (r >= 0)
		r = sd_bus_message_read_array(reply, 'y', (const void **)&id, &size);
	if (r < 0)
		return r;
	f->invocation_id[0] = '\0';
	for (size_t i = 0; i < size && size == 16; i++)
		str_append(f->invocation_id, sizeof(f->invocation_id), "%02x", id[i]);
	return 0;
}

static int read_job(sd_bus *bus, const char *path, struct unit_facts *f)
{
	_cleanup_message_ sd_bus_message *reply = NULL;
	int r = sd_bus_get_property(bus, MANAGER_NAME, path, UNIT_INTERFACE, "Job", NULL, &reply,
				    "(uo)");

	return r < 0 ? r : sd_bus_message_read(reply, "(uo)", &f->job_id, NULL);
}

/* What only some types of unit have: absent is empty. */
static void read_of_type(sd_bus *bus, const char *path, const char *unit, struct unit_facts *f)
{
	_cleanup_free_ char *result = NULL, *group = NULL, *type = NULL;
	char interface[64] = "org.freedesktop.systemd1.";
	const char *dot = strrchr(unit, '.');

	if (!dot || !dot[1])
		return;
	str_append(interface, sizeof(interface), "%c%s", dot[1] - 'a' + 'A', dot + 2);
	if (sd_bus_get_property_string(bus, MANAGER_NAME, path, interface, "Result", NULL,
				       &result) >= 0)
		(void)str_copy(f->result, sizeof(f->result), result);
	if (sd_bus_get_property_string(bus, MANAGER_NAME, path, interface, "ControlGroup", NULL,
				       &group) >= 0)
		(void)str_copy(f->control_group, sizeof(f->control_group), group);
	if (sd_bus_get_property_string(bus, MANAGER_NAME, path, interface, "Type", NULL, &type) >=
	    0)
		(void)str_copy(f->type, sizeof(f->type), type);
	(void)sd_bus_get_property_trivial(bus, MANAGER_NAME, path, interface, "MainPID", NULL, 'u',
					  &f->main_pid);
}

static int read_facts(sd_bus *bus, const char *path, const char *unit, struct unit_facts *f)
{
	const struct {
		const char *property;
		char *ret;
		size_t size;
	} strings[] = {
		{ "Id", f->id, sizeof(f->id) },
		{ "LoadState", f->load_state, sizeof(f->load_state) },
		{ "ActiveState", f->active_state, sizeof(f->active_state) },
		{ "SubState", f->sub_state, sizeof(f->sub_state) },
		{ "UnitFileState", f->unit_file_state, sizeof(f->unit_file_state) },
		{ "FreezerState", f->freezer_state, sizeof(f->freezer_state) },
	};
	const struct {
		const char *property;
		bool *ret;
	} bools[] = {
		{ "RefuseManualStart", &f->refuse_manual_start },
		{ "RefuseManualStop", &f->refuse_manual_stop },
		{ "NeedDaemonReload", &f->reload_needed },
		{ "CanReload", &f->can_reload },
		{ "CanFreeze", &f->can_freeze },
	};
	const struct {
		const char *property;
		uint64_t *ret;
	} times[] = {
		{ "StateChangeTimestampMonotonic", &f->state_change_mono_us },
		{ "ActiveExitTimestampMonotonic", &f->active_exit_mono_us },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
		r = read_string(bus, path, strings[i].property, strings[i].ret, strings[i].size);
	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(bools); i++)
		r = read_bool(bus, path, bools[i].property, bools[i].ret);
	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(times); i++)
		r = sd_bus_get_property_trivial(bus, MANAGER_NAME, path, UNIT_INTERFACE,
						times[i].property, NULL, 't', times[i].ret);
	if (r >= 0)
		r = read_invocation(bus, path, f);
	if (r >= 0)
		r = read_job(bus, path, f);
	if (r >= 0)
		read_of_type(bus, path, unit, f);
	return r;
}

int unitctl_read(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	struct unit_facts f = { 0 };
	const char *path = NULL;
	int r = need_bus(bus, reterr);

	if (r < 0)
		return r;
	r = sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "LoadUnit", &e,
			       &reply, "s", unit);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		r = read_facts(bus, path, unit, &f);
	if (r < 0)
		return call_error(reterr, r, &e, "read unit", unit);
	*ret = f;
	return 0;
}

/* One job that is waited for. Signals may come before the call's answer has told its path. */
struct job {
	char path[128];
	char result[32];   /* of ours, when over */
	char removed[128]; /* the last one removed while ours was not known */
	char removed_result[32];
	const char *unit, *mode;
};

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	const char *path = NULL, *unit = NULL, *result = NULL;
	struct job *job = userdata;
	uint32_t id = 0;

	(void)reterr;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 ||
	    !str_equal(unit, job->unit))
		return 0;
	if (!job->path[0]) {
		(void)str_copy(job->removed, sizeof(job->removed), path);
		(void)str_copy(job->removed_result, sizeof(job->removed_result), result);
	} else if (str_equal(path, job->path)) {
		(void)str_copy(job->result, sizeof(job->result), result);
	}
	return 0;
}

static int queue_job(sd_bus *bus, const char *method, struct job *job, struct err *reterr)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	const char *path = NULL;
	int r = sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, method, &e,
				   &reply, "ss", job->unit, job->mode);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	/* No answer is no refusal: it may have been queued. */
	if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
		return err_set(reterr, -EINPROGRESS, "call %s of unit '%s': no answer from systemd",
			       method, job->unit);
	if (sd_bus_error_has_name(&e, JOB_IN_THE_WAY))
		return err_set(reterr, -EBUSY, "%s of unit '%s': another job of it is queued",
			       method, job->unit);
	if (r < 0)
		return call_error(reterr, r, &e, method, job->unit);
	(void)str_copy(job->path, sizeof(job->path), path);
	if (str_equal(job->path, job->removed))
		(void)str_copy(job->result, sizeof(job->result), job->removed_result);
	return 0;
}

static int wait_job(sd_bus *bus, const struct job *job, uint64_t deadline_ns, struct err *reterr)
{
	while (!job->result[0]) {
		uint64_t now_ns = clock_boot_ns();
		int r = sd_bus_process(bus, NULL);

		if (r == 0 && now_ns >= deadline_ns)
			return err_set(reterr, -EINPROGRESS,
				       "wait for job of unit '%s': not over in time", job->unit);
		if (r == 0)
			r = sd_bus_wait(bus, (deadline_ns - now_ns) / NS_PER_US + 1);
		if (r < 0 && r != -EINTR)
			return err_set(reterr, -EINPROGRESS, "wait for job of unit '%s': %s",
				       job->unit, strerror(-r));
	}
	return 0;
}

static int run_job(void *bus, const char *method, struct job job, uint64_t deadline_ns,
		   struct err *reterr)
{
	_cleanup_(slot_unrefp) sd_bus_slot *slot = NULL;
	int r = need_bus(bus, reterr);

	if (r < 0)
		return r;
	r = sd_bus_match_signal(bus, &slot, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
				"JobRemoved", on_job_removed, &job);
	if (r < 0)
		return err_set(reterr, r, "watch jobs of unit '%s': %s", job.unit, strerror(-r));
	r = queue_job(bus, method, &job, reterr);
	if (r == 0)
		r = wait_job(bus, &job, deadline_ns, reterr);
	if (r < 0)
		return r;
	if (!str_equal(job.result, "done"))
		return err_set(reterr, -EIO, "%s of unit '%s': job ended as '%s'", method, job.unit,
			       job.result);
	return 0;
}

int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	return run_job(bus, method, (struct job){ .unit = unit, .mode = "fail" }, deadline_ns,
		       reterr);
}

int unitctl_stop_ours(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	return run_job(bus, "StopUnit", (struct job){ .unit = unit, .mode = "replace" },
		       deadline_ns, reterr);
}

int unitctl_wait_idle(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	struct unit_facts f;

	for (;;) {
		int r = unitctl_read(bus, unit, &f, reterr);

		if (r < 0)
			return r;
		if (f.job_id == 0)
			return 0;
		if (clock_boot_ns() >= deadline_ns)
			return err_set(reterr, -EINPROGRESS,
				       "wait for unit '%s': job %u is pending", unit, f.job_id);
		clock_sleep_ns(IDLE_POLL_NS);
	}
}

int unitctl_kill(void *bus, const char *unit, const char *who, int signal_number,
		 struct err *reterr)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = need_bus(bus, reterr);

	if (r < 0)
		return r;
	r = sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "KillUnit", &e,
			       NULL, "ssi", unit, who, signal_number);
	if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
		return err_set(reterr, -EINPROGRESS, "kill unit '%s': no answer from systemd",
			       unit);
	return r < 0 ? call_error(reterr, r, &e, "kill unit", unit) : 0;
}

int unitctl_call(void *bus, const char *method, const char *unit, struct err *reterr)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = need_bus(bus, reterr);

	if (r < 0)
		return r;
	r = sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, method, &e, NULL,
			       "s", unit);
	if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
		return err_set(reterr, -EINPROGRESS, "call %s of unit '%s': no answer from systemd",
			       method, unit);
	return r < 0 ? call_error(reterr, r, &e, method, unit) : 0;
}

int unitctl_reload(void *bus, struct err *reterr)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *call = NULL;
	int r = need_bus(bus, reterr);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(bus, &call, MANAGER_NAME, MANAGER_PATH,
					   MANAGER_INTERFACE, "Reload");
	if (r >= 0)
		r = sd_bus_call(bus, call, UNITCTL_RELOAD_MAX_NS / NS_PER_US, &e, NULL);
	if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
		return err_set(reterr, -EINPROGRESS, "reload unit files: no answer from systemd");
	return r < 0 ? call_error(reterr, r, &e, "reload", "unit files") : 0;
}
