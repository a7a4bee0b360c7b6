/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/starter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "model/step.h"

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define BUS_NAME          "org.freedesktop.DBus"
#define BUS_PATH          "/org/freedesktop/DBus"
#define RECONNECT_MIN_NS  (NS_PER_S / 4)
#define RECONNECT_MAX_NS  (4 * NS_PER_S)
/* A bus that accepts and never answers is as good as none; sd-bus would give it 90 s. */
#define CONNECT_MAX_NS (4 * NS_PER_S)

enum request_state { REQUEST_FREE, REQUEST_WAITING, REQUEST_SENT };

struct request {
	enum request_state state;
	char key[STR_HEX128_MAX];
	enum step_profile profile;
	struct starter *starter;
	sd_bus_slot *slot;
};

struct starter {
	sd_event *event;
	sd_event_source *timer, *ping_timer;
	sd_bus *bus;
	bool ready;
	uint64_t retry_ns;
	struct starter_handlers handlers;
	void *userdata;
	struct request requests[STARTER_PENDING_MAX];
};

static void request_free(struct request *q)
{
	q->slot = sd_bus_slot_unref(q->slot);
	q->state = REQUEST_FREE;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	struct request *q = userdata;
	struct starter *s = q->starter;
	const sd_bus_error *e = sd_bus_message_get_error(m);
	enum step_profile profile = q->profile;
	char key[STR_HEX128_MAX] = "", unit[STEP_UNIT_MAX];
	struct err err = { 0 };
	int r = e ? -sd_bus_message_get_errno(m) : 0;

	(void)reterr;
	(void)str_copy(key, sizeof(key), q->key);
	request_free(q);
	if (r < 0)
		(void)err_set(&err, r, "start unit '%s': %s", step_unit_name(profile, key, unit),
			      e->message ? e->message : strerror(-r));
	s->handlers.answered(s->userdata, key, r, &err);
	return 0;
}

static bool is_awaited(const struct starter *s)
{
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		if (s->requests[i].state == REQUEST_SENT)
			return true;
	return false;
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	struct starter *s = userdata;

	(void)reterr;
	if (sd_bus_message_is_method_error(m, NULL))
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		if (s->requests[i].state == REQUEST_SENT)
			s->handlers.alive(s->userdata, s->requests[i].key);
	return 0;
}

/* Asks the bus daemon alone, which needs nobody else to answer. */
static int on_ping_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct starter *s = userdata;

	(void)usec;
	if (!s->ready || !is_awaited(s))
		return 0;
	(void)sd_bus_call_method_async(s->bus, NULL, BUS_NAME, BUS_PATH, BUS_NAME, "GetId", on_pong,
				       s, NULL);
	(void)sd_event_source_set_time_relative(source, STARTER_PING_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void send_request(struct starter *s, struct request *q)
{
	char unit[STEP_UNIT_MAX];
	int r = sd_bus_call_method_async(s->bus, &q->slot, MANAGER_NAME, MANAGER_PATH,
					 MANAGER_INTERFACE, "StartUnit", on_answer, q, "ss",
					 step_unit_name(q->profile, q->key, unit), "fail");

	/* Not sent: the broker's own time for an answer ends it. */
	q->state = r < 0 ? REQUEST_WAITING : REQUEST_SENT;
	(void)sd_event_source_set_time_relative(s->ping_timer, STARTER_PING_US);
	(void)sd_event_source_set_enabled(s->ping_timer, SD_EVENT_ONESHOT);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	const char *unit = NULL;
	struct starter *s = userdata;
	char key[STR_HEX128_MAX] = "";

	(void)reterr;
	if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, NULL) >= 0 &&
	    step_unit_parse(unit, key) == 0)
		s->handlers.removed(s->userdata, key);
	return 0;
}

