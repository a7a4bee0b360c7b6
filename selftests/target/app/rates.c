/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/rates.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "gateway/curlloop.h"
#include "selftests/target/app/log.h"

#define ENTRY_NAME       "rates.json"
#define FETCH_TIMEOUT_MS 2000L
#define CURRENCY_LETTERS 3

struct rates {
	struct curlloop *loop;
	sd_event_source *timer;
	CURL *easy;
	bool is_fetching;
	const struct cache *cache;
	char url[512];
	uint64_t failures;
	char why[160];
	char body[CACHE_ENTRY_MAX];
	size_t length;
};

static const char *const state_names[] = {
	[RATES_STATE_OFF] = "off",
	[RATES_STATE_FRESH] = "ok",
	[RATES_STATE_STALE] = "stale",
	[RATES_STATE_LOST] = "failed",
};

const char *rates_state_to_string(enum rates_state state)
{
	return state_names[state];
}

uint64_t rates_count_failures(const struct rates *r)
{
	return r->failures;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct rates *r = userdata;

	n *= size;
	if (n >= sizeof(r->body) - r->length)
		return 0;
	memcpy(r->body + r->length, data, n);
	r->length += n;
	r->body[r->length] = '\0';
	return n;
}

/* Takes what upstream said into the cache, with the time. */
static int keep(struct rates *r, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	int code = json_parse(r->body, r->length, &o, reterr);
	struct json_object *list = NULL;
	const char *source = NULL;

	if (code == 0 && (!json_object_object_get_ex(o, "rates", &list) ||
			  !json_object_is_type(list, json_type_object) ||
			  json_get_string(o, "source", &source, NULL) < 0))
		code = err_set(reterr, -EBADMSG, "'rates' or 'source' is missing");
	if (code == 0)
		code = json_add_u64(o, "fetched_usec", clock_wall_us());
	if (code < 0)
		return err_wrap(reterr, code, "read rates");
	return cache_write(r->cache, ENTRY_NAME, o, reterr);
}

static void note_end(struct rates *r, const char *why)
{
	bool changed = (why[0] != '\0') != (r->why[0] != '\0');

	r->failures += why[0] != '\0';
	r->why[0] = '\0';
	str_append(r->why, sizeof(r->why), "%s", why);
	if (changed && why[0])
		log_event("warning", "rates-lost", why);
	else if (changed)
		log_event("info", "rates-back", r->url);
}

static void on_done(void *userdata, CURLcode code)
{
	struct rates *r = userdata;
	struct err err = { 0 };
	char why[160] = "";
	long status = 0;

	r->is_fetching = false;
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		str_append(why, sizeof(why), "fetch '%s': %s", r->url, curl_easy_strerror(code));
	else if (status != 200)
		str_append(why, sizeof(why), "fetch '%s': HTTP status %ld", r->url, status);
	else if (keep(r, &err) < 0)
		str_append(why, sizeof(why), "%s", err_text(&err));
	note_end(r, why);
}

static void fetch(struct rates *r)
{
	r->length = 0;
	r->body[0] = '\0';
	r->is_fetching = curlloop_start(r->loop, r->easy) == 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rates *r = userdata;

	(void)usec;
	if (!r->is_fetching)
		fetch(r);
	(void)sd_event_source_set_time_relative(source, RATES_REFRESH_NS / NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static bool is_currency(const char *s)
{
	return strlen(s) == CURRENCY_LETTERS &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == CURRENCY_LETTERS;
}

/* What the entry says at all; false if it is not one of ours. */
static bool read_entry(struct json_object *o, struct json_object **ret_list, struct rates_answer *a)
{
	uint64_t now_us = clock_wall_us();
	const char *source = NULL;
	int64_t fetched_us = 0;

	if (json_get_i64(o, "fetched_usec", &fetched_us, NULL) < 0 ||
	    json_get_string(o, "source", &source, NULL) < 0 ||
	    !json_object_object_get_ex(o, "rates", ret_list) ||
	    !json_object_is_type(*ret_list, json_type_object))
		return false;
	str_append(a->source, sizeof(a->source), "%s", source);
	/* A clock that was set back makes it neither fresh nor old. */
	a->age_ns = now_us > (uint64_t)fetched_us ? (now_us - (uint64_t)fetched_us) * NS_PER_US : 0;
	a->state = a->age_ns <= RATES_FRESH_NS  ? RATES_STATE_FRESH :
		   a->age_ns <= RATES_USABLE_NS ? RATES_STATE_STALE :
						  RATES_STATE_LOST;
	return true;
}

int rates_read(struct rates *r, const char *currency, struct rates_answer *ret)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *list = NULL, *rate = NULL;
	struct rates_answer a = { .state = RATES_STATE_LOST, .why = r->why };

	if (!is_currency(currency))
		return -ENOENT;
	if (cache_read(r->cache, ENTRY_NAME, &o, NULL) == 0 && read_entry(o, &list, &a) &&
	    a.state != RATES_STATE_LOST) {
		if (!json_object_object_get_ex(list, currency, &rate))
			return -ENOENT;
		a.rate = json_object_get_double(rate);
	}
	*ret = a;
	return 0;
}

static int set_up(struct rates *r, sd_event *event, struct err *reterr)
{
	int code = curlloop_new(event, on_done, &r->loop, reterr);

	if (code < 0)
		return code;
	r->easy = curl_easy_init();
	if (!r->easy || curl_easy_setopt(r->easy, CURLOPT_URL, r->url) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, FETCH_TIMEOUT_MS) != CURLE_OK)
		return err_set(reterr, -ENOMEM, "fetch rates: libcurl refused '%s'", r->url);
	code = sd_event_add_time_relative(event, &r->timer, CLOCK_BOOTTIME, 0, 0, on_timer, r);
	return code < 0 ? err_set(reterr, code, "fetch rates: %s", strerror(-code)) : 0;
}

DEFINE_CLEANUP(struct rates *, rates_free);

int rates_new(sd_event *event, const struct rates_config *config, struct rates **ret,
	      struct err *reterr)
{
	_cleanup_(rates_freep) struct rates *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return err_set(reterr, -ENOMEM, "fetch rates: Out of memory");
	r->cache = config->cache;
	str_append(r->url, sizeof(r->url), "%s/v1/rates", config->url);
	code = set_up(r, event, reterr);
	if (code < 0)
		return code;
	*ret = TAKE_PTR(r);
	return 0;
}

struct rates *rates_free(struct rates *r)
{
	if (!r)
		return NULL;
	if (r->is_fetching)
		curlloop_cancel(r->loop, r->easy);
	r->timer = sd_event_source_disable_unref(r->timer);
	curl_easy_cleanup(r->easy);
	r->loop = curlloop_free(r->loop);
	free(r);
	return NULL;
}
