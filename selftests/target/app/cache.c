/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"

#define TRIAL_NAME  "trial"
#define TRIAL_BYTES 4096 /* a block: less may fit where nothing fits any more */

int cache_read(const struct cache *c, const char *name, struct json_object **ret,
	       struct err *reterr)
{
	_cleanup_close_ int dir_fd = fd_open_dir(AT_FDCWD, c->path, reterr);
	char text[CACHE_ENTRY_MAX] = "";
	ssize_t n;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	n = fd_read_file(dir_fd, name, text, sizeof(text));
	if (n < 0)
		return err_set(reterr, (int)n, "read cache entry '%s': %s", name,
			       strerror((int)-n));
	r = json_parse(text, (size_t)n, ret, reterr);
	return r < 0 ? err_wrap(reterr, -EBADMSG, "read cache entry '%s'", name) : 0;
}

static int put_file(const struct cache *c, const char *name, const void *data, size_t size,
		    struct err *reterr)
{
	_cleanup_close_ int dir_fd = fd_open_dir(AT_FDCWD, c->path, reterr);

	return dir_fd < 0 ? dir_fd : fd_write_atomic(dir_fd, name, data, size, 0640, false, reterr);
}

int cache_write(const struct cache *c, const char *name, struct json_object *value,
		struct err *reterr)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

	if (!text || strlen(text) >= CACHE_ENTRY_MAX)
		return err_set(reterr, -E2BIG, "write cache entry '%s': over %d bytes", name,
			       CACHE_ENTRY_MAX);
	return put_file(c, name, text, strlen(text), reterr);
}

int cache_try(const struct cache *c, struct err *reterr)
{
	static const char block[TRIAL_BYTES];

	return put_file(c, TRIAL_NAME, block, sizeof(block), reterr);
}
