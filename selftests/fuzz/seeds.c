/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over the files of its corpus, each once, without a fuzzer: what was found stays
 * found. Says so in TAP, as the unit tests do; not through stdio, whose streams a target may shut. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define SEEDS_MAX 256
#define SEED_MAX  (1 << 20) /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A buffer of just its size, so that a sanitizer sees the byte after it. */
static int run_seed(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *buf = malloc(SEED_MAX), *data = NULL;
	ssize_t n = buf && fd >= 0 ? read(fd, buf, SEED_MAX) : -1;

	data = n >= 0 ? malloc((size_t)n + 1) : NULL;
	if (!data)
		return -1;
	memcpy(data, buf, (size_t)n);
	data = realloc(data, n > 0 ? (size_t)n : 1);
	(void)LLVMFuzzerTestOneInput(data, (size_t)n);
	return 0;
}

static int is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	_cleanup_close_ int dir_fd = -EBADF;
	struct dirent **names = NULL;
	char path[256] = "";
	int n;

	(void)argc;
	str_append(path, sizeof(path), "selftests/fuzz/corpus/%s", program_invocation_short_name);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = dir_fd < 0 ? -1 : scandir(path, &names, is_seed, alphasort);
	if (n <= 0 || n > SEEDS_MAX) {
		(void)fprintf(stderr, "%s: no seeds in '%s'\n", argv[0], path);
		return EXIT_FAILURE;
	}
	(void)dprintf(STDOUT_FILENO, "1..%d\n", n);
	for (int i = 0; i < n; i++) {
		bool bad = run_seed(dir_fd, names[i]->d_name) < 0;

		(void)dprintf(STDOUT_FILENO, "%sok %d - %s\n", bad ? "not " : "", i + 1,
			      names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return EXIT_SUCCESS;
}
