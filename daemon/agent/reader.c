/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confdir.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/yaml.h"
#include "sys/sandbox.h"

struct answer {
	int r;
	char text[ERR_TEXT_MAX];
};

static const struct kind {
	const char *name, *suffix;
} kinds[] = { { "services", ".yaml" },
	      { "alerts", ".yaml" },
	      { "runbooks", ".md" },
	      { "silences", ".yaml" } };

static const char *const trees[] = { "usr/lib/aiops", "etc/aiops" };

static int make_dir(int dir_fd, const char *path, struct err *reterr)
{
	char part[CONFDIR_PATH_MAX];

	for (const char *p = strchr(path, '/');; p = strchr(p + 1, '/')) {
		part[0] = '\0';
		str_append(part, sizeof(part), "%.*s", p ? (int)(p - path) : (int)strlen(path),
			   path);
		if (mkdirat(dir_fd, part, 0700) < 0 && errno != EEXIST)
			return err_set(reterr, -errno, "make directory '%s': %s", part,
				       strerror(errno));
		if (!p)
			return fd_open_dir(dir_fd, path, reterr);
	}
}

static int empty_dir(int dir_fd, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir)
		return err_set(reterr, -errno, "empty directory: %s", strerror(errno));
	(void)TAKE_FD(fd);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && unlinkat(dir_fd, d->d_name, 0) < 0)
			return err_set(reterr, -errno, "remove file '%s': %s", d->d_name,
				       strerror(errno));
	return 0;
}

static int copy_file(int root_fd, int stage_fd, const struct confdir_file *file, struct err *reterr)
{
	char folder[CONFDIR_PATH_MAX] = "";
	_cleanup_close_ int dir_fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	/* Without the '/' in front, and without the name. */
	str_append(folder, sizeof(folder), "%.*s", (int)(strrchr(file->path, '/') - file->path - 1),
		   file->path + 1);
	r = confdir_read(root_fd, file, YAML_TEXT_MAX, false, &text, &size, reterr);
	if (r < 0)
		return r;
	dir_fd = fd_open_dir(stage_fd, folder, reterr);
	return dir_fd < 0 ? dir_fd :
			    fd_write_atomic(dir_fd, file->name, text, size, 0600, false, reterr);
}

static int copy_kind(int root_fd, int stage_fd, const struct kind *kind, struct err *reterr)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	int r = confdir_list(root_fd, kind->name, kind->suffix, &dir, reterr);

	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(trees); i++) {
		char path[128] = "";
		_cleanup_close_ int fd = -EBADF;

		str_append(path, sizeof(path), "%s/%s.d", trees[i], kind->name);
		fd = make_dir(stage_fd, path, reterr);
		r = fd < 0 ? fd : empty_dir(fd, reterr);
	}
	for (size_t i = 0; r >= 0 && i < dir.n_files; i++)
		r = copy_file(root_fd, stage_fd, &dir.files[i], reterr);
	return r;
}

int reader_copy(int root_fd, int stage_fd, struct err *reterr)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ELEMENTSOF(kinds); i++)
		r = copy_kind(root_fd, stage_fd, &kinds[i], reterr);
	return r;
}

/* The sockets that systemd gave us are the agent's alone. */
static void close_listeners(void)
{
	int n = sd_listen_fds(0);

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
		(void)close(fd);
}

static void serve(int fd, int root_fd, int stage_fd)
{
	char request;

	while (recv(fd, &request, 1, 0) == 1) {
		struct answer a = { 0 };
		struct err err = { 0 };

		a.r = reader_copy(root_fd, stage_fd, &err);
		(void)str_copy(a.text, sizeof(a.text), err_text(&err));
		if (send(fd, &a, sizeof(a), MSG_NOSIGNAL) < 0)
			break;
	}
}

static _Noreturn void run(int fd, int root_fd, int stage_fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "aiops-agent-conf");
	close_listeners();
	if (sandbox_drop_capabilities(NULL) == 0 && sandbox_enter(NULL, NULL) == 0)
		serve(fd, root_fd, stage_fd);
	_exit(EXIT_FAILURE);
}

int reader_start(struct reader *r, int root_fd, int stage_fd, struct err *reterr)
{
	int ends[2] = { -EBADF, -EBADF };

	r->fd = -EBADF;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(reterr, -errno, "make socket pair: %s", strerror(errno));
	r->pid = fork();
	if (r->pid == 0) {
		(void)close(ends[0]);
		run(ends[1], root_fd, stage_fd);
	}
	closep(&ends[1]);
	if (r->pid < 0) {
		closep(&ends[0]);
		return err_set(reterr, -errno, "start reader of the configuration: %s",
			       strerror(errno));
	}
	r->fd = ends[0];
	return 0;
}

static void gone(struct reader *r)
{
	r->answer = sd_event_source_disable_unref(r->answer);
	closep(&r->fd);
	r->fd = -EBADF;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct reader *r = userdata;
	struct answer a = { 0 };
	struct err err = { 0 };
	ssize_t n = recv(fd, &a, sizeof(a), MSG_DONTWAIT);

	(void)source;
	(void)revents;
	if (n < 0 && errno == EAGAIN)
		return 0;
	(void)sd_event_source_set_enabled(r->patience, SD_EVENT_OFF);
	if (n != sizeof(a)) {
		gone(r);
		a.r = -EPIPE;
		(void)str_copy(a.text, sizeof(a.text), "read configuration: its reader is gone");
	}
	a.text[sizeof(a.text) - 1] = '\0';
	if (a.r < 0)
		(void)err_set(&err, a.r, "%s", a.text);
	if (r->asked)
		r->done(r->userdata, a.r, &err);
	r->asked = false;
	if (r->again && reader_ask(r, &err) < 0)
		r->done(r->userdata, err.code, &err);
	return 0;
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct reader *r = userdata;
	struct err err = { 0 };

	(void)source;
	(void)usec;
	(void)err_set(&err, -ETIMEDOUT, "read configuration: its files do not answer yet");
	r->done(r->userdata, -ETIMEDOUT, &err);
	return 0;
}

int reader_attach(struct reader *r, sd_event *event,
		  void (*done)(void *userdata, int r, const struct err *err), void *userdata,
		  struct err *reterr)
{
	int q = sd_event_add_io(event, &r->answer, r->fd, EPOLLIN, on_answer, r);

	if (q >= 0)
		q = sd_event_add_time(event, &r->patience, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      on_patience, r);
	if (q >= 0)
		q = sd_event_source_set_enabled(r->patience, SD_EVENT_OFF);
	r->done = done;
	r->userdata = userdata;
	return q < 0 ? err_set(reterr, q, "wait for configuration: %s", strerror(-q)) : 0;
}

int reader_ask(struct reader *r, struct err *reterr)
{
	if (r->fd < 0)
		return err_set(reterr, -EPIPE, "read configuration: its reader is gone");
	r->again = r->asked;
	if (r->asked)
		return 0;
	if (send(r->fd, "r", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return err_set(reterr, -errno, "ask for configuration: %s", strerror(errno));
	r->asked = true;
	(void)sd_event_source_set_time_relative(r->patience, READER_PATIENCE_NS / NS_PER_US);
	(void)sd_event_source_set_enabled(r->patience, SD_EVENT_ONESHOT);
	return 0;
}

void reader_done(struct reader *r)
{
	r->patience = sd_event_source_disable_unref(r->patience);
	gone(r);
}
