/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/measure.h"

/* What people do with the application, always in the same order for a seed, at a rate of its own: a
 * service that is slow does not make its clients wait before they ask again, and the time an answer took
 * is counted from when it was due. */

#define CONNECTIONS_MAX 64
#define ITEMS_KEPT      1024 /* ids of items to change and to remove */
#define ITEMS_FIRST     16
#define ITEMS_MIN       2
#define REQUESTS_MAX    (MEASURE_MAX / 2)
#define ANSWER_MAX      (64 * 1024) /* bytes */
#define TIMEOUT_MS      10000L
#define POLL_MS         50
#define US_PER_MS       1000

static const char usage[] =
	"usage: aiops-target-load [--url URL] [--rate PER_S] [--duration SPAN] [--seed N]\n"
	"                         [--connections N] [--slow-ms N] [--healthy-min-pct N] [--json]\n";

static const char *arg_url = "http://127.0.0.1:8088";
static uint64_t arg_rate_per_s = 20, arg_duration_ns = 10 * NS_PER_S, arg_seed = 1;
static uint64_t arg_connections = 16, arg_slow_ms = 250, arg_healthy_min_pct;
static bool arg_json;

enum op { OP_SHOW_ITEMS, OP_SHOW_LISTS, OP_TOTAL, OP_MAKE, OP_CHANGE, OP_REMOVE, _OP_MAX };

static const struct {
	const char *name, *method;
	unsigned pct;
} ops[_OP_MAX] = {
	[OP_SHOW_ITEMS] = { "show items", "GET", 50 },
	[OP_SHOW_LISTS] = { "show lists", "GET", 15 },
	[OP_TOTAL] = { "total", "GET", 10 },
	[OP_MAKE] = { "make item", "POST", 14 },
	[OP_CHANGE] = { "change item", "PATCH", 8 },
	[OP_REMOVE] = { "remove item", "DELETE", 3 },
};

struct client {
	CURL *easy;
	enum op op;
	uint64_t due_ns;
	bool is_busy;
	char body[128], answer[ANSWER_MAX];
	size_t length;
};

struct load {
	CURLM *multi;
	struct client clients[CONNECTIONS_MAX];
	uint64_t random, start_ns, n, sent;
	int64_t list_id, items[ITEMS_KEPT];
	size_t n_items;
	struct measure of[_OP_MAX], all;
};

/* Source: SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static enum op choose_op(struct load *l)
{
	uint64_t at = next_random(&l->random) % 100;
	enum op op = OP_SHOW_ITEMS;

	for (; at >= ops[op].pct; op++)
		at -= ops[op].pct;
	return (op == OP_CHANGE || op == OP_REMOVE) && l->n_items < ITEMS_MIN ? OP_MAKE : op;
}

static size_t on_answer(char *data, size_t size, size_t n, void *userdata)
{
	struct client *c = userdata;
	size_t room = sizeof(c->answer) - 1 - c->length;

	n *= size;
	memcpy(c->answer + c->length, data, n < room ? n : room);
	c->length += n < room ? n : room;
	c->answer[c->length] = '\0';
	return n;
}

/* Changes go to the older half and removals to the newest: with many under way at once, none is changed
 * that is being removed. */
static int64_t choose_item(struct load *l, enum op op)
{
	if (op == OP_REMOVE)
		return l->items[--l->n_items];
	return l->items[next_random(&l->random) % (l->n_items / 2)];
}

