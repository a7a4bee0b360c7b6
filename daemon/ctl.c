/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/paths.h"
#include "ctl/dispatch.h"
#include "ctl/options.h"
#include "ctl/output.h"

/* What could not be written was not said: a full disk behind a pipe is an error. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "aiopsctl: write output: %s\n", strerror(errno));
	return code == CTL_OK ? CTL_FAILED : code;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .legend = true, .root = "/", .runtime_dir = AIOPS_RUNDIR };
	unsigned given = 0;
	int r;

	ctl_use_utf8();
	ctl_options_environment(&ctl);
	r = ctl_options_parse(&ctl, &given, argc, argv);
	if (r < 0)
		r = ctl_dispatch(&ctl, given, argc - optind, argv + optind);
	return finish(r);
}
