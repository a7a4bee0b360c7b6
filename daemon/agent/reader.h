/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/err.h"

/* Reads the configuration in a process of its own: below /etc may be a network or user-space file system
 * that does not answer, and the loop waits for nothing. It is made before the sandbox, which allows no new
 * process, holds no capability, and copies the files below a directory on a tmpfs for the agent to parse. */

/* Over the time that a slow disk takes. After it the reload counts as refused, until the answer comes. */
#define READER_PATIENCE_NS (5 * NS_PER_S)

struct reader {
	int fd; /* to the process; -EBADF: there is none */
	pid_t pid;
	bool asked, again; /* again: asked for once more while it still reads */
	sd_event_source *answer, *patience;
	void (*done)(void *userdata, int r, const struct err *err);
	void *userdata;
};

/* root_fd: what holds etc/aiops and usr/lib/aiops; stage_fd: where the copies go, below the same names.
 * Returns 0; -errno. */
int reader_start(struct reader *r, int root_fd, int stage_fd, struct err *reterr) _warn_unused_;

/* done() is called with 0 when the copies are new, with -ETIMEDOUT when the files do not answer in time
 * (and again when they do), else with the reason. Returns 0; -errno. */
int reader_attach(struct reader *r, sd_event *event,
		  void (*done)(void *userdata, int r, const struct err *err), void *userdata,
		  struct err *reterr) _warn_unused_;

/* Returns 0: done() follows; -EPIPE: the process is gone; other -errno. */
int reader_ask(struct reader *r, struct err *reterr) _warn_unused_;

void reader_done(struct reader *r);

/* What the process does for one request. Returns 0; -errno with the file's name. */
int reader_copy(int root_fd, int stage_fd, struct err *reterr) _warn_unused_;
