/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define CONFDIR_FILES_MAX 256
#define CONFDIR_PATH_MAX  512

/* The configuration files of one kind (agent, services, policy, alerts, runbooks, ...), as systemd
 * drop-ins work: ROOT/usr/lib/aiops/KIND.d/NAME and ROOT/etc/aiops/KIND.d/NAME, sorted by NAME; the
 * same name in /etc replaces, a symlink to /dev/null there masks. */
struct confdir_file {
	char path[CONFDIR_PATH_MAX];
	char name[128];
};

struct confdir {
	size_t n_files;
	struct confdir_file *files;
};

/* root_fd: "/" or a test's tree. suffix: ".yaml" or ".md". A directory that does not exist is
 * empty. Returns 0; -E2BIG over CONFDIR_FILES_MAX; -errno with the directory's name. */
int confdir_list(int root_fd, const char *kind, const char *suffix, struct confdir *ret,
		 struct err *reterr) _warn_unused_;
void confdir_done(struct confdir *dir);

/* Reads one listed file, at most size_max bytes, NUL-terminated; the caller frees *ret.
 * trusted: refuses with -EPERM a file, or one of its directories below ROOT, that is not owned by root or is
 * writable by group or others (for policy). */
int confdir_read(int root_fd, const struct confdir_file *file, size_t size_max, bool trusted,
		 char **ret, size_t *ret_size, struct err *reterr) _warn_unused_;

/* A kind of configuration, and how its files are read. */
struct confdir_kind {
	const char *name;   /* "policy" */
	const char *suffix; /* ".yaml" */
	size_t size_max;    /* bytes of one file */
	bool trusted;
};

/* Lists the kind's files and calls parse with the text of each, in order; stops at the first error,
 * which is returned. Returns the number of files; -errno. */
int confdir_load(int root_fd, const struct confdir_kind *kind,
		 int (*parse)(const struct confdir_file *file, const char *text, size_t length,
			      void *userdata, struct err *reterr),
		 void *userdata, struct err *reterr) _warn_unused_;

/* The file's name without its suffix. Returns buf. */
const char *confdir_stem(const struct confdir_file *file, char *buf, size_t size);
