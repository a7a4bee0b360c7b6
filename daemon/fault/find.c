/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"
#include "ops/fault.h"

const struct fault_ops *fault_find(const char *name)
{
	for (const struct fault_ops *const *f = fault_registry; *f; f++)
		if (str_equal((*f)->name, name))
			return *f;
	return NULL;
}