static void describe(struct load *l, struct client *c, char *url, size_t size)
{
	static const char *const currencies[] = { "EUR", "USD", "GBP", "JPY" };
	uint64_t r = next_random(&l->random);

	c->body[0] = '\0';
	str_append(url, size, "%s/v1/", arg_url);
	switch (c->op) {
	case OP_SHOW_ITEMS:
		str_append(url, size, "lists/%" PRId64 "/items?limit=%" PRIu64, l->list_id,
			   r % 50 + 1);
		break;
	case OP_SHOW_LISTS:
		str_append(url, size, "lists?limit=20");
		break;
	case OP_TOTAL:
		str_append(url, size, "lists/%" PRId64 "/total?currency=%s", l->list_id,
			   currencies[r % ELEMENTSOF(currencies)]);
		break;
	case OP_MAKE:
		str_append(url, size, "lists/%" PRId64 "/items", l->list_id);
		str_append(c->body, sizeof(c->body),
			   "{\"title\":\"item %" PRIu64 "\",\"price_cents\":%" PRIu64 "}", l->sent,
			   r % 10000);
		break;
	case OP_CHANGE:
		str_append(url, size, "items/%" PRId64, choose_item(l, c->op));
		str_append(c->body, sizeof(c->body), "{\"quantity\":%" PRIu64 "}", r % 99 + 1);
		break;
	case OP_REMOVE:
		str_append(url, size, "items/%" PRId64, choose_item(l, c->op));
		break;
	case _OP_MAX:
		break;
	}
}

static int prepare(struct client *c, const char *method, const char *url)
{
	c->length = 0;
	c->answer[0] = '\0';
	curl_easy_reset(c->easy);
	if (curl_easy_setopt(c->easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK ||
	    (c->body[0] &&
	     curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS, c->body) != CURLE_OK) ||
	    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_answer) != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c) != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c) != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) != CURLE_OK)
		return -ENOMEM;
	return 0;
}

static int64_t read_id(const struct client *c)
{
	_cleanup_json_ struct json_object *o = NULL;
	int64_t id = 0;

	if (json_parse(c->answer, c->length, &o, NULL) < 0 || json_get_i64(o, "id", &id, NULL) < 0)
		return 0;
	return id;
}

static int take_answer(struct load *l, struct client *c, CURLcode code)
{
	uint64_t took_us = (clock_boot_ns() - c->due_ns) / NS_PER_US;
	long status = 0;
	bool is_good;
	int r;

	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	is_good = code == CURLE_OK && status >= 200 && status < 300;
	if (is_good && c->op == OP_MAKE && l->n_items < ITEMS_KEPT) {
		int64_t id = read_id(c);

		if (id > 0)
			l->items[l->n_items++] = id;
	}
	c->is_busy = false;
	r = measure_add(&l->all, took_us, is_good, arg_slow_ms * US_PER_MS);
	return r < 0 ? r : measure_add(&l->of[c->op], took_us, is_good, arg_slow_ms * US_PER_MS);
}

