/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/log.h"
#include "base/str.h"
#include "fault/fault.h"
#include "sys/worker.h"

static const char *arg_root = "/", *arg_runtime_dir = AIOPS_RUNDIR;

static const char help[] =
	"aiops-fault [--root DIR] [--runtime-dir DIR] VERB\n"
	"\n"
	"Breaks one thing for a bounded time, in a unit of its own.\n"
	"\n"
	"  run KEY    read the record KEY, validate it, break, wait for the end, repair\n"
	"  clear KEY  after run has ended, however it did: repair what is left of it\n"
	"  describe   print the faults as C\n"
	"\n"
	"  --root DIR         configuration below DIR (/)\n"
	"  --runtime-dir DIR  records below DIR (" AIOPS_RUNDIR ")\n"
	"  --version, --help";

static int with_fault(const char *key, int (*verb)(struct fault *f, struct err *reterr))
{
	static struct fault f;
	struct err err = { 0 };
	int r;

	log_open("aiops-fault");
	r = fault_open(&f, arg_root, arg_runtime_dir, key, &err);
	if (r == 0)
		r = verb(&f, &err);
	/* A final state has been logged with its cause. */
	if (r < 0 && !fault_state_is_final(f.status.state))
		log_line(LOG_ERR, "%s", err_text(&err));
	fault_done(&f);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool is_worker(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return str_equal(slash ? slash + 1 : argv0, WORKER_NAME);
}

static int run_verb(const char *verb, const char *key)
{
	if (key && str_equal(verb, "run"))
		return with_fault(key, fault_run);
	if (key && str_equal(verb, "clear"))
		return with_fault(key, fault_clear);
	if (!key && str_equal(verb, "describe"))
		return fault_describe(stdout) < 0;
	return args_refuse(help);
}

int main(int argc, char **argv)
{
	static const struct arg args[] = { { "root", &arg_root, NULL },
					   { "runtime-dir", &arg_runtime_dir, NULL },
					   { 0 } };
	int first;

	if (is_worker(argv[0]))
		return worker_main(argc, argv);
	first = args_parse(argc, argv, args, help);
	if (first == 0)
		return EXIT_SUCCESS;
	return run_verb(first > 0 && first < argc ? argv[first] : "",
			first > 0 && argc - first == 2 ? argv[first + 1] : NULL);
}
