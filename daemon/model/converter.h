/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Tools of the distribution that make text of what is none. */

struct converter {
	const char *suffix;  /* of the files it reads; ".pdf" */
	const char *argv[8]; /* path and arguments; reads standard input, writes standard output */
	const char *package; /* who has it */
	uint32_t deadline_ms;
};

/* Ends with .suffix == NULL. Manual pages have the suffix ".man", whatever their section. */
extern const struct converter converters[];

/* Returns NULL for what is text already. */
const struct converter *converter_find(const char *suffix);
