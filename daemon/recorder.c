/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/args.h"
#include "base/log.h"
#include "ops/describe.h"
#include "recorder/index.h"
#include "sys/sandbox.h"

static struct recorder_paths arg_paths = { "/", AIOPS_RUNDIR, AIOPS_STATEDIR };

/* SQLite keeps the owner of its side files; audit segments are named anew. */
static const char *const syscalls[] = { "fchown", NULL };

static const char help[] =
	"aiops-recorder [--root DIR] [--runtime-dir DIR] [--state-dir DIR] [index]\n"
	"\n"
	"Keeps the history and the audit trail; reads the journal for the agent.\n"
	"index: makes the knowledge base of runbooks, manual pages and documents, and ends.\n"
	"\n"
	"  --root DIR         configuration, journal and files below DIR (/)\n"
	"  --runtime-dir DIR  sockets here where systemd passes none (" AIOPS_RUNDIR ")\n"
	"  --state-dir DIR    history.db and audit/ here (" AIOPS_STATEDIR ")\n"
	"  --version, --help";

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

static int run_index(void)
{
	struct knowledge_stats s = { 0 };
	struct err err = { 0 };
	int r = recorder_index(&arg_paths, &s, &err);

	if (r < 0)
		log_line(LOG_ERR, "index: %s", err_text(&err));
	else if (r == 0)
		log_line(LOG_INFO, "index: nothing has changed");
	else
		log_line(LOG_INFO,
			 "index: %" PRIu64 " documents in %" PRIu64 " pieces, %" PRIu64
			 " bytes; %" PRIu64 " known already, %" PRIu64 " refused",
			 s.documents, s.chunks, s.bytes, s.same_documents, s.refused);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct arg args[] = { { "root", &arg_paths.root, NULL },
					   { "runtime-dir", &arg_paths.runtime_dir, NULL },
					   { "state-dir", &arg_paths.state_dir, NULL },
					   { 0 } };
	struct recorder recorder = { .root_fd = -EBADF };
	struct err err = { 0 };
	int r;

	if (argc == 2 && str_equal(argv[1], "describe"))
		return describe();
	r = args_parse(argc, argv, args, help);
	if (r == 0)
		return EXIT_SUCCESS;
	if (r < 0 || argc - r > 1 || (argc - r == 1 && !str_equal(argv[r], "index")))
		return args_refuse(help);
	(void)umask(0027);
	log_open("aiops-recorder");
	if (argc - r == 1)
		return run_index();
	r = run(&recorder, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	recorder_done(&recorder);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
