/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

#define CLIENT_ANSWER_MAX (8 * 1024 * 1024) /* bytes */

struct buffer {
	char *text;
	size_t length;
};

static inline void buffer_done(struct buffer *b)
{
	free(b->text);
}

static inline void curl_slist_freep(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

DEFINE_CLEANUP(CURL *, curl_easy_cleanup);

/* Why nobody answers there: libcurl says only "couldn't connect". Returns 0 if it can be connected. */
static int probe_socket(const char *path, struct err *reterr)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(reterr, -errno, "connect to '%s': %s", path, strerror(errno));
	if (str_copy(sa.sun_path, sizeof(sa.sun_path), path) < 0)
		return err_set(reterr, -ENAMETOOLONG, "connect to '%s': Path too long", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(reterr, -errno, "connect to '%s': %s", path, strerror(errno));
	return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct buffer *b = userdata;
	size_t add = size * n;
	char *text;

	if (add > CLIENT_ANSWER_MAX - b->length)
		return 0;
	text = realloc(b->text, b->length + add + 1);
	if (!text)
		return 0;
	b->text = text;
	memcpy(b->text + b->length, data, add);
	b->length += add;
	b->text[b->length] = '\0';
	return add;
}

static int parse_answer(const struct buffer *b, struct json_object **ret, struct err *reterr)
{
	struct json_tokener *t = json_tokener_new();

	if (!t)
		return err_set(reterr, -ENOMEM, "read answer: Out of memory");
	*ret = json_tokener_parse_ex(t, b->text ? b->text : "", (int)b->length);
	json_tokener_free(t);
	return *ret ? 0 : err_set(reterr, -EBADMSG, "read answer: not JSON");
}

static CURLcode perform(CURL *curl, const char *socket_path, const char *method, const char *url,
			const char *body, unsigned timeout_ms, struct buffer *buffer)
{
	_cleanup_(curl_slist_freep) struct curl_slist *headers = NULL;

	headers = curl_slist_append(headers, "Content-Type: application/json");
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, buffer);
	if (body)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	return curl_easy_perform(curl);
}

int client_request(const char *socket_path, const char *method, const char *path_and_query,
		   struct json_object *body, unsigned timeout_ms, long *ret_status,
		   struct json_object **ret_json, struct err *reterr)
{
	_cleanup_(buffer_done) struct buffer buffer = { 0 };
	_cleanup_(curl_easy_cleanupp) CURL *curl = NULL;
	_cleanup_free_ char *url = NULL;
	long status = 0;
	CURLcode c;
	int r;

	r = probe_socket(socket_path, reterr);
	if (r < 0)
		return r;
	curl = curl_easy_init();
	if (!curl || asprintf(&url, "http://aiops%s", path_and_query) < 0)
		return err_set(reterr, -ENOMEM, "request '%s': Out of memory", path_and_query);
	c = perform(curl, socket_path, method, url, body ? json_object_to_json_string(body) : NULL,
		    timeout_ms, &buffer);
	if (c != CURLE_OK)
		return err_set(reterr, c == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO,
			       "request '%s' of '%s': %s", path_and_query, socket_path,
			       curl_easy_strerror(c));
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	r = parse_answer(&buffer, ret_json, reterr);
	if (r == 0)
		*ret_status = status;
	return r;
}
