/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/docker.h"
#include "sys/sandbox.h"

/* The product's own client of Docker, as a step has it, seccomp filter and all:
 *
 *   dockerask ROOT list         NAME STATE, one a line
 *   dockerask ROOT find NAME    "vMINOR ID STATE HEALTH MEMORY_BYTES"
 *   dockerask ROOT VERB NAME    start, stop, ... */

#define SPAN_NS    (20 * NS_PER_S)
#define LISTED_MAX 512

static int print_list(const struct docker *d, struct err *err)
{
	static struct docker_listed v[LISTED_MAX];
	int n = docker_list(d, v, LISTED_MAX, err);

	for (int i = 0; i < n; i++)
		(void)printf("%s %s\n", v[i].name, docker_state_to_string(v[i].state));
	return n;
}

static int act(const struct docker *d, const char *word, const char *name, struct err *err)
{
	static struct docker_facts f;
	int verb = docker_verb_from_string(word), r = docker_find(d, name, &f, err);

	if (r < 0)
		return r;
	if (verb >= 0)
		return docker_do(d, (enum docker_verb)verb, f.id, NULL, err);
	(void)printf("v%u %s %s %s %" PRId64 "\n", d->api_minor, f.id,
		     docker_state_to_string(f.state), docker_health_to_string(f.health),
		     f.limits.memory_bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct docker d = { 0 };
	struct err err = { 0 };
	int fd, r;

	if (argc < 3)
		return 2;
	fd = fd_open_dir(AT_FDCWD, argv[1], &err);
	r = fd < 0 ? fd : sandbox_enter(NULL, &err);
	if (r == 0)
		r = docker_open(fd, clock_boot_ns() + SPAN_NS, &d, &err);
	if (r == 0)
		r = argc == 3 ? print_list(&d, &err) : act(&d, argv[2], argv[3], &err);
	closep(&fd);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", err_text(&err));
	return r < 0;
}
