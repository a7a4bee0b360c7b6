/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitbus.h"

#include <errno.h>
#include <string.h>

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define UNIT_INTERFACE    "org.freedesktop.systemd1.Unit"
#define PROPERTIES        "org.freedesktop.DBus.Properties"
#define UNIT_PATH_PREFIX  "/org/freedesktop/systemd1/unit"
#define SYSTEM_BUS        "unix:path=/run/dbus/system_bus_socket"

struct unitbus_unit {
	struct unitbus *b;
	char name[ENTITY_NAME_MAX];
	char *path;
	struct unit_status status;
	sd_bus_slot *changed_slot, *job_slot;
	sd_bus_slot *query_slot; /* the call under way */
	bool again;              /* it changed meanwhile: ask once more */
};

struct unitbus {
	sd_event *event;
	sd_bus *bus;
	sd_event_source *timer; /* retry, or the deadline of connecting */
	char *address;
	struct unitbus_handlers handlers;
	void *userdata;
	uint64_t retry_ns;
	bool is_up, is_closing;
	size_t n_units;
	struct unitbus_unit *units;
	sd_bus_slot *disconnected_slot, *reloading_slot, *subscribe_slot;
};

/* One call that reads all properties of a unit, generic and of its type, and skips the rest. */
struct unitbus_call {
	unitbus_answer_t answer;
	void *userdata;
	bool answered;
};

/* Asks the bus itself to pass on, or no longer, ends of this unit's jobs. sd_bus_add_match() cannot: it
 * checks argument 2 once more by itself and stops at argument 0, which is no string. */
static int call_job_match(struct unitbus_unit *u, const char *method, sd_bus_slot **slot,
			  sd_bus_message_handler_t fn)
{
	char rule[768] = "";

	str_append(rule, sizeof(rule),
		   "type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH
		   "',interface='" MANAGER_INTERFACE "',member='JobRemoved',arg2='%s'",
		   u->name);
	return sd_bus_call_method_async(u->b->bus, slot, "org.freedesktop.DBus",
					"/org/freedesktop/DBus", "org.freedesktop.DBus", method, fn,
					u, "s", rule);
}

/* Stops what is under way on the old connection, so that no callback comes from it. */
static void unit_unhook(struct unitbus_unit *u)
{
	if (u->job_slot && u->b->is_up)
		(void)call_job_match(u, "RemoveMatch", NULL, NULL);
	u->changed_slot = sd_bus_slot_unref(u->changed_slot);
	u->job_slot = sd_bus_slot_unref(u->job_slot);
	u->query_slot = sd_bus_slot_unref(u->query_slot);
	u->again = false;
}

static void arm_timer(struct unitbus *b, uint64_t span_ns)
{
	(void)sd_event_source_set_time_relative(b->timer, span_ns / NS_PER_US);
	(void)sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

static void disconnect(struct unitbus *b)
{
	for (size_t i = 0; i < b->n_units; i++)
		unit_unhook(&b->units[i]);
	b->disconnected_slot = sd_bus_slot_unref(b->disconnected_slot);
	b->reloading_slot = sd_bus_slot_unref(b->reloading_slot);
	b->subscribe_slot = sd_bus_slot_unref(b->subscribe_slot);
	if (b->bus) {
		(void)sd_bus_detach_event(b->bus);
		sd_bus_close(b->bus);
		b->bus = sd_bus_unref(b->bus);
	}
	if (b->is_up && b->handlers.down && !b->is_closing)
		b->handlers.down(b->userdata);
	b->is_up = false;
}

/* Not from inside a callback of the connection that goes: the timer does it. */
static void retry_later(struct unitbus *b)
{
	arm_timer(b, b->retry_ns);
	b->retry_ns = b->retry_ns * 2 > UNITBUS_RETRY_MAX_NS ? UNITBUS_RETRY_MAX_NS :
							       b->retry_ns * 2;
	b->is_closing = true;
	if (b->is_up && b->handlers.down)
		b->handlers.down(b->userdata);
	b->is_up = false;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)m;
	(void)error;
	retry_later(userdata);
	return 0;
}

static void unit_query(struct unitbus_unit *u);

static int on_unit_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus_unit *u = userdata;
	struct unitbus *b = u->b;
	const sd_bus_error *e = sd_bus_message_get_error(m);

	(void)error;
	u->query_slot = sd_bus_slot_unref(u->query_slot);
	if (e) {
		/* systemd or the bus is frozen: what we know is old, so start anew. */
		if (sd_bus_error_get_errno(e) == ETIMEDOUT)
			retry_later(b);
		return 0;
	}
	if (unit_status_read(&u->status, m) >= 0)
		b->handlers.unit(b->userdata, u->name, &u->status);
	if (u->again)
		unit_query(u);
	return 0;
}

static int get_all(sd_bus *bus, sd_bus_slot **slot, const char *path, sd_bus_message_handler_t fn,
		   void *userdata)
{
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, path, PROPERTIES, "GetAll");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", ""); /* of all interfaces, in one call */
	if (r >= 0)
		r = sd_bus_call_async(bus, slot, m, fn, userdata, UNITBUS_CALL_NS / NS_PER_US);
	(void)sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

