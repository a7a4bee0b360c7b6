/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define YAML_DEPTH_MAX  32
#define YAML_TEXT_MAX   (256 * 1024) /* bytes of one file */
#define YAML_NODES_MAX  4096
#define YAML_SCALAR_MAX 4096 /* bytes */

enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_SEQUENCE, YAML_KIND_MAPPING };

/* One node of a document. A mapping's and a sequence's members are a list by child/next; a member
 * of a mapping has its key. Anchors, aliases, tags and duplicate keys do not exist here. */
struct yaml_node {
	enum yaml_kind kind;
	bool quoted;           /* a scalar in quotes is never null, boolean or number */
	unsigned line, column; /* from 1 */
	char *key, *value;
	struct yaml_node *child, *next;
};

/* A parsed file: the tree and the name that errors begin with ("FILE:LINE:COLUMN: "). */
struct yaml_doc;

/* Parses text through libyaml's event API. Returns 0; -EBADMSG with FILE:LINE:COLUMN and the cause;
 * -E2BIG over a bound above; -ENOMEM. An empty text is an empty mapping. */
int yaml_parse(const char *file_name, const char *text, size_t length, struct yaml_doc **ret,
	       struct err *reterr) _warn_unused_;
struct yaml_doc *yaml_doc_free(struct yaml_doc *doc);
DEFINE_CLEANUP(struct yaml_doc *, yaml_doc_free);

const struct yaml_node *yaml_root(const struct yaml_doc *doc);
const char *yaml_file_name(const struct yaml_doc *doc);

/* Sets "FILE:LINE:COLUMN: text" and returns code. */
int yaml_error(const struct yaml_doc *doc, const struct yaml_node *node, int code,
	       struct err *reterr, const char *format, ...) _printf_(5, 6);

/* The member with this key, or NULL. */
const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key);

/* -EINVAL naming the first key of mapping that is not in allowed[] (NULL-terminated), with the
 * nearest allowed one as a suggestion; 0 if all are. */
int yaml_check_keys(const struct yaml_doc *doc, const struct yaml_node *mapping,
		    const char *const allowed[], struct err *reterr) _warn_unused_;

/* Typed readers of a mapping's member. Return 1 if read, 0 if absent (*ret unchanged), -EINVAL with
 * the place and the reason. */
int yaml_get_string(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		    char *ret, size_t ret_size, struct err *reterr) _warn_unused_;
int yaml_get_u64(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		 uint64_t min, uint64_t max, uint64_t *ret, struct err *reterr) _warn_unused_;
int yaml_get_double(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		    double min, double max, double *ret, struct err *reterr) _warn_unused_;
int yaml_get_bool(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		  bool *ret, struct err *reterr) _warn_unused_;

/* An unquoted "", "~" or "null". */
bool yaml_is_null(const struct yaml_node *node);

/* -EINVAL where list is no sequence, -E2BIG where it has more than max entries; 0. */
int yaml_check_list(const struct yaml_doc *doc, const struct yaml_node *list, size_t max,
		    struct err *reterr) _warn_unused_;

/* Copies a scalar that is not "" without the line feeds at its end. Returns 0; -EINVAL with the
 * place. */
int yaml_copy_text(const struct yaml_doc *doc, const struct yaml_node *node, char *ret,
		   size_t ret_size, struct err *reterr) _warn_unused_;

/* A mapping as a table: which keys it may have, and where in a struct their values go. */
enum yaml_type {
	YAML_TYPE_TEXT,   /* char[size], one line, not "" */
	YAML_TYPE_LINES,  /* char[size], not "" */
	YAML_TYPE_U32,    /* uint32_t, min..max */
	YAML_TYPE_DOUBLE, /* double, min..max */
	YAML_TYPE_BOOL,   /* uint32_t, 0 or 1 */
	YAML_TYPE_LOOKUP, /* an enum of ours, by from_string */
	YAML_TYPE_OTHER,  /* the caller reads it */
};

#define YAML_FIELDS_MAX 32

struct yaml_field {
	const char *key; /* NULL ends a table */
	enum yaml_type type;
	bool required;
	size_t offset, size;
	double min, max;
	int (*from_string)(const char *s);
	const char *choices; /* for people: "info, warning or critical" */
};

/* Entries of a table: of the struct s, the member m. must: whether it is required. */
#define YAML_AT(s, m) .offset = offsetof(struct s, m), .size = sizeof(((struct s *)0)->m)
#define YAML_TEXT(k, s, m, must)                                                      \
	{                                                                             \
		.key = (k), .type = YAML_TYPE_TEXT, .required = (must), YAML_AT(s, m) \
	}
#define YAML_LINES(k, s, m, must)                                                      \
	{                                                                              \
		.key = (k), .type = YAML_TYPE_LINES, .required = (must), YAML_AT(s, m) \
	}
#define YAML_U32(k, s, m, least, most)                                                          \
	{                                                                                       \
		.key = (k), .type = YAML_TYPE_U32, YAML_AT(s, m), .min = (least), .max = (most) \
	}
#define YAML_DOUBLE(k, s, m, least, most)                                                          \
	{                                                                                          \
		.key = (k), .type = YAML_TYPE_DOUBLE, YAML_AT(s, m), .min = (least), .max = (most) \
	}
#define YAML_BOOL(k, s, m)                                        \
	{                                                         \
		.key = (k), .type = YAML_TYPE_BOOL, YAML_AT(s, m) \
	}
#define YAML_LOOKUP(k, s, m, must, function, words)                                      \
	{                                                                                \
		.key = (k), .type = YAML_TYPE_LOOKUP, .required = (must), YAML_AT(s, m), \
		.from_string = (function), .choices = (words)                            \
	}
#define YAML_OTHER(k, must)                                             \
	{                                                               \
		.key = (k), .type = YAML_TYPE_OTHER, .required = (must) \
	}
#define YAML_END            \
	{                   \
		.key = NULL \
	}

/* Reads every member of mapping by the table into *ret; what is absent stays as it is there.
 * Returns 0; -EINVAL for an unknown key, a wrong value or a missing required one, with the place. */
int yaml_read(const struct yaml_doc *doc, const struct yaml_node *mapping,
	      const struct yaml_field *fields, void *ret, struct err *reterr) _warn_unused_;