static int collect(struct load *l)
{
	CURLMsg *m;
	int left = 0;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;
		char *c = NULL;
		int r;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
		(void)curl_multi_remove_handle(l->multi, easy);
		r = take_answer(l, (struct client *)(void *)c, code);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct client *find_free(struct load *l)
{
	for (uint64_t i = 0; i < arg_connections; i++)
		if (!l->clients[i].is_busy)
			return &l->clients[i];
	return NULL;
}

static uint64_t due_ns(const struct load *l)
{
	return l->start_ns + l->sent * NS_PER_S / arg_rate_per_s;
}

/* Sends what is due, as far as connections are free. */
static int send_due(struct load *l)
{
	struct client *c;

	while (l->sent < l->n && due_ns(l) <= clock_boot_ns() && (c = find_free(l))) {
		char url[512] = "";

		c->op = choose_op(l);
		c->due_ns = due_ns(l);
		describe(l, c, url, sizeof(url));
		if (prepare(c, ops[c->op].method, url) < 0 ||
		    curl_multi_add_handle(l->multi, c->easy) != CURLM_OK)
			return -ENOMEM;
		c->is_busy = true;
		l->sent++;
	}
	return 0;
}

/* Until the next is due, or an answer comes. */
static int wait_ms(const struct load *l)
{
	uint64_t now_ns = clock_boot_ns(), next_ns = due_ns(l);

	if (l->sent >= l->n || next_ns <= now_ns)
		return POLL_MS;
	next_ns = (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return next_ns < POLL_MS ? (int)next_ns : POLL_MS;
}

static int run(struct load *l)
{
	int running = 0, r = 0;

	l->start_ns = clock_boot_ns();
	while (r == 0 && (l->sent < l->n || running > 0)) {
		r = send_due(l);
		if (r == 0 && curl_multi_perform(l->multi, &running) != CURLM_OK)
			r = -EIO;
		if (r == 0)
			r = collect(l);
		if (r == 0 && (running > 0 || l->sent < l->n))
			(void)curl_multi_poll(l->multi, NULL, 0, wait_ms(l), NULL);
	}
	return r;
}

static int ask(struct client *c, const char *method, const char *path, const char *body)
{
	char url[512] = "";
	long status = 0;

	str_append(url, sizeof(url), "%s%s", arg_url, path);
	c->body[0] = '\0';
	str_append(c->body, sizeof(c->body), "%s", body);
	if (prepare(c, method, url) < 0 || curl_easy_perform(c->easy) != CURLE_OK)
		return -EIO;
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300 ? 0 : -EIO;
}

/* A list of its own with items to begin with, so that what is asked does not hang on how fast answers
 * come; where none can be made, one that is not there is asked for, and errors are counted. */
static void begin_list(struct load *l)
{
	struct client *c = &l->clients[0];
	char text[128] = "";

	str_append(text, sizeof(text), "{\"name\":\"load %" PRIu64 " %" PRIu64 "\"}", arg_seed,
		   clock_wall_us());
	l->list_id = ask(c, "POST", "/v1/lists", text) == 0 ? read_id(c) : 0;
	text[0] = '\0';
	str_append(text, sizeof(text), "/v1/lists/%" PRId64 "/items", l->list_id);
	while (l->list_id > 0 && l->n_items < ITEMS_FIRST &&
	       ask(c, "POST", text, "{\"title\":\"first\"}") == 0)
		l->items[l->n_items++] = read_id(c);
}

static void end_list(struct load *l)
{
	char path[64] = "";

	str_append(path, sizeof(path), "/v1/lists/%" PRId64, l->list_id);
	if (l->list_id > 0 && ask(&l->clients[0], "DELETE", path, "") < 0)
		(void)fprintf(stderr, "aiops-target-load: list %" PRId64 " is left behind\n",
			      l->list_id);
}

static double throughput_per_s(const struct load *l, uint64_t took_ns)
{
	return took_ns > 0 ?
		       (double)(l->all.n - l->all.errors) * (double)NS_PER_S / (double)took_ns :
		       0;
}

static double error_pct(const struct measure *m)
{
	return m->n > 0 ? 100.0 * (double)m->errors / (double)m->n : 0;
}

static void print_row(const char *name, struct measure *m)
{
	printf("%-12s %9" PRIu64 " %8.2f %9.1f %9.1f %9.1f\n", name, m->n, error_pct(m),
	       (double)measure_permille_us(m, 500) / US_PER_MS,
	       (double)measure_permille_us(m, 990) / US_PER_MS,
	       (double)measure_permille_us(m, 1000) / US_PER_MS);
}

static void print_table(struct load *l, uint64_t took_ns)
{
	printf("%-12s %9s %8s %9s %9s %9s\n", "operation", "requests", "errors %", "p50 ms",
	       "p99 ms", "max ms");
	for (enum op op = 0; op < _OP_MAX; op++)
		print_row(ops[op].name, &l->of[op]);
	print_row("all", &l->all);
	printf("%.1f good answers/s of %" PRIu64 " asked for; healthy %.1f %% (good and within "
	       "%" PRIu64 " ms)\n",
	       throughput_per_s(l, took_ns), arg_rate_per_s, measure_healthy_pct(&l->all),
	       arg_slow_ms);
}

static struct json_object *row_json(struct measure *m)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || json_add_u64(o, "requests", m->n) < 0 ||
	    json_add_u64(o, "errors", m->errors) < 0 ||
	    json_add_double(o, "error_pct", error_pct(m)) < 0 ||
	    json_add_u64(o, "p50_us", measure_permille_us(m, 500)) < 0 ||
	    json_add_u64(o, "p99_us", measure_permille_us(m, 990)) < 0 ||
	    json_add_u64(o, "max_us", measure_permille_us(m, 1000)) < 0)
		return NULL;
	return TAKE_PTR(o);
}

