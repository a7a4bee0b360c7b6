/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/cleanup.h"

#define ERR_TEXT_MAX 384 /* bytes with the NUL; a longer text is cut, never dropped */

/* A failure on the caller's stack: a negative errno and "verb object: cause". */
struct err {
	int code;
	char text[ERR_TEXT_MAX];
};

/* Fills reterr (may be NULL) and returns code, which must be a negative errno. */
int err_set(struct err *reterr, int code, const char *format, ...) _printf_(3, 4);

/* Puts "format: " before the text that is there (or before strerror(-code) if there is none) and
 * returns code. */
int err_wrap(struct err *reterr, int code, const char *format, ...) _printf_(3, 4);

/* The text, or strerror(-code) where nobody set one. Never NULL; valid while err lives. */
const char *err_text(const struct err *err);
