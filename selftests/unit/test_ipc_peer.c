/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "ipc/peer.h"

#define PATIENCE_US (5 * 1000 * 1000)

struct world {
	sd_event *event;
	char dir[32], path[64];
	struct peer_server *server;
	struct peer *client;
	unsigned ups, downs, frames;
	double last_value;
};

static void on_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct world *w = userdata;

	(void)p;
	w->frames++;
	w->last_value = f->sample.value;
}

static void on_up(void *userdata, struct peer *p)
{
	(void)p;
	((struct world *)userdata)->ups++;
}

static void on_down(void *userdata, struct peer *p)
{
	(void)p;
	((struct world *)userdata)->downs++;
}

static const struct peer_handlers handlers = { .frame = on_frame, .up = on_up, .down = on_down };

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(str_copy(sa.sun_path, sizeof(sa.sun_path), path), 0);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void serve(struct world *w)
{
	uid_t self = getuid();

	assert_int_equal(peer_serve(w->event, listen_at(w->path), "server", 2, &self, 1, &handlers,
				    w, &w->server, NULL),
			 0);
}

static void run_until(struct world *w, const unsigned *counter, unsigned wanted)
{
	uint64_t end_ns = clock_boot_ns() + PATIENCE_US * NS_PER_US;

	while (*counter < wanted && clock_boot_ns() < end_ns)
		assert_true(sd_event_run(w->event, PATIENCE_US) >= 0);
	assert_true(*counter >= wanted);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)str_copy(w->dir, sizeof(w->dir), "/tmp/peer-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	str_append(w->path, sizeof(w->path), "%s/sock", w->dir);
	assert_int_equal(sd_event_new(&w->event), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->client = peer_free(w->client);
	w->server = peer_server_free(w->server);
	w->event = sd_event_unref(w->event);
	(void)unlink(w->path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static struct frame sample_of(double value)
{
	struct frame f;

	frame_init(&f, FRAME_SAMPLE);
	f.sample.value = value;
	return f;
}

static void connect_client(struct world *w)
{
	assert_int_equal(peer_connect(w->event, w->path, "client", &handlers, w, &w->client, NULL),
			 0);
}

static void greets_and_carries_frames_in_order(void **state)
{
	struct world *w = *state;

	serve(w);
	connect_client(w);
	run_until(w, &w->ups, 2);
	assert_string_equal(peer_process(w->client), "server");
	for (unsigned i = 1; i <= 100; i++) {
		struct frame f = sample_of(i);

		assert_int_equal(peer_send(w->client, &f), 0);
	}
	run_until(w, &w->frames, 100);
	assert_true(w->last_value == 100);
}

static void refuses_to_send_while_nobody_is_there(void **state)
{
	struct world *w = *state;
	struct frame f = sample_of(1);

	connect_client(w);
	assert_int_equal(peer_send(w->client, &f), -ENOTCONN);
}

static void connects_again_when_the_server_comes_back(void **state)
{
	struct world *w = *state;

	serve(w);
	connect_client(w);
	run_until(w, &w->ups, 2);
	w->server = peer_server_free(w->server);
	run_until(w, &w->downs, 1);
	assert_false(peer_is_up(w->client));
	serve(w);
	run_until(w, &w->ups, 4);
	assert_true(peer_is_up(w->client));
}

static void bounds_its_queue_and_counts_what_it_drops(void **state)
{
	struct world *w = *state;
	struct frame f;
	unsigned refused = 0;

	serve(w);
	connect_client(w);
	run_until(w, &w->ups, 2);
	frame_init(&f, FRAME_RECORD);
	f.record.id = 1;
	for (unsigned i = 0; i < 10 * PEER_QUEUE_MAX; i++)
		refused += peer_send(w->client, &f) == -ENOBUFS;
	assert_true(refused > 0);
	assert_int_equal(peer_dropped(w->client), refused);
	run_until(w, &w->frames, 10 * PEER_QUEUE_MAX - refused);
}

static void drops_a_peer_that_sends_garbage(void **state)
{
	struct world *w = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char buf[4096] = "";
	ssize_t n;

	serve(w);
	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(fd, "garbage", 7, 0), 7);
	for (unsigned i = 0; i < 10; i++)
		(void)sd_event_run(w->event, 10 * 1000);
	do {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	} while (n > 0);
	assert_int_equal(n, 0);
	assert_int_equal(w->frames, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(greets_and_carries_frames_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(refuses_to_send_while_nobody_is_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(connects_again_when_the_server_comes_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(bounds_its_queue_and_counts_what_it_drops, setup,
						teardown),
		cmocka_unit_test_setup_teardown(drops_a_peer_that_sends_garbage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
