/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* A document in pieces that can be found and shown by themselves: by its headings, and no longer than
 * one screen. */

#define CHUNK_BYTES_MAX   2400 /* about 40 lines of 60: what a person reads at once */
#define CHUNK_SECTION_MAX 160  /* bytes of a heading with the NUL; a longer one is cut */

enum chunk_form {
	CHUNK_FORM_MARKDOWN, /* "# Heading" outside of fences */
	CHUNK_FORM_MAN,      /* a line that begins in the first column, as man(1) prints it */
	CHUNK_FORM_KEYS,     /* YAML and the like: "key:" in the first column */
	CHUNK_FORM_PLAIN,    /* no headings; cut at empty lines */
};

struct chunk {
	const char *section; /* the heading above it, or "" */
	const char *body;    /* length bytes, no NUL; never only white space */
	size_t length;
};

/* Calls fn for each piece in order. Nothing but headings and white space at the ends of pieces is left
 * out. Returns 0; what fn returned, if that is < 0. */
int chunk_split(const char *text, size_t length, enum chunk_form form,
		int (*fn)(void *userdata, const struct chunk *chunk, struct err *reterr),
		void *userdata, struct err *reterr) _warn_unused_;
