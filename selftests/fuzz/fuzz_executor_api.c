/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/executor.a selftests/fuzz/httpfuzz.o */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/executor.h"
#include "selftests/fuzz/httpfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

/* A policy that allows nothing: what is asked for is judged, never begun. */
static const char *make_root(void)
{
	static const char *const folders[] = {
		"root", "root/etc", "root/etc/aiops", "root/etc/aiops/policy.d", "run", "run/steps"
	};
	static char root[128], path[256];

	for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
		path[0] = '\0';
		str_append(path, sizeof(path), "%s/%s", httpfuzz_directory(), folders[i]);
		(void)mkdir(path, 0755);
	}
	str_append(root, sizeof(root), "%s/root", httpfuzz_directory());
	path[0] = '\0';
	str_append(path, sizeof(path), "%s/etc/aiops/policy.d/a.yaml", root);
	write_file(path, "mode: observe\n");
	return root;
}

static struct executor *executor_here(void)
{
	static struct executor x = { .root_fd = -EBADF };
	struct executor_paths paths = { 0 };
	struct err err = { 0 };

	if (x.event)
		return &x;
	paths.root = make_root();
	paths.runtime_dir = httpfuzz_directory();
	if (executor_init(&x, &paths, &err) < 0 || executor_serve(&x, &err) < 0)
		assert(!err_text(&err));
	return &x;
}

/* approve.sock of a real executor, with nobody on the bus: whatever is asked, its state stays whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct executor *x = executor_here();

	httpfuzz_send(x->event, "approve", data, size);
	assert(x->broker.state.mode < _AUTONOMY_MAX);
	for (size_t i = 0; i < x->broker.attempts.n; i++)
		assert(x->broker.attempts.v[i]->attempt.phase != ATTEMPT_PHASE_DONE);
	return 0;
}
