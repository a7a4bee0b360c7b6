/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/clock.h"
#include "sys/goodstore.h"
#include "sys/unitctl.h"

/* Since when it runs with what it read then, seconds since the epoch. Returns 0; -EAGAIN; -errno. */
static int read_well_since(void *bus, const struct service *s, int64_t *ret_wall_s,
			   struct err *reterr)
{
	uint64_t now_us = clock_mono_us(), age_us;
	struct unit_facts f;
	int r = unitctl_read(bus, s->unit, &f, reterr);

	if (r < 0)
		return r;
	age_us = now_us > f.state_change_mono_us ? now_us - f.state_change_mono_us : 0;
	if (!str_equal(f.active_state, "active") || age_us < GOODSTORE_WELL_S * US_PER_S)
		return err_set(reterr, -EAGAIN, "keep files of '%s': '%s' is %s since %llu s",
			       s->name, s->unit, f.active_state,
			       (unsigned long long)(age_us / US_PER_S));
	*ret_wall_s = (int64_t)((clock_wall_us() - age_us) / US_PER_S);
	return 0;
}

int goodstore_keep_service(int root_fd, void *bus, const struct service *s, struct err *reterr)
{
	char sha256[SHA256_HEX_MAX];
	int64_t since_wall_s = 0, changed_wall_s = 0;
	int n = 0, r;

	if (!s->unit[0] || s->tracked_files.n == 0)
		return err_set(reterr, -EOPNOTSUPP, "keep files of '%s': %s", s->name,
			       s->unit[0] ? "it has no tracked_files" : "it is no unit");
	r = read_well_since(bus, s, &since_wall_s, reterr);
	for (uint32_t i = 0; r == 0 && i < s->tracked_files.n; i++) {
		const char *path = s->tracked_files.v[i];

		r = goodstore_look(root_fd, path, sha256, &changed_wall_s, reterr);
		if (r == 0 && changed_wall_s >= since_wall_s)
			r = err_set(reterr, -EAGAIN,
				    "keep file '%s': it changed after '%s' was last started or "
				    "reloaded",
				    path, s->unit);
	}
	for (uint32_t i = 0; r >= 0 && i < s->tracked_files.n; i++) {
		r = goodstore_keep(root_fd, s->name, s->tracked_files.v[i], reterr);
		n += r > 0;
	}
	return r < 0 ? r : n;
}
