/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/action_info.h"

#include <errno.h>

#include "base/str.h"

static const char *const step_profile_names[] = {
	[STEP_PROFILE_BUS] = "bus",           [STEP_PROFILE_FILES] = "files",
	[STEP_PROFILE_NET] = "net",           [STEP_PROFILE_PROC] = "proc",
	[STEP_PROFILE_DATABASE] = "database",
};
LOOKUP_DEFINE(step_profile, enum step_profile, step_profile_names);

static const struct param *find_param(const struct params *params, const char *name)
{
	for (uint32_t i = 0; i < params->n && i < PARAMS_MAX; i++)
		if (str_equal(params->v[i].name, name))
			return &params->v[i];
	return NULL;
}

int action_entity(const char *target, const struct params *params, const struct services *services,
		  struct entity *ret, struct err *reterr)
{
	const struct param *p = target ? find_param(params, target) : NULL;
	const struct service *s;

	if (!target) {
		*ret = entity_make(ENTITY_KIND_HOST, "");
		return 0;
	}
	if (p && p->type == PARAM_TYPE_UNIT) {
		*ret = entity_make(ENTITY_KIND_UNIT, p->text);
		return 0;
	}
	if (p && p->type == PARAM_TYPE_CONTAINER) {
		*ret = entity_make(ENTITY_KIND_CONTAINER, p->text);
		return 0;
	}
	if (!p || p->type != PARAM_TYPE_SERVICE)
		return err_set(reterr, -EINVAL, "find target '%s': no parameter that can be one",
			       target);
	s = services_find(services, p->text);
	if (!s)
		return err_set(reterr, -ENOENT, "find service '%s': services.d has none", p->text);
	*ret = service_entity(s);
	return 0;
}
