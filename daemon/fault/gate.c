/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/confdir.h"
#include "base/paths.h"
#include "base/yaml.h"
#include "fault/fault.h"
#include "model/policy.h"

#define CHAOS_TEXT_MAX (16 * 1024) /* bytes of one file */

static int read_units(const struct yaml_doc *doc, const struct yaml_node *units,
		      struct fault_permit *g, struct err *reterr)
{
	if (units->kind != YAML_KIND_SEQUENCE)
		return yaml_error(doc, units, -EINVAL, reterr, "'units' is no list");
	for (const struct yaml_node *n = units->child; n; n = n->next) {
		if (n->kind != YAML_KIND_SCALAR || !n->value[0])
			return yaml_error(doc, n, -EINVAL, reterr, "expected a unit's name");
		if (g->unit && fnmatch(n->value, g->unit, FNM_NOESCAPE) == 0)
			g->is_allowed = true;
	}
	return 0;
}

int fault_permit_parse(const char *file_name, const char *text, size_t length,
		       struct fault_permit *g, struct err *reterr)
{
	static const char *const keys[] = { "enabled", "units", NULL };
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	const struct yaml_node *root, *units;
	bool is_enabled = false;
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r < 0)
		return r;
	root = yaml_root(doc);
	r = yaml_check_keys(doc, root, keys, reterr);
	if (r == 0)
		r = yaml_get_bool(doc, root, "enabled", &is_enabled, reterr);
	if (r < 0)
		return r;
	if (!is_enabled) {
		/* A later file that says no takes back what the others said. */
		g->is_enabled = g->is_allowed = false;
		return 0;
	}
	g->is_enabled = true;
	units = yaml_find(root, "units");
	if (units)
		return read_units(doc, units, g, reterr);
	g->is_allowed = true;
	return 0;
}

static int parse_file(const struct confdir_file *file, const char *text, size_t length,
		      void *userdata, struct err *reterr)
{
	return fault_permit_parse(file->path, text, length, userdata, reterr);
}

static int check_configuration(int root_fd, const char *unit, struct err *reterr)
{
	static const struct confdir_kind kind = { "chaos", ".yaml", CHAOS_TEXT_MAX, true };
	struct fault_permit g = { .unit = unit };
	int r = confdir_load(root_fd, &kind, parse_file, &g, reterr);

	if (r < 0)
		return r;
	if (!g.is_enabled)
		return err_set(
			reterr, -EPERM,
			"faults are off on this host: to switch them on, put 'enabled: true' "
			"into /etc/aiops/chaos.d/NAME.yaml");
	if (unit && !g.is_allowed)
		return err_set(reterr, -EPERM,
			       "unit '%s' may not be broken: add it to 'units:' in "
			       "/etc/aiops/chaos.d/NAME.yaml",
			       unit);
	return 0;
}

bool fault_is_stopped(const struct fault *f)
{
	struct stat st;

	return fstatat(f->run_fd, "STOP", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int fault_gate(const struct fault *f, const char *unit, struct err *reterr)
{
	char other[STR_HEX128_MAX] = "";
	int r;

	if (unit && policy_unit_is_protected(unit))
		return err_set(reterr, -EPERM, "unit '%s' is protected: nobody breaks it", unit);
	if (fault_is_stopped(f))
		return err_set(reterr, -EPERM, "all is stopped: remove " PATH_STOP_FILE " first");
	r = check_configuration(f->root_fd, unit, reterr);
	if (r < 0)
		return r;
	r = fault_find_other(f, other, reterr);
	return r > 0 ? err_set(reterr, -EBUSY,
			       "fault '%s' is not undone yet: aiopsctl faults recover %.8s", other,
			       other) :
		       r;
}
