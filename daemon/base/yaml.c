/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/str.h"

struct yaml_doc {
	char *file_name;
	struct yaml_node *root;
	size_t n_nodes;
};

struct yaml_parse {
	yaml_parser_t parser;
	struct yaml_doc *doc;
	struct err *reterr;
};

static inline void eventp(yaml_event_t *e)
{
	yaml_event_delete(e);
}

static struct yaml_node *node_free(struct yaml_node *node)
{
	/* Depth is bounded by YAML_DEPTH_MAX; siblings are a loop. */
	while (node) {
		struct yaml_node *next = node->next;

		(void)node_free(node->child);
		free(node->key);
		free(node->value);
		free(node);
		node = next;
	}
	return NULL;
}
DEFINE_CLEANUP(struct yaml_node *, node_free);

struct yaml_doc *yaml_doc_free(struct yaml_doc *doc)
{
	if (doc) {
		(void)node_free(doc->root);
		free(doc->file_name);
		free(doc);
	}
	return NULL;
}

const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
	return doc->root;
}

const char *yaml_file_name(const struct yaml_doc *doc)
{
	return doc->file_name;
}

int yaml_error(const struct yaml_doc *doc, const struct yaml_node *node, int code,
	       struct err *reterr, const char *format, ...)
{
	char text[ERR_TEXT_MAX] = "", clean[ERR_TEXT_MAX] = "";
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return err_set(reterr, code, "%s:%u:%u: %s", doc->file_name, node->line, node->column,
		       str_escape(clean, sizeof(clean), text));
}

static int error_at(const struct yaml_parse *p, yaml_mark_t mark, int code, const char *cause)
{
	const struct yaml_node at = { .line = (unsigned)mark.line + 1,
				      .column = (unsigned)mark.column + 1 };

	return yaml_error(p->doc, &at, code, p->reterr, "%s", cause);
}

static int next_event(struct yaml_parse *p, yaml_event_t *ret)
{
	if (yaml_parser_parse(&p->parser, ret))
		return 0;
	if (p->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return error_at(p, p->parser.problem_mark, -EBADMSG,
			p->parser.problem ? p->parser.problem : "not YAML");
}

/* An anchor makes one text stand for many, a tag makes a type of it: neither is needed here. */
static int refuse_anchor_and_tag(const struct yaml_parse *p, const yaml_event_t *e,
				 const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return error_at(p, e->start_mark, -EBADMSG, "anchors are not allowed");
	if (tag)
		return error_at(p, e->start_mark, -EBADMSG, "tags are not allowed");
	return 0;
}

static int check_scalar(const struct yaml_parse *p, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t length = e->data.scalar.length;
	int r = refuse_anchor_and_tag(p, e, e->data.scalar.anchor, e->data.scalar.tag);

	if (r < 0)
		return r;
	if (length > YAML_SCALAR_MAX)
		return error_at(p, e->start_mark, -E2BIG, "text is longer than 4096 bytes");
	if (!str_is_clean_text(value, length))
		return error_at(p, e->start_mark, -EBADMSG, "a control character in a text");
	return 0;
}

static int new_node(struct yaml_parse *p, const yaml_event_t *e, enum yaml_kind kind,
		    struct yaml_node **ret)
{
	_cleanup_(node_freep) struct yaml_node *node = NULL;

	if (p->doc->n_nodes >= YAML_NODES_MAX)
		return error_at(p, e->start_mark, -E2BIG, "more than 4096 values");
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->line = (unsigned)e->start_mark.line + 1;
	node->column = (unsigned)e->start_mark.column + 1;
	p->doc->n_nodes++;
	*ret = TAKE_PTR(node);
	return 0;
}

static int read_scalar(struct yaml_parse *p, const yaml_event_t *e, struct yaml_node **ret)
{
	_cleanup_(node_freep) struct yaml_node *node = NULL;
	int r = check_scalar(p, e);

	if (r < 0)
		return r;
	r = new_node(p, e, YAML_KIND_SCALAR, &node);
	if (r < 0)
		return r;
	node->value = strdup((const char *)e->data.scalar.value);
	if (!node->value)
		return -ENOMEM;
	node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	*ret = TAKE_PTR(node);
	return 0;
}

/* The key of the next member. Returns 1 with it; 0 at the mapping's end. */
static int read_key(struct yaml_parse *p, const struct yaml_node *mapping, char **ret_key)
{
	_cleanup_(eventp) yaml_event_t e = { 0 };
	int r = next_event(p, &e);

	if (r < 0)
		return r;
	if (e.type == YAML_MAPPING_END_EVENT)
		return 0;
	if (e.type == YAML_ALIAS_EVENT)
		return error_at(p, e.start_mark, -EBADMSG, "aliases are not allowed");
	if (e.type != YAML_SCALAR_EVENT)
		return error_at(p, e.start_mark, -EBADMSG, "a key must be a plain word");
	r = check_scalar(p, &e);
	if (r < 0)
		return r;
	if (e.data.scalar.length == 0)
		return error_at(p, e.start_mark, -EBADMSG, "a key is empty");
	if (yaml_find(mapping, (const char *)e.data.scalar.value))
		return error_at(p, e.start_mark, -EBADMSG, "the same key a second time");
	*ret_key = strdup((const char *)e.data.scalar.value);
	return *ret_key ? 1 : -ENOMEM;
}

static int read_node(struct yaml_parse *p, const yaml_event_t *e, unsigned depth,
		     struct yaml_node **ret);

static int read_members(struct yaml_parse *p, struct yaml_node *parent, unsigned depth)
{
	struct yaml_node **tail = &parent->child;

	for (;;) {
		_cleanup_(eventp) yaml_event_t e = { 0 };
		_cleanup_free_ char *key = NULL;
		int r = parent->kind == YAML_KIND_MAPPING ? read_key(p, parent, &key) : 1;

		if (r <= 0)
			return r;
		r = next_event(p, &e);
		if (r < 0)
			return r;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = read_node(p, &e, depth, tail);
		if (r < 0)
			return r;
		(*tail)->key = TAKE_PTR(key);
		tail = &(*tail)->next;
	}
}

static int read_collection(struct yaml_parse *p, const yaml_event_t *e, unsigned depth,
			   struct yaml_node **ret)
{
	bool is_mapping = e->type == YAML_MAPPING_START_EVENT;
	_cleanup_(node_freep) struct yaml_node *node = NULL;
	int r;

	if (depth >= YAML_DEPTH_MAX)
		return error_at(p, e->start_mark, -E2BIG, "nested deeper than 32");
	if (is_mapping)
		r = refuse_anchor_and_tag(p, e, e->data.mapping_start.anchor,
					  e->data.mapping_start.tag);
	else
		r = refuse_anchor_and_tag(p, e, e->data.sequence_start.anchor,
					  e->data.sequence_start.tag);
	if (r < 0)
		return r;
	r = new_node(p, e, is_mapping ? YAML_KIND_MAPPING : YAML_KIND_SEQUENCE, &node);
	if (r < 0)
		return r;
	r = read_members(p, node, depth + 1);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(node);
	return 0;
}

static int read_node(struct yaml_parse *p, const yaml_event_t *e, unsigned depth,
		     struct yaml_node **ret)
{
	if (e->type == YAML_SCALAR_EVENT)
		return read_scalar(p, e, ret);
	if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT)
		return read_collection(p, e, depth, ret);
	if (e->type == YAML_ALIAS_EVENT)
		return error_at(p, e->start_mark, -EBADMSG, "aliases are not allowed");
	return error_at(p, e->start_mark, -EBADMSG, "a value is missing");
}

