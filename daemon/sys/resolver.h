/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"
#include "model/entity.h"

/* The unit that answers this host's own questions about names: the local server that /etc/resolv.conf
 * names. bus: of unitctl_open(). Returns 0; -ENOENT: the host asks another machine, or no such unit is
 * there; -ENOTUNIQ: several could be it; other -errno. Source: resolv.conf(5); systemd-resolved(8). */
int resolver_find_unit(int root_fd, void *bus, char ret[static ENTITY_NAME_MAX],
		       struct err *reterr) _warn_unused_;
