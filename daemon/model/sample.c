/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/sample.h"

#include <stddef.h>

static const char *const provenance_names[] = {
	[PROVENANCE_UNTRUSTED] = "untrusted",
	[PROVENANCE_PROBE] = "probe",
	[PROVENANCE_SYSTEM] = "system",
	[PROVENANCE_KERNEL] = "kernel",
};
LOOKUP_DEFINE(provenance, enum provenance, provenance_names);

static const char *const source_names[] = {
	[SOURCE_BPF] = "bpf",       [SOURCE_PSI] = "psi",         [SOURCE_CGROUP] = "cgroup",
	[SOURCE_PROCFS] = "procfs", [SOURCE_SYSTEMD] = "systemd", [SOURCE_JOURNAL] = "journal",
	[SOURCE_HTTP] = "http",     [SOURCE_FILES] = "files",
};
LOOKUP_DEFINE(source, enum source, source_names);

const struct signal_spec endpoint_signals[] = {
	{ .name = "endpoint.up_bool",
	  .entity_kind = ENTITY_KIND_ENDPOINT,
	  .source = SOURCE_HTTP,
	  .provenance = PROVENANCE_PROBE,
	  .help = "1 if it answered as expected within its timeout, else 0" },
	{ .name = "endpoint.latency_ms",
	  .entity_kind = ENTITY_KIND_ENDPOINT,
	  .source = SOURCE_HTTP,
	  .provenance = PROVENANCE_PROBE,
	  .help = "from the first packet to the answer's end" },
	{ .name = NULL },
};
