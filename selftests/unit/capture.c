/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/unit/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static FILE *stream(int i)
{
	return i == 0 ? stdout : stderr;
}

void capture_begin(struct capture *c)
{
	for (int i = 0; i < 2; i++) {
		(void)fflush(stream(i));
		c->saved[i] = dup(fileno(stream(i)));
		c->files[i] = memfd_create("capture", MFD_CLOEXEC);
		assert_true(c->saved[i] >= 0 && c->files[i] >= 0);
		assert_true(dup2(c->files[i], fileno(stream(i))) >= 0);
	}
}

void capture_end(struct capture *c)
{
	char *const texts[] = { c->out, c->err };

	for (int i = 0; i < 2; i++) {
		ssize_t n;

		(void)fflush(stream(i));
		assert_true(dup2(c->saved[i], fileno(stream(i))) >= 0);
		n = pread(c->files[i], texts[i], CAPTURE_MAX - 1, 0);
		assert_true(n >= 0);
		texts[i][n] = '\0';
		(void)close(c->files[i]);
		(void)close(c->saved[i]);
	}
}
