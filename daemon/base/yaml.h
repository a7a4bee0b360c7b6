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
struct yaml_doc *yaml_free(struct yaml_doc *doc);
DEFINE_CLEANUP(struct yaml_doc *, yaml_free);

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