static int print_json(struct load *l, uint64_t took_ns)
{
	_cleanup_json_ struct json_object *o = row_json(&l->all), *by = json_object_new_object();

	if (!o || !by)
		return -ENOMEM;
	for (enum op op = 0; op < _OP_MAX; op++)
		if (json_add(by, ops[op].name, row_json(&l->of[op])) < 0)
			return -ENOMEM;
	if (json_add_u64(o, "seed", arg_seed) < 0 ||
	    json_add_u64(o, "rate_per_s", arg_rate_per_s) < 0 ||
	    json_add_u64(o, "slow_ms", arg_slow_ms) < 0 ||
	    json_add_double(o, "good_per_s", throughput_per_s(l, took_ns)) < 0 ||
	    json_add_double(o, "healthy_pct", measure_healthy_pct(&l->all)) < 0 ||
	    json_add(o, "operations", json_object_get(by)) < 0)
		return -ENOMEM;
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	return 0;
}

static bool take_option(int c)
{
	switch (c) {
	case 'u':
		arg_url = optarg;
		return true;
	case 'r':
		return str_parse_u64(optarg, &arg_rate_per_s) == 0 && arg_rate_per_s > 0 &&
		       arg_rate_per_s <= 10000;
	case 'd':
		return str_parse_span_ns(optarg, &arg_duration_ns) == 0;
	case 's':
		return str_parse_u64(optarg, &arg_seed) == 0;
	case 'c':
		return str_parse_u64(optarg, &arg_connections) == 0 && arg_connections > 0 &&
		       arg_connections <= CONNECTIONS_MAX;
	case 'm':
		return str_parse_u64(optarg, &arg_slow_ms) == 0;
	case 'h':
		return str_parse_u64(optarg, &arg_healthy_min_pct) == 0;
	case 'j':
		arg_json = true;
		return true;
	default:
		return false;
	}
}

static bool parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "url", required_argument, NULL, 'u' },
		{ "rate", required_argument, NULL, 'r' },
		{ "duration", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' },
		{ "connections", required_argument, NULL, 'c' },
		{ "slow-ms", required_argument, NULL, 'm' },
		{ "healthy-min-pct", required_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;)
		if (!take_option(c))
			return false;
	return optind == argc && arg_duration_ns / NS_PER_S * arg_rate_per_s <= REQUESTS_MAX;
}

static int set_up(struct load *l)
{
	l->random = arg_seed;
	l->n = arg_duration_ns * arg_rate_per_s / NS_PER_S;
	l->multi = curl_multi_init();
	for (uint64_t i = 0; i < arg_connections; i++) {
		l->clients[i].easy = curl_easy_init();
		if (!l->clients[i].easy)
			return -ENOMEM;
	}
	return l->multi ? 0 : -ENOMEM;
}

static void tear_down(struct load *l)
{
	for (uint64_t i = 0; i < arg_connections; i++) {
		if (l->clients[i].is_busy)
			(void)curl_multi_remove_handle(l->multi, l->clients[i].easy);
		curl_easy_cleanup(l->clients[i].easy);
	}
	if (l->multi)
		(void)curl_multi_cleanup(l->multi);
	for (enum op op = 0; op < _OP_MAX; op++)
		measure_done(&l->of[op]);
	measure_done(&l->all);
}

int main(int argc, char **argv)
{
	static struct load l;
	uint64_t took_ns = 0;
	bool is_healthy;
	int r;

	if (!parse_options(argc, argv)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EXIT_FAILURE;
	r = set_up(&l);
	if (r == 0) {
		begin_list(&l);
		r = run(&l);
		took_ns = clock_boot_ns() - l.start_ns;
		end_list(&l);
	}
	if (r == 0 && arg_json)
		r = print_json(&l, took_ns);
	else if (r == 0)
		print_table(&l, took_ns);
	if (r < 0)
		(void)fprintf(stderr, "aiops-target-load: %s\n", strerror(-r));
	is_healthy = measure_healthy_pct(&l.all) >= (double)arg_healthy_min_pct;
	tear_down(&l);
	curl_global_cleanup();
	return r == 0 && is_healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}
