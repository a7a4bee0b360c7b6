/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/bpfload.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <string.h>

#include <cap-ng.h>

#include "base/str.h"
#include "sys/latency.h"

/* libbpf's log callback has no user data, and its BTF is worth parsing once (10-30 ms). Both are of
 * start-up only. */
static char last_warning[200];
static struct btf *kernel_btf;

_printf_(2, 0) static int keep_warning(enum libbpf_print_level level, const char *format,
				       va_list ap)
{
	char text[200] = "";

	if (level != LIBBPF_WARN)
		return 0;
	(void)vsnprintf(text, sizeof(text), format, ap);
	/* The first warning is the cause; those after it are its consequences. */
	if (last_warning[0] == '\0' && strncmp(text, "libbpf: ", 8) == 0) {
		(void)str_copy(last_warning, sizeof(last_warning), text + 8);
		last_warning[strcspn(last_warning, "\n")] = '\0';
	}
	return 0;
}

static int load_btf(struct err *reterr)
{
	if (kernel_btf)
		return 0;
	(void)libbpf_set_print(keep_warning);
	last_warning[0] = '\0';
	kernel_btf = btf__load_vmlinux_btf();
	if (kernel_btf)
		return 0;
	return err_set(reterr, -EOPNOTSUPP, "read the kernel's BTF: %s",
		       last_warning[0] ? last_warning : strerror(errno));
}

int bpfload_supported(struct err *reterr)
{
	if (capng_get_caps_process() < 0)
		return err_set(reterr, -EPERM, "read capabilities: Operation not permitted");
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
	    !(capng_have_capability(CAPNG_EFFECTIVE, CAP_BPF) &&
	      capng_have_capability(CAPNG_EFFECTIVE, CAP_PERFMON)))
		return err_set(reterr, -EPERM, "load bpf: CAP_BPF and CAP_PERFMON are missing");
	return load_btf(reterr);
}

/* The typedef btf_trace_NAME is a pointer to a function whose parameter 0 is the tracepoint's own
 * context. Source: kernel include/trace/bpf_probe.h. */
int bpfload_tracepoint_param(const char *tracepoint, struct err *reterr)
{
	char name[80] = "";
	const struct btf_type *t;
	int id, r;

	r = load_btf(reterr);
	if (r < 0)
		return r;
	str_append(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(kernel_btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return BPFLOAD_PARAM_ABSENT;
	t = btf__type_by_id(kernel_btf, (__u32)id);
	t = t ? btf__type_by_id(kernel_btf, t->type) : NULL;
	t = t && btf_is_ptr(t) ? btf__type_by_id(kernel_btf, t->type) : NULL;
	if (!t || !btf_is_func_proto(t) || btf_vlen(t) < 2)
		return BPFLOAD_PARAM_ABSENT;
	id = btf__resolve_type(kernel_btf, btf_params(t)[1].type);
	t = id < 0 ? NULL : btf__type_by_id(kernel_btf, (__u32)id);
	if (!t)
		return BPFLOAD_PARAM_ABSENT;
	return btf_is_ptr(t) ? BPFLOAD_PARAM_POINTER : BPFLOAD_PARAM_INTEGER;
}

bool bpfload_has_member(const char *struct_name, const char *member)
{
	const struct btf_type *t;
	int id;

	if (load_btf(NULL) < 0)
		return false;
	id = btf__find_by_name_kind(kernel_btf, struct_name, BTF_KIND_STRUCT);
	t = id < 0 ? NULL : btf__type_by_id(kernel_btf, (__u32)id);
	for (unsigned i = 0; t && i < btf_vlen(t); i++)
		if (str_equal(btf__name_by_offset(kernel_btf, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

int bpfload_error(int code, const char *verb, const char *object, struct err *reterr)
{
	int r = err_set(reterr, code, "%s bpf '%s': %s", verb, object,
			last_warning[0] ? last_warning : strerror(-code));

	last_warning[0] = '\0';
	return r;
}

void bpfload_done(void)
{
	btf__free(kernel_btf);
	kernel_btf = NULL;
	/* Loading leaves megabytes of free heap behind. */
	(void)malloc_trim(0);
}

unsigned bpfload_cpus(void)
{
	int n = libbpf_num_possible_cpus();

	return n > 0 ? (unsigned)n : 1;
}

uint64_t bpfload_sum(int map_fd, uint32_t key)
{
	uint64_t per_cpu[BPFLOAD_CPUS_MAX], sum = 0;
	unsigned n = bpfload_cpus();

	if (n > BPFLOAD_CPUS_MAX || bpf_map_lookup_elem(map_fd, &key, per_cpu) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		sum += per_cpu[i];
	return sum;
}

uint64_t bpfload_cost_ns(int map_fd)
{
	return bpfload_sum(map_fd, 0) * LATENCY_COST_SHARE;
}
