/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitbus.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

/* A bus and a systemd of our own on a socket: what they say is decided here. */
struct fake {
	sd_event *event;
	int listen_fd;
	char dir[32], address[96];
	sd_bus *server; /* the last connection */
	unsigned n_connections, n_get_all, n_subscribe, n_matches;
	bool silent;              /* take calls, answer none */
	const char *active_state; /* what GetAll says */
	uint32_t job_id;
	/* What unitbus told. */
	struct unitbus *b;
	unsigned n_unit, n_up, n_down;
	struct unit_status last;
	int query_r;
	bool query_done;
};

static void append_property(sd_bus_message *m, const char *name, const char *type,
			    const char *value)
{
	assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
	assert_true(sd_bus_message_append(m, "s", name) >= 0);
	assert_true(sd_bus_message_append(m, "v", type, value) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

static void append_status(const struct fake *f, sd_bus_message *m)
{
	static const uint8_t id[16] = { 0xab, 1 };

	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	append_property(m, "ActiveState", "s", f->active_state);
	append_property(m, "SubState", "s", "running");
	append_property(m, "ControlGroup", "s", "/system.slice/a.service");
	append_property(m, "Unheard-of", "s", "x");
	assert_true(sd_bus_message_append(m, "{sv}", "NRestarts", "u", 3) >= 0);
	assert_true(sd_bus_message_append(m, "{sv}", "ExecMainStatus", "i", 9) >= 0);
	assert_true(sd_bus_message_append(m, "{sv}", "ExecMainCode", "i", CLD_KILLED) >= 0);
	assert_true(sd_bus_message_append(m, "{sv}", "Job", "(uo)", f->job_id, "/") >= 0);
	assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
	assert_true(sd_bus_message_append(m, "s", "InvocationID") >= 0);
	assert_true(sd_bus_message_open_container(m, 'v', "ay") >= 0);
	assert_true(sd_bus_message_append_array(m, 'y', id, sizeof(id)) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct fake *f = userdata;
	sd_bus_message *reply = NULL;

	(void)error;
	if (f->silent)
		return 1;
	if (sd_bus_message_is_method_call(m, NULL, "Hello"))
		return sd_bus_reply_method_return(m, "s", ":1.1");
	if (sd_bus_message_is_method_call(m, NULL, "AddMatch")) {
		f->n_matches++;
		return sd_bus_reply_method_return(m, NULL);
	}
	if (sd_bus_message_is_method_call(m, NULL, "RemoveMatch"))
		return sd_bus_reply_method_return(m, NULL);
	if (sd_bus_message_is_method_call(m, NULL, "Subscribe")) {
		f->n_subscribe++;
		return sd_bus_reply_method_return(m, NULL);
	}
	if (!sd_bus_message_is_method_call(m, NULL, "GetAll"))
		return 0;
	f->n_get_all++;
	assert_string_equal(sd_bus_message_get_path(m),
			    "/org/freedesktop/systemd1/unit/a_2eservice");
	assert_true(sd_bus_message_new_method_return(m, &reply) >= 0);
	append_status(f, reply);
	assert_true(sd_bus_send(NULL, reply, NULL) >= 0);
	(void)sd_bus_message_unref(reply);
	return 1;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct fake *f = userdata;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sd_id128_t id = { 0 };

	(void)source;
	(void)revents;
	assert_true(conn >= 0);
	f->n_connections++;
	f->server = sd_bus_flush_close_unref(f->server);
	assert_true(sd_id128_randomize(&id) >= 0);
	assert_true(sd_bus_new(&f->server) >= 0);
	assert_true(sd_bus_set_fd(f->server, conn, conn) >= 0);
	assert_true(sd_bus_set_server(f->server, true, id) >= 0);
	assert_true(sd_bus_set_anonymous(f->server, true) >= 0);
	assert_true(sd_bus_set_trusted(f->server, true) >= 0);
	assert_true(sd_bus_add_filter(f->server, NULL, on_call, f) >= 0);
	assert_true(sd_bus_start(f->server) >= 0);
	assert_true(sd_bus_attach_event(f->server, f->event, SD_EVENT_PRIORITY_NORMAL) >= 0);
	return 0;
}

static void on_unit(void *userdata, const char *unit, const struct unit_status *status)
{
	struct fake *f = userdata;

	assert_string_equal(unit, "a.service");
	f->n_unit++;
	f->last = *status;
}

static void on_up(void *userdata, sd_bus *bus)
{
	struct fake *f = userdata;

	assert_non_null(bus);
	f->n_up++;
}

static void on_down(void *userdata)
{
	((struct fake *)userdata)->n_down++;
}

static void run_until(struct fake *f, const unsigned *counter, unsigned wanted)
{
	/* Each turn waits for an event; the runner's time limit ends what never comes. */
	while (*counter < wanted)
		assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
}

static void settle(struct fake *f)
{
	while (sd_event_run(f->event, 20000) > 0)
		;
}

static int setup(void **state)
{
	static const struct unitbus_handlers handlers = { on_unit, on_up, on_down };
	static const char *const units[] = { "a.service" };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->active_state = "active";
	(void)str_copy(f->dir, sizeof(f->dir), "/tmp/bus-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	str_append(address.sun_path, sizeof(address.sun_path), "%s/s", f->dir);
	str_append(f->address, sizeof(f->address), "unix:path=%s/s", f->dir);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listen_fd, 8), 0);
	assert_true(sd_event_new(&f->event) >= 0);
	assert_true(sd_event_add_io(f->event, NULL, f->listen_fd, EPOLLIN, on_accept, f) >= 0);
	assert_int_equal(unitbus_new(f->event, f->address, &handlers, f, &f->b, NULL), 0);
	assert_int_equal(unitbus_watch(f->b, units, 1, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	f->b = unitbus_free(f->b);
	f->server = sd_bus_flush_close_unref(f->server);
	(void)sd_event_unref(f->event);
	(void)close(f->listen_fd);
	(void)unlink(strchr(f->address, '=') + 1);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void emit_changed(const struct fake *f, const char *interface, const char *active_state)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(
			    f->server, &m, "/org/freedesktop/systemd1/unit/a_2eservice",
			    "org.freedesktop.DBus.Properties", "PropertiesChanged") >= 0);
	assert_true(sd_bus_message_append(m, "s", interface) >= 0);
	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	append_property(m, active_state ? "ActiveState" : "Result", "s",
			active_state ? active_state : "signal");
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_append(m, "as", 0) >= 0);
	assert_true(sd_bus_message_set_sender(m, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_send(f->server, m, NULL) >= 0);
	(void)sd_bus_message_unref(m);
}

static void reads_the_state_once_connected(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	assert_int_equal(f->n_up, 1);
	assert_int_equal(f->n_subscribe, 1);
	assert_string_equal(f->last.active_state, "active");
	assert_string_equal(f->last.sub_state, "running");
	assert_string_equal(f->last.control_group, "/system.slice/a.service");
	assert_string_equal(f->last.invocation_id, "ab010000000000000000000000000000");
	assert_int_equal(f->last.n_restarts, 3);
	assert_int_equal(f->last.exit_status, 9);
	assert_int_equal(f->last.exit_code, CLD_KILLED);
	assert_int_equal(f->last.job_id, 0);
	assert_true(unit_status_is_active(&f->last));
}

static void never_polls(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	settle(f);
	assert_int_equal(f->n_get_all, 1);
}

static void a_signal_is_told_whole_and_at_once(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	/* systemd: first the type's interface, then Unit. */
	emit_changed(f, "org.freedesktop.systemd1.Service", NULL);
	f->active_state = "failed";
	emit_changed(f, "org.freedesktop.systemd1.Unit", "failed");
	run_until(f, &f->n_unit, 2);
	assert_true(unit_status_is_failed(&f->last));
	assert_string_equal(f->last.result, "signal");
	assert_int_equal(f->n_get_all, 1); /* told before anything was asked */
	run_until(f, &f->n_unit, 3);       /* the rest is asked for, once */
	settle(f);
	assert_int_equal(f->n_get_all, 2);
}

static void emit_job_removed(const struct fake *f, const char *unit)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(f->server, &m, "/org/freedesktop/systemd1",
					      "org.freedesktop.systemd1.Manager",
					      "JobRemoved") >= 0);
	assert_true(sd_bus_message_append(m, "uoss", 7, "/job", unit, "done") >= 0);
	assert_true(sd_bus_message_set_sender(m, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_send(f->server, m, NULL) >= 0);
	(void)sd_bus_message_unref(m);
}

static void emit_reloading(const struct fake *f, int active)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(f->server, &m, "/org/freedesktop/systemd1",
					      "org.freedesktop.systemd1.Manager",
					      "Reloading") >= 0);
	assert_true(sd_bus_message_append(m, "b", active) >= 0);
	assert_true(sd_bus_message_set_sender(m, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_send(f->server, m, NULL) >= 0);
	(void)sd_bus_message_unref(m);
}

static void reads_all_again_after_a_reload(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	emit_reloading(f, 1); /* begins: nothing is new yet */
	settle(f);
	assert_int_equal(f->n_get_all, 1);
	emit_reloading(f, 0);
	run_until(f, &f->n_unit, 2);
	assert_int_equal(f->n_get_all, 2);
}

static void reads_again_after_a_job_of_the_unit_only(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	f->job_id = 7;
	emit_job_removed(f, "a.service");
	run_until(f, &f->n_unit, 2);
	assert_int_equal(f->last.job_id, 7);
	emit_job_removed(f, "b.service");
	settle(f);
	assert_int_equal(f->n_unit, 2);
}

static void connects_again_and_reads_all_after_a_loss(void **state)
{
	struct fake *f = *state;

	run_until(f, &f->n_unit, 1);
	f->active_state = "inactive";
	f->server = sd_bus_flush_close_unref(f->server);
	run_until(f, &f->n_down, 1);
	run_until(f, &f->n_unit, 2);
	assert_int_equal(f->n_connections, 2);
	assert_int_equal(f->n_up, 2);
	assert_string_equal(f->last.active_state, "inactive");
}

static void on_query(void *userdata, int r, const struct unit_status *status)
{
	struct fake *f = userdata;

	f->query_done = true;
	f->query_r = r;
	f->last = *status;
}

static void a_query_is_answered_once(void **state)
{
	struct fake *f = *state;
	sd_bus *client = NULL;

	run_until(f, &f->n_unit, 1);
	f->active_state = "deactivating";
	assert_true(sd_bus_new(&client) >= 0);
	assert_true(sd_bus_set_address(client, f->address) >= 0);
	assert_true(sd_bus_set_bus_client(client, true) >= 0);
	assert_true(sd_bus_start(client) >= 0);
	assert_true(sd_bus_attach_event(client, f->event, 0) >= 0);
	assert_int_equal(unitbus_query(client, "a.service", on_query, f, NULL), 0);
	while (!f->query_done)
		assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
	assert_int_equal(f->query_r, 0);
	assert_string_equal(f->last.active_state, "deactivating");
	(void)sd_bus_flush_close_unref(client);
}

static void a_query_without_a_bus_is_refused(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	assert_int_equal(unitbus_query(NULL, "a.service", on_query, f, &err), -ENOTCONN);
	assert_string_equal(err.text, "ask systemd about unit 'a.service': no D-Bus");
	assert_false(f->query_done);
}

static void a_query_is_answered_when_its_connection_goes(void **state)
{
	struct fake *f = *state;
	sd_bus *client = NULL;

	run_until(f, &f->n_unit, 1);
	assert_true(sd_bus_new(&client) >= 0);
	assert_true(sd_bus_set_address(client, f->address) >= 0);
	assert_true(sd_bus_set_bus_client(client, true) >= 0);
	assert_true(sd_bus_start(client) >= 0);
	assert_int_equal(unitbus_query(client, "a.service", on_query, f, NULL), 0);
	assert_false(f->query_done);
	(void)sd_bus_close_unref(client);
	assert_true(f->query_done);
	assert_int_equal(f->query_r, -ECONNRESET);
}

static void goes_away_in_the_middle_of_a_call(void **state)
{
	struct fake *f = *state;

	f->silent = true;
	run_until(f, &f->n_connections, 1);
	settle(f);
	assert_int_equal(f->n_up, 0); /* teardown frees it with calls under way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_the_state_once_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(never_polls, setup, teardown),
		cmocka_unit_test_setup_teardown(a_signal_is_told_whole_and_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reads_all_again_after_a_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_again_after_a_job_of_the_unit_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(connects_again_and_reads_all_after_a_loss, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_query_is_answered_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_query_without_a_bus_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_query_is_answered_when_its_connection_goes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(goes_away_in_the_middle_of_a_call, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
