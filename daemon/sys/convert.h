/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/converter.h"

/* A file that is no text, made into one by a tool of the distribution. The tool gets the file as its
 * standard input and nothing else: a process of its own without network, that can write no file, make none
 * and remove none, with a limit of CPU time, memory and output, and with a deadline. */

#define CONVERT_CPU_S 20
#define CONVERT_MEMORY_BYTES \
	(UINT64_C(1) << 30) /* pandoc's runtime takes some 200 MB for a big file */
#define CONVERT_TEXT_MAX (UINT64_C(2) << 20)

/* Whether it is installed. */
bool convert_is_here(const struct converter *tool);

/* Runs the tool on an open file. *ret: its text, NUL-terminated, made clean (control characters become
 * spaces); the caller frees it. Returns 0; -ENOENT: the tool is not installed; -ETIME: over the deadline;
 * -EFBIG: too much text; -EBADMSG: the tool failed, or what it wrote is no UTF-8; other -errno. */
int convert_file(const struct converter *tool, int fd, char **ret, size_t *ret_size,
		 struct err *reterr) _warn_unused_;
