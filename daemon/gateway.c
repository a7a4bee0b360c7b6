/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/args.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "sys/sandbox.h"

static const char *arg_root = "/", *arg_runtime_dir = AIOPS_RUNDIR;

/* AF_INET and AF_INET6; the unit's RestrictAddressFamilies= says which families. */
static const char *const syscalls[] = { "socket", NULL };

static const char help[] =
	"aiops-gateway [--root DIR] [--runtime-dir DIR]\n"
	"\n"
	"Checks the endpoints of services.d over the network and tells the agent.\n"
	"\n"
	"  --root DIR         configuration below DIR (/)\n"
	"  --runtime-dir DIR  the socket here where systemd passes none (" AIOPS_RUNDIR ")\n"
	"  --version, --help";

static int run(struct gateway *g, struct err *reterr)
{
	int r = gateway_init(g, arg_root, arg_runtime_dir, reterr);

	if (r >= 0)
		r = sandbox_enter(syscalls, reterr);
	if (r < 0)
		return r;
	(void)sd_event_set_watchdog(g->event, true);
	(void)sd_notify(0, "READY=1\nSTATUS=Checking");
	r = sd_event_loop(g->event);
	(void)sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set(reterr, r, "run event loop: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
	static const struct arg args[] = { { "root", &arg_root, NULL },
					   { "runtime-dir", &arg_runtime_dir, NULL },
					   { 0 } };
	struct gateway gateway = { .root_fd = -EBADF };
	struct err err = { 0 };
	int r = args_parse(argc, argv, args, help);

	if (r == 0)
		return EXIT_SUCCESS;
	if (r != argc)
		return args_refuse(help);
	log_open("aiops-gateway");
	r = run(&gateway, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	gateway_done(&gateway);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
