# SPDX-License-Identifier: LGPL-2.1-or-later
"""What BPF programs cost, as the kernel counts it. Source: bpf(2), BPF_ENABLE_STATS;
/proc/sys/kernel/bpf_stats_enabled."""

import contextlib
import json
import pathlib
import subprocess

STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


def programs():
    out = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, capture_output=True).stdout
    return json.loads(out)


def map_name(map_id):
    out = subprocess.run(["bpftool", "-j", "map", "show", "id", str(map_id)], check=True, capture_output=True).stdout
    return json.loads(out)["name"]


def ids():
    return {program["id"] for program in programs()}


def load(wanted):
    """{id: (run_time_ns, run_cnt)} of the programs with these ids."""
    return {p["id"]: (p.get("run_time_ns", 0), p.get("run_cnt", 0)) for p in programs() if p["id"] in wanted}


def run_ns(wanted):
    return sum(spent for spent, _ in load(wanted).values()) if wanted else 0


@contextlib.contextmanager
def enabled():
    old = STATS.read_text()
    STATS.write_text("1")
    try:
        yield
    finally:
        STATS.write_text(old)
