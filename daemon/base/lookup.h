/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* An enum's names, both ways. The table is indexed by the enum and has no holes. */
#define LOOKUP_DECLARE(name, type)                            \
	const char *name##_to_string(type v);                 \
	/* Returns the value, or -EINVAL for no such name. */ \
	int name##_from_string(const char *s)

#define LOOKUP_DEFINE(name, type, table)                                       \
	const char *name##_to_string(type v)                                   \
	{                                                                      \
		return (size_t)v < ELEMENTSOF(table) ? (table)[v] : "invalid"; \
	}                                                                      \
	int name##_from_string(const char *s)                                  \
	{                                                                      \
		for (size_t i = 0; s && i < ELEMENTSOF(table); i++)            \
			if (strcmp((table)[i], s) == 0)                        \
				return (int)i;                                 \
		return -EINVAL;                                                \
	}                                                                      \
	struct lookup_needs_semicolon
