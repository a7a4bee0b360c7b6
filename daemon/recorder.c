/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "ops/describe.h"
#include "recorder/recorder.h"
#include "sys/sandbox.h"

static struct recorder_paths arg_paths = { "/", AIOPS_RUNDIR, AIOPS_STATEDIR };

/* SQLite keeps the owner of its side files; audit segments are named anew. */
static const char *const syscalls[] = { "fchown", NULL };

static int help(void)
{
	(void)puts("aiops-recorder [--root DIR] [--runtime-dir DIR] [--state-dir DIR]\n"
		   "\n"
		   "Keeps the history and the audit trail; reads the journal for the agent.\n"
		   "\n"
		   "  --root DIR         configuration, journal and files below DIR (/)\n"
		   "  --runtime-dir DIR  sockets here where systemd passes none (" AIOPS_RUNDIR
		   ")\n"
		   "  --state-dir DIR    history.db and audit/ here (" AIOPS_STATEDIR ")\n"
		   "  --version, --help");
	return EXIT_SUCCESS;
}

static int parse_options(int argc, char **argv)
{
	static const struct option options[] = { { "root", required_argument, NULL, 'r' },
						 { "runtime-dir", required_argument, NULL, 'd' },
						 { "state-dir", required_argument, NULL, 's' },
						 { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, 'v' },
						 { 0 } };

	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;)
		if (c == 'r')
			arg_paths.root = optarg;
		else if (c == 'd')
			arg_paths.runtime_dir = optarg;
		else if (c == 's')
			arg_paths.state_dir = optarg;
		else
			return c;
	return optind < argc ? '?' : 0;
}

static int run(struct recorder *r, struct err *reterr)
{
	int q = recorder_init(r, &arg_paths, reterr);

	if (q >= 0)
		q = sandbox_enter(syscalls, reterr);
	if (q < 0)
		return q;
	(void)sd_event_set_watchdog(r->event, true);
	(void)sd_notify(0, "READY=1\nSTATUS=Recording");
	q = sd_event_loop(r->event);
	(void)sd_notify(0, "STOPPING=1");
	return q < 0 ? err_set(reterr, q, "run event loop: %s", strerror(-q)) : 0;
}

/* For the build and its lint; not in --help. */
static int describe(void)
{
	describe_head(stdout);
	describe_inspectors(stdout, "recorder_inspectors", recorder_inspector_registry);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	struct recorder recorder = { .root_fd = -EBADF };
	struct err err = { 0 };
	int r;

	if (argc == 2 && str_equal(argv[1], "describe"))
		return describe();
	r = parse_options(argc, argv);
	if (r == 'h')
		return help();
	if (r == 'v')
		return puts("aiops-recorder " AIOPS_VERSION) < 0;
	if (r != 0)
		return EX_USAGE;
	(void)umask(0027);
	log_open("aiops-recorder");
	r = run(&recorder, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	recorder_done(&recorder);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
