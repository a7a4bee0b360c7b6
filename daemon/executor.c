/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "base/args.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "executor/executor.h"
#include "executor/keep.h"
#include "sys/sandbox.h"

static struct executor_paths arg_paths = { "/", AIOPS_RUNDIR };
static const char *arg_state_dir = PATH_EXEC_STATE_DIR;
static bool arg_check, arg_save, arg_restore;

static const char help[] =
	"aiops-executor [--root DIR] [--runtime-dir DIR] [--state-dir DIR]\n"
	"               [--check | --save | --restore]\n"
	"\n"
	"Decides by policy, asks people for approval, and has systemd run the steps.\n"
	"\n"
	"  --root DIR         configuration below DIR (/)\n"
	"  --runtime-dir DIR  sockets and state below DIR (" AIOPS_RUNDIR ")\n"
	"  --state-dir DIR    for --save and --restore (" PATH_EXEC_STATE_DIR ")\n"
	"  --check            read the policy, say what is wrong with it, and exit\n"
	"  --save             copy mode, pause and budget to the state directory, and exit\n"
	"  --restore          copy back those that are not there, and exit\n"
	"  --version, --help";

static int run(struct executor *x, struct err *reterr)
{
	int r = executor_init(x, &arg_paths, reterr);

	if (r == 0)
		r = executor_serve(x, reterr);
	if (r == 0)
		r = sandbox_enter(NULL, reterr);
	if (r < 0)
		return r;
	(void)sd_event_set_watchdog(x->event, true);
	(void)sd_notify(0, "READY=1");
	r = sd_event_loop(x->event);
	(void)sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set(reterr, r, "run event loop: %s", strerror(-r)) : 0;
}

static int check(void)
{
	struct services services = { 0 };
	struct policy policy = { 0 };
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, arg_paths.root, &err);
	int r = root_fd < 0 ? root_fd : policy_load(root_fd, &policy, &err);

	if (r == 0)
		r = services_load_trusted(root_fd, &services, &err);
	if (r < 0)
		(void)fprintf(stderr, "aiops-executor: %s\n", err_text(&err));
	policy_done(&policy);
	services_done(&services);
	return r < 0 ? EX_CONFIG : EXIT_SUCCESS;
}

static int copy_state(void)
{
	struct err err = { 0 };
	int r;

	log_open("aiops-executor");
	r = sandbox_enter(NULL, &err);
	if (r == 0)
		r = (arg_save ? keep_save : keep_restore)(arg_paths.runtime_dir, arg_state_dir,
							  &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct arg args[] = { { "root", &arg_paths.root, NULL },
					   { "runtime-dir", &arg_paths.runtime_dir, NULL },
					   { "state-dir", &arg_state_dir, NULL },
					   { "check", NULL, &arg_check },
					   { "save", NULL, &arg_save },
					   { "restore", NULL, &arg_restore },
					   { 0 } };
	static struct executor executor = { .root_fd = -EBADF };
	struct err err = { 0 };
	int r = args_parse(argc, argv, args, help);

	if (r == 0)
		return EXIT_SUCCESS;
	if (r != argc)
		return args_refuse(help);
	if (arg_check)
		return check();
	(void)umask(0027);
	if (arg_save || arg_restore)
		return copy_state();
	log_open("aiops-executor");
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	r = run(&executor, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	executor_done(&executor);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
