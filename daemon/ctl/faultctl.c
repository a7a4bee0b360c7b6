/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/faultctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/params.h"
#include "sys/faultunit.h"
#include "sys/unitctl.h"

const struct fault_info *faultctl_find(const char *name)
{
	for (const struct fault_info *f = fault_table; f->name; f++)
		if (str_equal(f->name, name))
			return f;
	return NULL;
}

ssize_t faultctl_list(bool with_results, struct fault_status **ret, struct err *reterr)
{
	_cleanup_close_ int dir_fd = fault_unit_open_dir(reterr);
	_cleanup_free_ struct fault_status *all = NULL;
	ssize_t n;

	if (dir_fd == -ENOENT)
		return 0; /* nobody has ever injected one since the boot */
	if (dir_fd < 0)
		return dir_fd;
	all = calloc(FAULT_UNIT_LIST_MAX, sizeof(*all));
	if (!all)
		return err_set(reterr, -ENOMEM, "list faults: Out of memory");
	n = fault_unit_list(dir_fd, with_results, all, FAULT_UNIT_LIST_MAX, reterr);
	if (n >= 0)
		*ret = TAKE_PTR(all);
	return n;
}

const char *faultctl_describe(const struct fault_status *s, char *buf, size_t size)
{
	uint64_t now_ns = clock_boot_ns();
	char span[CLOCK_SPAN_MAX] = "";

	buf[0] = '\0';
	str_append(buf, size, "%s %s: %s", s->fault, s->params, fault_state_to_string(s->state));
	if (!fault_state_is_final(s->state) && s->deadline_ns > now_ns)
		str_append(buf, size, ", %s left",
			   clock_format_span(s->deadline_ns - now_ns, span));
	return buf;
}

int faultctl_exit(int r)
{
	switch (-r) {
	case EPERM:
	case EACCES:
	case EBUSY:
		return CTL_REFUSED;
	case ENOENT:
		return CTL_NOT_FOUND;
	case EINVAL:
	case ENOTUNIQ:
		return CTL_USAGE;
	case ETIMEDOUT:
		return CTL_TIMEOUT;
	default:
		return CTL_FAILED;
	}
}

static int inject(const struct ctl *ctl, const struct fault_info *info, const struct params *params,
		  struct fault_status *ret, struct err *reterr)
{
	_cleanup_close_ int dir_fd = fault_unit_open_dir(reterr);
	void *bus = NULL;
	char requester[64] = "";
	struct fault_request request = {
		.fault = info->name,
		.params = params,
		.duration_ns = ctl->for_ns,
		.key = ctl->id,
		.requester = requester,
	};
	int r;

	if (dir_fd < 0)
		return dir_fd;
	str_append(requester, sizeof(requester), "uid %u", getuid());
	r = unitctl_open(&bus, reterr);
	if (r >= 0)
		r = fault_unit_inject(bus, dir_fd, &request, ret, reterr);
	unitctl_close(bus);
	return r;
}

int faultctl_prepare(const struct ctl *ctl, int argc, char **argv, struct fault_wish *ret)
{
	ret->info = argc > 0 ? faultctl_find(argv[0]) : NULL;
	if (argc == 0)
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl faults types", "name a fault");
	if (!ret->info)
		return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl faults types",
				"no fault '%s'", argv[0]);
	if (ctl->for_ns == 0)
		return ctl_fail(ctl, CTL_USAGE, "say how long: --for=60s",
				"a fault needs a duration");
	return params_from_arguments(ctl, ret->info->params, argc - 1, argv + 1, &ret->params);
}

int faultctl_inject(const struct ctl *ctl, const struct fault_wish *wish, struct fault_status *ret)
{
	struct err err = { 0 };
	int r = inject(ctl, wish->info, &wish->params, ret, &err);

	return r < 0 ? ctl_fail_err(ctl, faultctl_exit(r),
				    r == -EACCES ?
					    "this needs root" :
				    r == -ENOENT ?
					    "is aiops-agent installed? systemd-tmpfiles --create" :
					    NULL,
				    &err) :
		       CTL_OK;
}
