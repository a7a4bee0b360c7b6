/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* What a function under test says on standard output and standard error. The test program's own
 * output is not lost: the streams are put back at the end. */
#define CAPTURE_MAX (32 * 1024)

struct capture {
	int saved[2], files[2];
	char out[CAPTURE_MAX], err[CAPTURE_MAX];
};

void capture_begin(struct capture *c);
/* Fills out and err, NUL-terminated. */
void capture_end(struct capture *c);
