/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

/* A small service to break and to heal: one thread, real work for each answer. */

#define PORT_DEFAULT 8080
/* Work for one answer, as CPU time of an undisturbed run: what starves the service of it is seen in
 * the latency, on a fast machine as on a slow one. Over what a scheduler lends to a sleeper that wakes
 * up (6 ms on two CPUs, source: kernel/sched/fair.c, place_entity() in 6.1). */
#define WORK_NS          (20 * NS_PER_MS)
#define WORK_CHUNK_BYTES 4096
#define TRIAL_CHUNKS     64
#define TRIALS_MAX       4096
#define MEASURE_NS       (80 * NS_PER_MS)
#define DRAIN_MS         1000
#define CONNECTIONS_MAX  64
#define IDLE_S           10u

struct api {
	struct MHD_Daemon *daemon;
	uint64_t answers, chunks; /* of work for each answer */
	bool is_stopping;
};

static uint64_t cpu_ns(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Source: FNV-1a, 64 bits. */
static uint64_t hash(uint64_t h, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t work(uint64_t seed, uint64_t chunks)
{
	unsigned char data[WORK_CHUNK_BYTES] = { 0 };
	uint64_t h = UINT64_C(14695981039346656037) ^ seed;

	for (uint64_t i = 0; i < chunks; i++) {
		h = hash(h, data, sizeof(data));
		memcpy(data, &h, sizeof(h));
	}
	return h;
}

/* Over many trials at once: where the TSC is not trusted, as in an emulated guest, this clock goes in
 * steps of 4 ms, and a single trial takes nothing or one step. */
static uint64_t measure_chunks(void)
{
	uint64_t start_ns = cpu_ns(), took_ns = 0, chunks = 0;
	volatile uint64_t sink;

	for (uint64_t i = 0; took_ns < MEASURE_NS && i < TRIALS_MAX; i++) {
		sink = work(i, TRIAL_CHUNKS);
		(void)sink;
		chunks += TRIAL_CHUNKS;
		took_ns = cpu_ns() - start_ns;
	}
	return took_ns > 0 ? WORK_NS * chunks / took_ns : TRIAL_CHUNKS;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result answer_health(struct api *api, struct MHD_Connection *connection)
{
	char text[128] = "";

	api->answers++;
	str_append(text, sizeof(text), "{\"status\":\"ok\",\"answers\":%lu,\"hash\":\"%016lx\"}\n",
		   (unsigned long)api->answers, (unsigned long)work(api->answers, api->chunks));
	return answer(connection, MHD_HTTP_OK, text);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *body, size_t *body_size, void **state)
{
	struct api *api = userdata;

	(void)version;
	(void)body;
	/* Called first with the header alone; the answer is given on the second call. */
	if (!*state) {
		*state = api;
		return MHD_YES;
	}
	*body_size = 0;
	if (!str_equal(method, "GET") && !str_equal(method, "HEAD"))
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "{\"error\":\"only GET\"}\n");
	if (str_equal(url, "/healthz"))
		return answer_health(api, connection);
	if (str_equal(url, "/ready"))
		return api->is_stopping ? answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
						 "{\"ready\":false}\n") :
					  answer(connection, MHD_HTTP_OK, "{\"ready\":true}\n");
	return answer(connection, MHD_HTTP_NOT_FOUND,
		      "{\"error\":\"there are /healthz and /ready\"}\n");
}

static int http_fd(struct api *api)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon,
							       MHD_DAEMON_INFO_EPOLL_FD);

	return info ? info->epoll_fd : -EBADF;
}

static bool has_connections(struct api *api)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon,
							       MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections > 0;
}

/* Milliseconds until libmicrohttpd wants to be run, at most max_ms. */
static int http_wait_ms(struct api *api, int max_ms)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;

	if (MHD_get_timeout(api->daemon, &ms) != MHD_YES || ms > (unsigned)max_ms)
		return max_ms;
	return (int)ms;
}

static void serve(struct api *api, int signal_fd)
{
	struct pollfd fds[] = { { .fd = http_fd(api), .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };

	while (!(fds[1].revents & POLLIN)) {
		(void)poll(fds, ELEMENTSOF(fds), http_wait_ms(api, 1000));
		(void)MHD_run(api->daemon);
	}
}

/* No new connections; those that are open get their answer. */
static void drain(struct api *api)
{
	uint64_t end_ns = clock_boot_ns() + DRAIN_MS * NS_PER_MS;
	struct pollfd fd = { .fd = http_fd(api), .events = POLLIN };
	int listen_fd;

	api->is_stopping = true;
	listen_fd = MHD_quiesce_daemon(api->daemon);
	if (listen_fd >= 0)
		(void)close(listen_fd);
	while (has_connections(api) && clock_boot_ns() < end_ns) {
		(void)poll(&fd, 1, http_wait_ms(api, 50));
		(void)MHD_run(api->daemon);
	}
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct MHD_Daemon *start(struct api *api, uint16_t port)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ITC, port, NULL, NULL, on_request, api,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
				MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
	uint64_t port = PORT_DEFAULT;
	struct api api = { .chunks = measure_chunks() };
	_cleanup_close_ int signal_fd = open_signals();

	if (argc > 2 ||
	    (argc == 2 && (str_parse_u64(argv[1], &port) < 0 || port < 1 || port > UINT16_MAX))) {
		(void)fputs("aiops-target-api [PORT]: expected 1 to 65535\n", stderr);
		return 2;
	}
	if (signal_fd >= 0)
		api.daemon = start(&api, (uint16_t)port);
	if (!api.daemon) {
		(void)fprintf(stderr, "aiops-target-api: listen on port %u: %s\n", (unsigned)port,
			      strerror(errno));
		return EXIT_FAILURE;
	}
	(void)sd_notifyf(0, "READY=1\nSTATUS=Answering on port %u", (unsigned)port);
	serve(&api, signal_fd);
	(void)sd_notify(0, "STOPPING=1");
	drain(&api);
	MHD_stop_daemon(api.daemon);
	return EXIT_SUCCESS;
}