/* At most one call per unit is under way. */
static void unit_query(struct unitbus_unit *u)
{
	u->again = u->query_slot != NULL;
	if (u->again || !u->b->is_up)
		return;
	(void)get_all(u->b->bus, &u->query_slot, u->path, on_unit_answer, u);
}

/* systemd sends the changes of the type's own interface first, then those of Unit: with the second the
 * status is whole. What does not announce its changes (ControlGroup) is asked for at each new state.
 * Source: systemd src/core/dbus-unit.c, send_changed_signal(). */
static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus_unit *u = userdata;
	char before[sizeof(u->status.active_state)] = "";
	const char *interface = NULL;

	(void)error;
	(void)str_copy(before, sizeof(before), u->status.active_state);
	if (sd_bus_message_read(m, "s", &interface) < 0 || unit_status_read(&u->status, m) < 0) {
		unit_query(u);
		return 0;
	}
	if (!str_equal(interface, UNIT_INTERFACE))
		return 0;
	u->b->handlers.unit(u->b->userdata, u->name, &u->status);
	if (!str_equal(before, u->status.active_state))
		unit_query(u);
	return 0;
}

/* JobRemoved(u id, o job, s unit, s result), of our units alone. A filter sees every message: others go
 * on to whom they are for. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus *b = userdata;
	const char *unit = NULL;

	(void)error;
	if (sd_bus_message_is_signal(m, MANAGER_INTERFACE, "JobRemoved") <= 0)
		return 0;
	if (sd_bus_message_skip(m, "uo") < 0 || sd_bus_message_read(m, "s", &unit) < 0)
		return 0;
	for (size_t i = 0; i < b->n_units; i++)
		if (str_equal(b->units[i].name, unit))
			unit_query(&b->units[i]);
	return 0;
}

/* Reloading(b active): unit files are read again; afterwards all may be different. */
static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus *b = userdata;
	int active = 0;

	(void)error;
	if (sd_bus_message_read(m, "b", &active) < 0 || active)
		return 0;
	for (size_t i = 0; i < b->n_units; i++)
		unit_query(&b->units[i]);
	return 0;
}

static int on_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (sd_bus_message_is_method_error(m, NULL))
		retry_later(userdata);
	return 0;
}

static int on_unit_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus_unit *u = userdata;

	return on_match_installed(m, u->b, error);
}

/* Matches are by exact path and name, so that other units' changes do not wake us. A job's end is
 * matched too: when a unit that was not loaded is started, systemd may tell only UnitNew. UnitNew itself would
 * come from our own reading of an unloaded unit, over and over. */