static void arm(struct starter *s, uint64_t span_ns)
{
	(void)sd_event_source_set_time_relative(s->timer, span_ns / NS_PER_US);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

/* What was sent and not answered may have been done: the claim file will tell. */
static void drop_bus(struct starter *s)
{
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		if (s->requests[i].state == REQUEST_SENT)
			request_free(&s->requests[i]);
	s->ready = false;
	sd_bus_close_unref(s->bus);
	s->bus = NULL;
	arm(s, s->retry_ns);
	s->retry_ns = s->retry_ns * 2 > RECONNECT_MAX_NS ? RECONNECT_MAX_NS : s->retry_ns * 2;
}

/* Freed from the timer: not while the bus itself is calling us. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	struct starter *s = userdata;

	(void)m;
	(void)reterr;
	s->ready = false;
	arm(s, 0);
	return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
	struct starter *s = userdata;

	(void)m;
	(void)reterr;
	s->ready = true;
	s->retry_ns = RECONNECT_MIN_NS;
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		if (s->requests[i].state == REQUEST_WAITING)
			send_request(s, &s->requests[i]);
	return 0;
}

/* Everything here is queued until the bus has answered; nothing waits. */
static int open_bus(struct starter *s)
{
	const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	int r = sd_bus_new(&s->bus);

	if (r >= 0)
		r = sd_bus_set_address(s->bus,
				       address ? address : "unix:path=/run/dbus/system_bus_socket");
	if (r >= 0)
		r = sd_bus_set_bus_client(s->bus, true);
	if (r >= 0)
		r = sd_bus_set_connected_signal(s->bus, true);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(s->bus, STARTER_CALL_MAX_US);
	if (r >= 0)
		r = sd_bus_start(s->bus);
	if (r >= 0)
		r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_match_signal_async(s->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Connected",
					      on_connected, NULL, s);
	if (r >= 0)
		r = sd_bus_match_signal_async(s->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, s);
	if (r >= 0)
		r = sd_bus_match_signal_async(s->bus, NULL, MANAGER_NAME, MANAGER_PATH,
					      MANAGER_INTERFACE, "JobRemoved", on_job_removed, NULL,
					      s);
	if (r >= 0)
		r = sd_bus_call_method_async(s->bus, NULL, MANAGER_NAME, MANAGER_PATH,
					     MANAGER_INTERFACE, "Subscribe", NULL, NULL, NULL);
	return r;
}

/* It is time to connect, or a connection did not come about, or it broke. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct starter *s = userdata;

	(void)source;
	(void)usec;
	if (s->bus) {
		drop_bus(s);
		return 0;
	}
	if (open_bus(s) < 0)
		drop_bus(s);
	else
		arm(s, CONNECT_MAX_NS);
	return 0;
}

int starter_new(sd_event *event, const struct starter_handlers *handlers, void *userdata,
		struct starter **ret, struct err *reterr)
{
	struct starter *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "make starter: %s", strerror(ENOMEM));
	s->event = sd_event_ref(event);
	s->handlers = *handlers;
	s->userdata = userdata;
	s->retry_ns = RECONNECT_MIN_NS;
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		s->requests[i].starter = s;
	r = sd_event_add_time_relative(event, &s->timer, CLOCK_MONOTONIC, 0, 0, on_timer, s);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &s->ping_timer, CLOCK_MONOTONIC, 0, 0,
					       on_ping_timer, s);
	if (r < 0) {
		starter_free(s);
		return err_set(reterr, r, "add timer: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

struct starter *starter_free(struct starter *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		request_free(&s->requests[i]);
	sd_bus_close_unref(s->bus);
	sd_event_source_disable_unref(s->timer);
	sd_event_source_disable_unref(s->ping_timer);
	sd_event_unref(s->event);
	free(s);
	return NULL;
}

int starter_start(struct starter *s, const char *key, enum step_profile profile, struct err *reterr)
{
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++) {
		struct request *q = &s->requests[i];

		if (q->state != REQUEST_FREE)
			continue;
		q->state = REQUEST_WAITING;
		q->profile = profile;
		(void)str_copy(q->key, sizeof(q->key), key);
		if (s->ready)
			send_request(s, q);
		return 0;
	}
	return err_set(reterr, -EBUSY, "start step '%s': too many wait for the bus", key);
}

void starter_cancel(struct starter *s, const char *key)
{
	for (size_t i = 0; i < ELEMENTSOF(s->requests); i++)
		if (s->requests[i].state == REQUEST_WAITING && str_equal(s->requests[i].key, key))
			request_free(&s->requests[i]);
}

bool starter_is_connected(const struct starter *s)
{
	return s->ready;
}
