/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "base/args.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/message_id.h"
#include "ops/describe.h"

static const char help[] =
	"aiops-agent [--root DIR] [--runtime-dir DIR] [--check]\n"
	"\n"
	"Watches the host, finds out what is wrong, asks for repair and tells the story.\n"
	"\n"
	"  --check            read the configuration, say what is wrong with it, and end\n"
	"  --root DIR         configuration and host files below DIR (/)\n"
	"  --runtime-dir DIR  sockets and state below DIR (" AIOPS_RUNDIR ")\n"
	"  --version, --help";

/* For the build and its lint; not in --help. */
static int describe(void)
{
	describe_head(stdout);
	describe_inspectors(stdout, "agent_inspectors", inspector_registry);
	describe_signals(stdout, "agent_signals", probe_registry);
	describe_rules(stdout, "agent_rules", rule_registry);
	return fflush(stdout) != 0;
}

static int check(const struct agent *a)
{
	struct agent_config config = { 0 };
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, a->root, &err);
	int r = root_fd < 0 ? root_fd : agent_config_load(root_fd, &config, &err);

	if (r < 0)
		(void)fprintf(stderr, "%s\n", err_text(&err));
	else
		(void)printf("%u service%s, %u alert%s, %u runbook%s\n", config.services.n,
			     str_plural(config.services.n), config.alerts.n,
			     str_plural(config.alerts.n), config.runbooks.n,
			     str_plural(config.runbooks.n));
	agent_config_done(&config);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct agent *a)
{
	const struct log_field started = { "MESSAGE_ID", MESSAGE_ID_AGENT_STARTED };
	const struct log_field stopped = { "MESSAGE_ID", MESSAGE_ID_AGENT_STOPPED };
	struct err err = { 0 };
	int r;

	log_open("aiops-agent");
	r = agent_init(a, &err);
	if (r >= 0) {
		log_fields(LOG_INFO, "Agent " AIOPS_VERSION " started", &started, 1);
		(void)sd_notify(0, "READY=1");
		r = agent_loop(a, &err);
		log_fields(LOG_INFO, "Agent stopped", &stopped, 1);
	}
	if (r < 0)
		log_line(LOG_ERR, "Agent ends: %s", err_text(&err));
	agent_done(a);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct agent a = { .root = "/",
				  .runtime_dir = AIOPS_RUNDIR,
				  .root_fd = -EBADF,
				  .state_fd = -EBADF,
				  .stage_fd = -EBADF,
				  .reader = { .fd = -EBADF } };

	bool only_check = false;
	const struct arg args[] = { { "root", &a.root, NULL },
				    { "runtime-dir", &a.runtime_dir, NULL },
				    { "check", NULL, &only_check },
				    { 0 } };
	int r;

	if (argc == 2 && str_equal(argv[1], "describe"))
		return describe();
	r = args_parse(argc, argv, args, help);
	if (r == 0)
		return EXIT_SUCCESS;
	if (r != argc)
		return args_refuse(help);
	return only_check ? check(&a) : run(&a);
}
