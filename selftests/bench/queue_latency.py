# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time in the kernel per context switch, and what is measured: our run-queue probe beside runqlat of
libbpf-tools, under the same `perf bench sched pipe`."""

import json
import pathlib
import re
import shutil
import signal
import statistics
import struct
import subprocess
import time

import family

PIPE_LOOPS = 200_000
REPEATS = 5
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
OURS = "runqlat_switch"
QUANTILES = (0.5, 0.9, 0.99)


def programs():
    out = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, capture_output=True).stdout
    return json.loads(out)


def pipe():
    subprocess.run(["taskset", "-c", "1", "perf", "bench", "sched", "pipe", "-l", str(PIPE_LOOPS)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def load(ids):
    """{id: (run_time_ns, run_cnt)} of the programs with these ids."""
    return {p["id"]: (p.get("run_time_ns", 0), p.get("run_cnt", 0)) for p in programs()
            if p["id"] in ids}


def ns_per_switch(ids, switch_ids):
    """Median over REPEATS of the time in all programs, per run of the one on sched_switch."""
    results = []
    for _ in range(REPEATS):
        before = load(ids)
        pipe()
        after = load(ids)
        spent = sum(after[i][0] - before[i][0] for i in ids)
        switches = sum(after[i][1] - before[i][1] for i in switch_ids)
        results.append(spent / switches)
    return statistics.median(results)


def quantiles(counts):
    """Bucket number, log2 of its upper bound in us, at each of QUANTILES."""
    total, seen, found = sum(counts.values()), 0, []
    for bucket in sorted(counts):
        seen += counts[bucket]
        while len(found) < len(QUANTILES) and seen >= QUANTILES[len(found)] * total:
            found.append(bucket)
    return found


def our_histogram(map_ids):
    """Slots of all cgroups and CPUs together; slot k ends at 2^k us."""
    counts = {}
    for map_id in map_ids:
        out = subprocess.run(["bpftool", "-j", "map", "dump", "id", str(map_id)], check=True,
                             capture_output=True).stdout
        for entry in json.loads(out):
            for value in entry["values"]:
                raw = bytes(int(byte, 16) for byte in value["value"])
                for slot, (count,) in enumerate(struct.iter_unpack("=I", raw)):
                    counts[slot] = counts.get(slot, 0) + count
    return counts


def their_histogram(text):
    """runqlat prints `low -> high : count`, where high + 1 is a power of two."""
    counts = {}
    for _, high, count in re.findall(r"(\d+)\s*->\s*(\d+)\s*:\s*(\d+)", text):
        counts[(int(high) + 1).bit_length() - 1] = int(count)
    return counts


def both_histograms(tool, map_ids):
    before = our_histogram(map_ids)
    process = subprocess.Popen([tool], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(2)  # it says nothing when it is attached
    for _ in range(REPEATS):
        pipe()
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=30)[0]
    after = our_histogram(map_ids)
    return {k: v - before.get(k, 0) for k, v in after.items()}, their_histogram(text)


def run(report, place):
    report.heading(f"Run-queue latency: cost of measuring it, median of {REPEATS} runs of "
                   f"`perf bench sched pipe -l {PIPE_LOOPS}`")
    tool = shutil.which("runqlat")
    if not tool or not shutil.which("perf"):
        report.claim(False, "runqlat (libbpf-tools) and perf (linux-perf) are installed")
        return
    old = STATS.read_text()
    STATS.write_text("1")
    try:
        known = {p["id"] for p in programs()}
        with family.running(place):
            new = [p for p in programs() if p["id"] not in known and p.get("name") == OURS]
            ids = {p["id"] for p in new}
            ours = ns_per_switch(ids, ids)
            mine, theirs_seen = both_histograms(tool, [i for p in new for i in p["map_ids"]])
        known = {p["id"] for p in programs()}
        process = subprocess.Popen([tool], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(2)
        new = [p for p in programs() if p["id"] not in known]
        theirs = ns_per_switch({p["id"] for p in new},
                               {p["id"] for p in new if "switch" in p.get("name", "")})
        process.send_signal(signal.SIGINT)
        process.wait()
    finally:
        STATS.write_text(old)
    report.table(["", "ns per context switch", "programs", "p50", "p90", "p99"],
                 [["aiops", f"{ours:.0f}", "1 (sched_switch)",
                   *[f"<= {2 ** b} us" for b in quantiles(mine)]],
                  ["runqlat", f"{theirs:.0f}", f"{len(new)} (wakeup, wakeup_new, switch)",
                   *[f"<= {2 ** b} us" for b in quantiles(theirs_seen)]]])
    report.claim(ours < theirs, f"less time per switch than runqlat: {ours:.0f} ns to {theirs:.0f} ns")
    apart = max(abs(a - b) for a, b in zip(quantiles(mine), quantiles(theirs_seen)))
    report.claim(apart <= 1, f"p50, p90 and p99 agree within one bucket (furthest apart: {apart})")
