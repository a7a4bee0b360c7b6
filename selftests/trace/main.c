/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay ROOT [-v] TRACE...: ROOT holds usr/lib/aiops/{runbooks,alerts,services}.d; the last line is
 * `N passed, N failed`. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "selftests/trace/replay.h"

static int load(struct replay *x, const char *root, struct err *err)
{
	_cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "open '%s': %s", root, strerror(errno));
	r = services_load(fd, &x->services, err);
	if (r == 0)
		r = alerts_load(fd, &x->alerts, err);
	if (r == 0)
		r = runbooks_load(fd, &x->runbooks, err);
	return r;
}

static bool replay_one(const char *root, const char *path, bool verbose)
{
	_cleanup_free_ struct replay *x = calloc(1, sizeof(*x));
	struct err err = { 0 };
	bool good;

	if (!x)
		return false;
	x->mode = AUTONOMY_AUTO;
	x->verbose = verbose;
	good = load(x, root, &err) == 0;
	if (!good)
		printf("     %s\n", err_text(&err));
	else
		good = replay_run(x, path) == 0 && x->n_faults == 0;
	printf("%s %s\n", good ? "ok  " : "FAIL",
	       strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	services_done(&x->services);
	alerts_done(&x->alerts);
	runbooks_done(&x->runbooks);
	return good;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 2 && str_equal(argv[2], "-v");
	unsigned passed = 0, failed = 0;

	for (int i = verbose ? 3 : 2; i < argc; i++) {
		if (replay_one(argv[1], argv[i], verbose))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
