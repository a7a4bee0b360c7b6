/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gateway/check.h"
#include "sys/endpoint.h"

static void goes_to(const char *url, const char *host, int port)
{
	struct sockaddr_storage a;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;
	char text[INET6_ADDRSTRLEN] = "";
	bool is_v6;

	assert_int_equal(endpoint_parse_address(url, &a, NULL), 0);
	is_v6 = a.ss_family == AF_INET6;
	assert_non_null(inet_ntop(
		a.ss_family, is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr,
		text, sizeof(text)));
	assert_string_equal(text, host);
	assert_int_equal(ntohs(is_v6 ? v6->sin6_port : v4->sin_port), port);
}

static void is_refused(const char *url)
{
	struct sockaddr_storage a;

	assert_int_equal(endpoint_parse_address(url, &a, NULL), -EINVAL);
}

static void addresses_and_localhost_are_taken(void **state)
{
	(void)state;
	goes_to("http://127.0.0.1:8080/healthz", "127.0.0.1", 8080);
	goes_to("http://10.0.0.1/x:y", "10.0.0.1", 80);
	goes_to("https://[2001:db8::1]?q", "2001:db8::1", 443);
	goes_to("tcp://[::1]:5432", "::1", 5432);
	goes_to("tcp://LocalHost:1", "127.0.0.1", 1);
}

static void names_are_refused(void **state)
{
	(void)state;
	is_refused("http://db.example:80/");
	is_refused("http://localhost.example/");
	is_refused("tcp://1.2.3:80");
	is_refused("http://0x7f000001/");
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	is_refused("");
	is_refused("http://");
	is_refused("http://:80/");
	is_refused("tcp://127.0.0.1");
	is_refused("tcp://127.0.0.1:");
	is_refused("tcp://127.0.0.1:0");
	is_refused("tcp://127.0.0.1:65536");
	is_refused("tcp://127.0.0.1:99999999999999");
	is_refused("http://[::1");
	is_refused("http://[::1]80/");
	is_refused("http://1111111111111111111111111111111111111111111111111111111111111111111/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_localhost_are_taken),
		cmocka_unit_test(names_are_refused),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