/* A text without a value in it (nothing, or comments) is an empty mapping. */
static void make_empty_mapping(struct yaml_node *node)
{
	node->kind = YAML_KIND_MAPPING;
	free(node->value);
	node->value = NULL;
}

static int read_document(struct yaml_parse *p)
{
	_cleanup_(eventp) yaml_event_t e = { 0 };
	int r = next_event(p, &e);

	if (r < 0)
		return r;
	if (e.type == YAML_STREAM_END_EVENT) {
		r = new_node(p, &e, YAML_KIND_MAPPING, &p->doc->root);
		return r < 0 ? r : 0;
	}
	yaml_event_delete(&e);
	r = next_event(p, &e);
	if (r < 0)
		return r;
	r = read_node(p, &e, 0, &p->doc->root);
	if (r == 0 && yaml_is_null(p->doc->root))
		make_empty_mapping(p->doc->root);
	return r < 0 ? r : 1;
}

static int refuse_more(struct yaml_parse *p)
{
	_cleanup_(eventp) yaml_event_t end = { 0 };
	_cleanup_(eventp) yaml_event_t next = { 0 };
	int r = next_event(p, &end);

	if (r < 0)
		return r;
	r = next_event(p, &next);
	if (r < 0)
		return r;
	if (next.type != YAML_STREAM_END_EVENT)
		return error_at(p, next.start_mark, -EBADMSG, "a second document");
	return 0;
}

static int parse_stream(struct yaml_parse *p)
{
	_cleanup_(eventp) yaml_event_t start = { 0 };
	int r = next_event(p, &start);

	if (r < 0)
		return r;
	r = read_document(p);
	return r > 0 ? refuse_more(p) : r;
}

static int check_text(const struct yaml_doc *doc, const char *text, size_t length,
		      struct err *reterr)
{
	struct yaml_node at = { .line = 1, .column = 1 };
	size_t start = 0;

	if (length > YAML_TEXT_MAX)
		return yaml_error(doc, &at, -E2BIG, reterr, "longer than %d bytes", YAML_TEXT_MAX);
	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] != '\n')
			continue;
		if (!str_is_clean_text(text + start, i - start))
			return yaml_error(doc, &at, -EBADMSG, reterr,
					  "not UTF-8, or a control character, in this line");
		start = i + 1;
		at.line++;
	}
	return 0;
}

int yaml_parse(const char *file_name, const char *text, size_t length, struct yaml_doc **ret,
	       struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = calloc(1, sizeof(*doc));
	struct yaml_parse p = { .doc = doc, .reterr = reterr };
	int r;

	if (!doc)
		return -ENOMEM;
	doc->file_name = strdup(file_name);
	if (!doc->file_name)
		return -ENOMEM;
	r = check_text(doc, text, length, reterr);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&p.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.parser, (const unsigned char *)text, length);
	r = parse_stream(&p);
	yaml_parser_delete(&p.parser);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(doc);
	return 0;
}

const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key)
{
	for (const struct yaml_node *n = mapping->child; n; n = n->next)
		if (str_equal(n->key, key))
			return n;
	return NULL;
}
