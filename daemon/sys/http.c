/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/str.h"

#define CHUNK_MIN_BYTES 4096

struct transfer {
	struct http_answer *answer;
	size_t allocated, max;
	bool is_too_long, is_out_of_memory;
};

static inline void easy_freep(CURL **easy)
{
	if (*easy)
		curl_easy_cleanup(*easy);
}

static inline void slist_freep(struct curl_slist **list)
{
	if (*list)
		curl_slist_free_all(*list);
}

void http_answer_done(struct http_answer *a)
{
	free(a->body);
	*a = (struct http_answer){ 0 };
}

static int grow(struct transfer *t, size_t wanted)
{
	size_t size = t->allocated ? t->allocated : CHUNK_MIN_BYTES;
	char *body;

	while (size < wanted)
		size *= 2;
	body = realloc(t->answer->body, size);
	if (!body)
		return -ENOMEM;
	t->answer->body = body;
	t->allocated = size;
	return 0;
}

static size_t on_body(const char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;
	struct http_answer *a = t->answer;

	n *= size;
	t->is_too_long = n > t->max - a->size;
	if (!t->is_too_long && a->size + n + 1 > t->allocated)
		t->is_out_of_memory = grow(t, a->size + n + 1) < 0;
	if (t->is_too_long || t->is_out_of_memory)
		return CURL_WRITEFUNC_ERROR;
	memcpy(a->body + a->size, data, n);
	a->size += n;
	a->body[a->size] = '\0';
	return n;
}

static bool set_up_bounds(CURL *easy, const struct http_ask *q, struct transfer *t)
{
	long span_ms = (long)(q->span_max_ns / NS_PER_MS) + 1; /* 0 would be no bound */

	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, span_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, span_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

static bool set_up_request(CURL *easy, const struct http_ask *q, struct curl_slist *headers)
{
	if (q->body && curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->body) != CURLE_OK)
		return false;
	if (q->socket_path &&
	    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, q->socket_path) != CURLE_OK)
		return false;
	return curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, (long)q->is_connect_only) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_URL, q->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, "aiops/" AIOPS_VERSION) == CURLE_OK;
}

static int make_headers(const struct http_ask *q, struct curl_slist **ret)
{
	*ret = curl_slist_append(NULL, q->body ? "Content-Type: application/json" :
						 "Accept: application/json");
	return *ret ? 0 : -ENOMEM;
}

static int explain(CURL *easy, CURLcode code, const struct http_ask *q, const struct transfer *t,
		   struct err *reterr)
{
	char span[CLOCK_SPAN_MAX];
	long os_errno = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	if (t->is_too_long)
		return err_set(reterr, -EFBIG, "the answer is longer than %zu bytes", t->max);
	if (t->is_out_of_memory || code == CURLE_OUT_OF_MEMORY)
		return err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(reterr, -ETIMEDOUT, "no answer within %s",
			       clock_format_span(q->span_max_ns, span));
	if (code == CURLE_COULDNT_CONNECT && os_errno > 0)
		return err_set(reterr, (int)-os_errno, "%s", strerror((int)os_errno));
	return err_set(reterr, -EIO, "%s", curl_easy_strerror(code));
}

static void read_ends(CURL *easy, const struct http_ask *q, struct http_answer *a)
{
	struct curl_header *header = NULL;
	long request_bytes = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &a->status);
	(void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	a->is_sent = request_bytes > 0;
	if (q->header &&
	    curl_easy_header(easy, q->header, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		(void)str_copy(a->header_value, sizeof(a->header_value), header->value);
}

int http_ask(const struct http_ask *q, struct http_answer *ret, struct err *reterr)
{
	_cleanup_(easy_freep) CURL *easy = curl_easy_init();
	_cleanup_(slist_freep) struct curl_slist *headers = NULL;
	struct transfer t = { .answer = ret, .max = q->answer_max_bytes };
	CURLcode code;

	*ret = (struct http_answer){ 0 };
	if (!easy || make_headers(q, &headers) < 0 || grow(&t, 1) < 0)
		return err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));
	ret->body[0] = '\0';
	if (!set_up_bounds(easy, q, &t) || !set_up_request(easy, q, headers))
		return err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));
	code = curl_easy_perform(easy);
	read_ends(easy, q, ret);
	return code == CURLE_OK ? 0 : explain(easy, code, q, &t, reterr);
}
