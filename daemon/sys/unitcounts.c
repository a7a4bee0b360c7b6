/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitcounts.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "sys/bpfload.h"
#include "sys/latency.h"

_Static_assert(SERVICES_MAX <= LATENCY_UNITS_MAX, "each managed unit has an entry");

int unitcounts_init(struct unitcounts *u, int units_fd, int other_fd, size_t value_size,
		    struct err *reterr)
{
	*u = (struct unitcounts){ .units_fd = units_fd, .other_fd = other_fd };
	u->n_cpus = bpfload_cpus();
	u->n = (unsigned)(value_size / sizeof(uint32_t));
	u->per_cpu = calloc((size_t)u->n_cpus * u->n, sizeof(uint32_t));
	u->before = calloc((size_t)(UNITCOUNTS_OTHER + 1) * u->n, sizeof(uint32_t));
	if (u->per_cpu && u->before)
		return 0;
	unitcounts_done(u);
	return err_set(reterr, -ENOMEM, "keep counts: %s", strerror(ENOMEM));
}

void unitcounts_done(struct unitcounts *u)
{
	free(u->per_cpu);
	free(u->before);
	u->per_cpu = u->before = NULL;
}

static void forget(struct unitcounts *u, unsigned i)
{
	if (u->keys[i])
		(void)bpf_map_delete_elem(u->units_fd, &u->keys[i]);
	u->keys[i] = 0;
	memset(&u->before[(size_t)i * u->n], 0, u->n * sizeof(uint32_t));
}

void unitcounts_set(struct unitcounts *u, unsigned i, uint64_t key)
{
	if (u->keys[i] == key)
		return;
	forget(u, i);
	if (!key)
		return;
	memset(u->per_cpu, 0, (size_t)u->n_cpus * u->n * sizeof(uint32_t));
	if (bpf_map_update_elem(u->units_fd, &key, u->per_cpu, BPF_NOEXIST) == 0)
		u->keys[i] = key;
}

void unitcounts_follow(struct unitcounts *u, const struct watch *w)
{
	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++)
		unitcounts_set(u, i, w->units[i].cgroup_id);
}

void unitcounts_forget(struct unitcounts *u)
{
	for (unsigned i = 0; i < SERVICES_MAX; i++)
		forget(u, i);
}

static int read_counts(const struct unitcounts *u, unsigned i)
{
	uint32_t zero = 0;

	if (i == UNITCOUNTS_OTHER)
		return bpf_map_lookup_elem(u->other_fd, &zero, u->per_cpu);
	return u->keys[i] ? bpf_map_lookup_elem(u->units_fd, &u->keys[i], u->per_cpu) : -ENOENT;
}

int unitcounts_take(struct unitcounts *u, unsigned i, void *ret)
{
	uint32_t *before = &u->before[(size_t)i * u->n], *counts = ret;
	uint64_t n;
	int r;

	r = read_counts(u, i);
	if (r < 0)
		return r;
	latency_sum(u->per_cpu, u->n_cpus, u->n, counts);
	n = latency_diff(before, counts, u->n, u->per_cpu);
	memcpy(before, counts, u->n * sizeof(uint32_t));
	memcpy(counts, u->per_cpu, u->n * sizeof(uint32_t));
	return n > 0;
}
