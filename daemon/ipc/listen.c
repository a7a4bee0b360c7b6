/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/str.h"

#define SOCKET_MODE 0660

static void strv_freep(char ***v)
{
	for (char **s = *v; s && *s; s++)
		free(*s);
	free(*v);
}

/* Returns the fd that systemd passed under this name; -ENOENT. */
static int find_passed(const char *name)
{
	_cleanup_(strv_freep) char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);

	for (int i = 0; i < n; i++)
		if (str_equal(names[i], name))
			return SD_LISTEN_FDS_START + i;
	return -ENOENT;
}

static int bind_new(const char *path, int type, struct err *reterr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		return err_set(reterr, -ENAMETOOLONG, "listen on '%s': Path too long", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, SOCKET_MODE) < 0 || (type != SOCK_DGRAM && listen(fd, SOMAXCONN) < 0))
		return err_set(reterr, -errno, "listen on '%s': %s", path, strerror(errno));
	return TAKE_FD(fd);
}

int listen_find(const char *name, int type, struct err *reterr)
{
	int fd = find_passed(name), flags;

	if (fd < 0)
		return err_set(reterr, fd, "take socket '%s': systemd passed none", name);
	if (sd_is_socket_unix(fd, type, type != SOCK_DGRAM, NULL, 0) <= 0)
		return err_set(reterr, -EINVAL,
			       "take socket '%s': not a listening socket of its type", name);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(reterr, -errno, "take socket '%s': %s", name, strerror(errno));
	return fd;
}

int listen_get(const char *name, const char *runtime_dir, int type, struct err *reterr)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "";
	int fd = listen_find(name, type, reterr);

	if (fd != -ENOENT)
		return fd;
	str_append(path, sizeof(path), "%s/%s.sock", runtime_dir, name);
	return bind_new(path, type, reterr);
}