static int unit_hook(struct unitbus_unit *u)
{
	int r;

	r = sd_bus_match_signal_async(u->b->bus, &u->changed_slot, SYSTEMD_NAME, u->path,
				      PROPERTIES, "PropertiesChanged", on_changed,
				      on_unit_match_installed, u);
	if (r < 0)
		return r;
	r = call_job_match(u, "AddMatch", &u->job_slot, on_unit_match_installed);
	if (r < 0)
		return r;
	unit_query(u);
	return 0;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus *b = userdata;
	const sd_bus_error *e = sd_bus_message_get_error(m);

	(void)error;
	if (b->is_closing)
		return 0;
	if (e && !sd_bus_error_has_name(e, SYSTEMD_NAME ".AlreadySubscribed")) {
		retry_later(b);
		return 0;
	}
	(void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
	b->retry_ns = UNITBUS_RETRY_MIN_NS;
	b->is_up = true;
	if (b->handlers.up)
		b->handlers.up(b->userdata, b->bus);
	for (size_t i = 0; i < b->n_units; i++)
		if (unit_hook(&b->units[i]) < 0) {
			retry_later(b);
			break;
		}
	return 0;
}

static int start_bus(struct unitbus *b)
{
	int r;

	r = sd_bus_new(&b->bus);
	if (r >= 0)
		r = sd_bus_set_address(b->bus, b->address);
	if (r >= 0)
		r = sd_bus_set_bus_client(b->bus, true);
	/* At the end of the loop sd-bus would flush, and wait for a bus that may be frozen. */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(b->bus, false);
	if (r >= 0)
		r = sd_bus_add_filter(b->bus, NULL, on_message, b);
	if (r >= 0)
		r = sd_bus_start(b->bus);
	if (r >= 0)
		r = sd_bus_attach_event(b->bus, b->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_match_signal_async(b->bus, &b->disconnected_slot,
					      "org.freedesktop.DBus.Local",
					      "/org/freedesktop/DBus/Local",
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, b);
	if (r >= 0)
		r = sd_bus_match_signal_async(b->bus, &b->reloading_slot, SYSTEMD_NAME,
					      SYSTEMD_PATH, MANAGER_INTERFACE, "Reloading",
					      on_reloading, on_match_installed, b);
	if (r >= 0)
		r = sd_bus_call_method_async(b->bus, &b->subscribe_slot, SYSTEMD_NAME, SYSTEMD_PATH,
					     MANAGER_INTERFACE, "Subscribe", on_subscribed, b,
					     NULL);
	return r;
}

static void connect_now(struct unitbus *b)
{
	int r;

	disconnect(b);
	b->is_closing = false;
	r = start_bus(b);
	if (r < 0)
		retry_later(b);
	else
		arm_timer(b, UNITBUS_CALL_NS);
}

/* Either the pause before a new attempt is over, or an attempt took too long. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct unitbus *b = userdata;

	(void)source;
	(void)usec;
	if (b->bus && !b->is_closing)
		retry_later(b);
	else
		connect_now(b);
	return 0;
}

int unitbus_new(sd_event *event, const char *address, const struct unitbus_handlers *handlers,
		void *userdata, struct unitbus **ret, struct err *reterr)
{
	struct unitbus *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(reterr, -ENOMEM, "watch units: %s", strerror(ENOMEM));
	b->event = sd_event_ref(event);
	b->handlers = *handlers;
	b->userdata = userdata;
	b->retry_ns = UNITBUS_RETRY_MIN_NS;
	if (!address)
		address =
			secure_getenv("DBUS_SYSTEM_BUS_ADDRESS"); /* as sd_bus_open_system() does */
	b->address = strdup(address ? address : SYSTEM_BUS);
	r = b->address ? sd_event_add_time_relative(event, &b->timer, CLOCK_BOOTTIME, 0, 0,
						    on_timer, b) :
			 -ENOMEM;
	if (r < 0) {
		unitbus_free(b);
		return err_set(reterr, r, "watch units: %s", strerror(-r));
	}
	*ret = b;
	return 0;
}

static void free_units(struct unitbus *b)
{
	for (size_t i = 0; i < b->n_units; i++) {
		unit_unhook(&b->units[i]);
		free(b->units[i].path);
	}
	free(b->units);
	b->units = NULL;
	b->n_units = 0;
}

struct unitbus *unitbus_free(struct unitbus *b)
{
	if (!b)
		return NULL;
	b->is_closing = true;
	disconnect(b);
	free_units(b);
	(void)sd_event_source_disable_unref(b->timer);
	(void)sd_event_unref(b->event);
	free(b->address);
	free(b);
	return NULL;
}

int unitbus_watch(struct unitbus *b, const char *const *units, size_t n_units, struct err *reterr)
{
	free_units(b);
	if (n_units > UNITBUS_UNITS_MAX)
		return err_set(reterr, -E2BIG, "watch units: more than %d", UNITBUS_UNITS_MAX);
	b->units = calloc(n_units ? n_units : 1, sizeof(*b->units));
	if (!b->units)
		return err_set(reterr, -ENOMEM, "watch units: %s", strerror(ENOMEM));
	for (b->n_units = 0; b->n_units < n_units; b->n_units++) {
		struct unitbus_unit *u = &b->units[b->n_units];

		u->b = b;
		(void)str_copy(u->name, sizeof(u->name), units[b->n_units]);
		if (sd_bus_path_encode(UNIT_PATH_PREFIX, u->name, &u->path) < 0)
			return err_set(reterr, -ENOMEM, "watch unit '%s': %s", u->name,
				       strerror(ENOMEM));
	}
	for (size_t i = 0; b->is_up && i < b->n_units; i++)
		if (unit_hook(&b->units[i]) < 0)
			retry_later(b);
	return 0;
}

static int on_query_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct unitbus_call *call = userdata;
	struct unit_status status = { 0 };
	const sd_bus_error *e = sd_bus_message_get_error(m);
	int r;

	(void)error;
	r = e ? -sd_bus_error_get_errno(e) : unit_status_read(&status, m);
	call->answered = true;
	call->answer(call->userdata, r < 0 ? r : 0, &status);
	return 0;
}

/* The slot goes with the connection, answered or not. */
static void on_query_gone(void *userdata)
{
	struct unitbus_call *call = userdata;
	const struct unit_status unknown = { .n_restarts = 0 };

	if (!call->answered)
		call->answer(call->userdata, -ECONNRESET, &unknown);
	free(call);
}

int unitbus_query(sd_bus *bus, const char *unit, unitbus_answer_t answer, void *userdata,
		  struct err *reterr)
{
	struct unitbus_call *call = NULL;
	_cleanup_free_ char *path = NULL;
	sd_bus_slot *slot = NULL;
	int r;

	if (!bus)
		return err_set(reterr, -ENOTCONN, "ask systemd about unit '%s': no D-Bus", unit);
	call = malloc(sizeof(*call));
	r = call ? sd_bus_path_encode(UNIT_PATH_PREFIX, unit, &path) : -ENOMEM;
	if (r >= 0) {
		*call = (struct unitbus_call){ .answer = answer, .userdata = userdata };
		r = get_all(bus, &slot, path, on_query_answer, call);
	}
	if (r < 0) {
		free(call);
		return err_set(reterr, r, "ask systemd about unit '%s': %s", unit, strerror(-r));
	}
	/* The slot belongs to the connection from here on. */
	(void)sd_bus_slot_set_destroy_callback(slot, on_query_gone);
	(void)sd_bus_slot_set_floating(slot, true);
	(void)sd_bus_slot_unref(slot);
	return 0;
}
