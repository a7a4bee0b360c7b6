/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* A directory of a test's own, in place of "/". */
struct tree {
	char path[64];
	int fd;
};

/* cmocka setup and teardown; *state is the struct tree. */
int tree_setup(void **state);
int tree_teardown(void **state);

/* Writes a file, with the directories it needs, all of mode 0755 and the file 0644. */
void tree_write(const struct tree *t, const char *path, const char *text);

void tree_link(const struct tree *t, const char *path, const char *target);
void tree_chmod(const struct tree *t, const char *path, mode_t mode);

/* cmocka group setup: makes an ordinary user root of a user namespace, whose files are root's there.
 * Where that is not allowed, geteuid() stays what it was and tests that need root skip. */
int tree_become_root(void **state);
