/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/yaml.h"
#include "model/service.h"

/* The parts of the services.d parser. Each returns 0; -EINVAL, -E2BIG with the place. */

bool service_url_is_valid(const char *url);
int service_check_name(const struct yaml_doc *doc, const struct yaml_node *node, const char *name,
		       struct err *reterr) _warn_unused_;
/* A directory whose content actions may remove: absolute, and none of the first level. */
int service_check_dir(const struct yaml_doc *doc, const struct yaml_node *node, const char *path,
		      struct err *reterr) _warn_unused_;

/* service_data.c: files, directories, upstream and database of root. */
int service_read_data(const struct yaml_doc *doc, const struct yaml_node *root, struct service *s,
		      struct err *reterr) _warn_unused_;
