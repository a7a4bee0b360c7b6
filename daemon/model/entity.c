/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/entity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const entity_kind_names[] = {
	[ENTITY_KIND_HOST] = "host",           [ENTITY_KIND_UNIT] = "unit",
	[ENTITY_KIND_CONTAINER] = "container", [ENTITY_KIND_PROCESS] = "process",
	[ENTITY_KIND_MOUNT] = "mount",         [ENTITY_KIND_NETDEV] = "netdev",
	[ENTITY_KIND_ENDPOINT] = "endpoint",   [ENTITY_KIND_DATABASE] = "database",
	[ENTITY_KIND_SESSION] = "session",     [ENTITY_KIND_RESOLVER] = "resolver",
	[ENTITY_KIND_CLOCK] = "clock",         [ENTITY_KIND_DISK] = "disk",
};
LOOKUP_DEFINE(entity_kind, enum entity_kind, entity_kind_names);

const char *entity_format(const struct entity *e, char buf[static ENTITY_TEXT_MAX])
{
	if (e->kind == ENTITY_KIND_HOST)
		(void)str_copy(buf, ENTITY_TEXT_MAX, "host");
	else
		(void)snprintf(buf, ENTITY_TEXT_MAX, "%s:%.*s", entity_kind_to_string(e->kind),
			       ENTITY_NAME_MAX - 1, e->name);
	return buf;
}

/* The kind that the first length bytes of s name, or -EINVAL. */
static int kind_from_prefix(const char *s, size_t length)
{
	char kind[16] = "";

	if (length >= sizeof(kind))
		return -EINVAL;
	memcpy(kind, s, length);
	return entity_kind_from_string(kind);
}

int entity_parse(const char *s, struct entity *ret, struct err *reterr)
{
	size_t length = strcspn(s, ":");
	const char *name = s[length] ? s + length + 1 : "";
	struct entity e = { 0 };
	int kind = kind_from_prefix(s, length);

	if (kind < 0)
		return err_set(reterr, -EINVAL,
			       "parse entity '%.64s': expected \"host\" or KIND:NAME", s);
	if (str_copy(e.name, sizeof(e.name), name) < 0)
		return err_set(reterr, -EINVAL, "parse entity '%.64s': Name too long", s);
	e.kind = (enum entity_kind)kind;
	if (!entity_is_valid(&e) || (kind == ENTITY_KIND_HOST && s[length]))
		return err_set(reterr, -EINVAL, "parse entity '%.64s': no such name for a %s", s,
			       entity_kind_to_string(e.kind));
	*ret = e;
	return 0;
}

bool entity_equal(const struct entity *a, const struct entity *b)
{
	return a->kind == b->kind && strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

bool entity_is_valid(const struct entity *e)
{
	size_t length = strnlen(e->name, sizeof(e->name));

	if ((unsigned)e->kind >= _ENTITY_KIND_MAX || length == sizeof(e->name))
		return false;
	if (e->kind == ENTITY_KIND_HOST)
		return length == 0;
	if (e->kind == ENTITY_KIND_UNIT)
		return str_is_unit_name(e->name);
	return length > 0 && str_is_clean_utf8(e->name, length);
}

struct entity entity_make(enum entity_kind kind, const char *name)
{
	struct entity e = { .kind = kind };

	(void)str_copy(e.name, sizeof(e.name), name);
	return e;
}
