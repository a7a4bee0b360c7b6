/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"
#include "sys/http.h"

#define ADDRESS_TEXT_MAX 64
#define BODY_MAX         4096 /* bytes that are read, to be thrown away */
#define POLL_NS          (200 * NS_PER_MS)

bool endpoint_is_tcp(const char *url)
{
	return strncmp(url, "tcp://", 6) == 0;
}

static int default_port(const char *url)
{
	if (endpoint_is_tcp(url))
		return 0;
	return strncmp(url, "https:", 6) == 0 ? 443 : 80;
}

/* Splits "host:port", "[v6]:port", "host". Returns 0; -EINVAL. */
static int split_authority(const char *s, size_t length, char host[static ADDRESS_TEXT_MAX],
			   uint64_t *port)
{
	const char *end = s + length, *colon;
	bool is_v6 = length > 0 && s[0] == '[';
	const char *stop = is_v6 ? memchr(s, ']', length) : memchr(s, ':', length);
	char number[8] = "";

	s += is_v6;
	if (is_v6 && !stop)
		return -EINVAL;
	stop = stop ? stop : end;
	colon = is_v6 ? stop + 1 : stop;
	if ((size_t)(stop - s) >= ADDRESS_TEXT_MAX)
		return -EINVAL;
	memcpy(host, s, (size_t)(stop - s));
	host[stop - s] = '\0';
	if (colon >= end)
		return 0;
	if (*colon != ':' || (size_t)(end - colon) > sizeof(number))
		return -EINVAL;
	memcpy(number, colon + 1, (size_t)(end - colon) - 1);
	return str_parse_u64(number, port);
}

int endpoint_parse_address(const char *url, struct sockaddr_storage *ret, struct err *reterr)
{
	const char *begin = strstr(url, "://");
	char host[ADDRESS_TEXT_MAX] = "";
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	uint64_t port = (uint64_t)default_port(url);

	begin = begin ? begin + 3 : url;
	if (split_authority(begin, strcspn(begin, "/?#"), host, &port) < 0 || port == 0 ||
	    port > UINT16_MAX)
		return err_set(reterr, -EINVAL, "check '%s': no host and port in it", url);
	if (strcasecmp(host, "localhost") == 0)
		(void)str_copy(host, sizeof(host), "127.0.0.1");
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	*ret = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		memcpy(ret, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		memcpy(ret, &v6, sizeof(v6));
	else
		return err_set(reterr, -EINVAL,
			       "check '%s': the host is neither an address nor 'localhost'", url);
	return 0;
}

int endpoint_ask(const struct endpoint *e, struct err *reterr)
{
	_cleanup_(http_answer_done) struct http_answer a = { 0 };
	bool is_tcp = endpoint_is_tcp(e->url);
	struct sockaddr_storage address;
	char url[ENDPOINT_URL_MAX + 8] = "";
	const struct http_ask q = { .method = "GET",
				    .url = url,
				    .is_connect_only = is_tcp,
				    .answer_max_bytes = BODY_MAX,
				    .span_max_ns = e->timeout_ms * NS_PER_MS };
	int r = endpoint_parse_address(e->url, &address, reterr);

	if (r < 0)
		return r;
	str_append(url, sizeof(url), "%s%s", is_tcp ? "http" : "", e->url + (is_tcp ? 3 : 0));
	r = http_ask(&q, &a, reterr);
	/* A longer body than we care to read is no fault of the service. */
	if (r < 0 && r != -EFBIG)
		return err_wrap(reterr, r, "endpoint '%s'", e->name);
	if (!is_tcp && a.status != (long)e->expect_status)
		return err_set(reterr, -EIO, "endpoint '%s': status %ld instead of %u", e->name,
			       a.status, e->expect_status);
	return 0;
}

uint32_t endpoint_ask_all(const struct service *s)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < s->n_endpoints; i++)
		if (endpoint_ask(&s->endpoints[i], NULL) == 0)
			good |= UINT32_C(1) << i;
	return good;
}

int endpoint_wait(const struct service *s, uint32_t mask, uint64_t deadline_ns, struct err *reterr)
{
	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		int r = mask & UINT32_C(1) << i ? -EAGAIN : 0;

		while (r < 0) {
			r = endpoint_ask(&s->endpoints[i], reterr);
			if (r == 0)
				break;
			if (clock_boot_ns() >= deadline_ns)
				return r;
			clock_sleep_ns(POLL_NS);
		}
	}
	return 0;
}
