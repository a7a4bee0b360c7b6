/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

int credential_open_dir(struct err *reterr)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");

	return path ? fd_open_dir(AT_FDCWD, path, reterr) : -ENOENT;
}

int credential_read(int dir_fd, const char *name, char ret[static CREDENTIAL_MAX],
		    struct err *reterr)
{
	char file[STR_PLAIN_NAME_MAX + sizeof("aiops_")] = "";
	ssize_t n;

	if (!str_is_plain_name(name))
		return err_set(reterr, -EINVAL, "read credential: not a name");
	str_append(file, sizeof(file), "aiops_%s", name);
	n = dir_fd < 0 ? -ENOENT : fd_read_file(dir_fd, file, ret, CREDENTIAL_MAX);
	if (n < 0) {
		explicit_bzero(ret, CREDENTIAL_MAX);
		return err_set(reterr, (int)n, "read credential '%s': %s", file, strerror((int)-n));
	}
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret[0] ? 0 : err_set(reterr, -EINVAL, "read credential '%s': it is empty", name);
}
