/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/unitctl.h"

#define CONF_MAX 16384

/* The file is often a link to what a resolver writes. Returns bytes; -errno. */
static ssize_t read_conf(int root_fd, char buf[static CONF_MAX])
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
				      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, root_fd, "etc/resolv.conf", &how,
					      sizeof(how));
	ssize_t n = fd < 0 ? -1 : read(fd, buf, CONF_MAX - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/* The first server, which is asked first. Returns 0; -ENOENT. */
static int first_server(char *conf, char *ret, size_t size)
{
	char *save = NULL;

	for (char *line = strtok_r(conf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *word_save = NULL, *word = strtok_r(line, " \t", &word_save);

		if (!str_equal(word, "nameserver"))
			continue;
		word = strtok_r(NULL, " \t", &word_save);
		return word && str_copy(ret, size, word) == 0 ? 0 : -EBADMSG;
	}
	return -ENOENT;
}

int resolver_find_unit(int root_fd, void *bus, char ret[static ENTITY_NAME_MAX], struct err *reterr)
{
	static const char *const stub[] = { "systemd-resolved.service", NULL };
	static const char *const local[] = { "dnsmasq.service",
					     "unbound.service",
					     "named.service",
					     "bind9.service",
					     "pdns-recursor.service",
					     "knot-resolver.service",
					     NULL };
	char conf[CONF_MAX] = "", server[64] = "127.0.0.1"; /* the default of resolv.conf(5) */
	ssize_t n = read_conf(root_fd, conf);
	int r = n < 0 ? (int)n : first_server(conf, server, sizeof(server));

	if (r < 0 && r != -ENOENT)
		return err_set(reterr, r, "read '/etc/resolv.conf': %s", strerror(-r));
	if (strncmp(server, "127.", 4) != 0 && !str_equal(server, "::1"))
		return err_set(reterr, -ENOENT, "find resolver: this host asks '%s'", server);
	/* systemd-resolved's own addresses. Source: systemd-resolved(8). */
	if (str_equal(server, "127.0.0.53") || str_equal(server, "127.0.0.54"))
		return unitctl_find_one(bus, stub, ret, reterr);
	return unitctl_find_one(bus, local, ret, reterr);
}
