# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time in the kernel per context switch, and what is measured: our run-queue probe and runqlat of
libbpf-tools, both attached, under the very same runs of `perf bench sched pipe`."""

import contextlib
import json
import re
import shutil
import signal
import statistics
import struct
import subprocess
import time

import bpfstats
import family

PIPE_LOOPS = 200_000
ROUNDS = 7
OURS = "runqlat_switch"
QUANTILES = (0.5, 0.9, 0.99, 0.999)
# The pipe alone waits for nobody: with these on its CPU the delays spread over the buckets.
BURNERS = 2
CROWDED_LOOPS = 20_000


def pipe(loops):
    subprocess.run(["taskset", "-c", "1", "perf", "bench", "sched", "pipe", "-l", str(loops)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def crowded_pipe():
    burners = [subprocess.Popen(["taskset", "-c", "1", "sh", "-c", "while :; do :; done"])
               for _ in range(BURNERS)]
    try:
        pipe(CROWDED_LOOPS)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def ns_per_switch(before, after, ids, switch_ids):
    spent = sum(after[i][0] - before[i][0] for i in ids)
    return spent / sum(after[i][1] - before[i][1] for i in switch_ids)


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
        if bpfstats.map_name(map_id) not in ("units", "other"):
            continue
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


def wait_for_programs(known, at_least, process):
    """The programs that are new, once there are so many: the tool says nothing when it is attached. A
    ChildProcessError says that it has ended."""
    deadline = time.monotonic() + family.START_S
    while len(new := [p for p in bpfstats.programs() if p["id"] not in known]) < at_least:
        if process.poll() is not None:
            raise ChildProcessError(f"{process.args[0]} ends with {process.returncode}")
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {process.args[0]} loads no programs")
        time.sleep(0.05)
    return new


@contextlib.contextmanager
def runqlat(tool):
    """Yields (its programs, a function that ends it and returns what it printed)."""
    known = bpfstats.ids()
    process = subprocess.Popen([tool], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def end():
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=30)[0]
    try:
        yield wait_for_programs(known, 3, process), end
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def costs_of(my_ids, theirs):
    """[(our ns per switch, theirs)] of each run."""
    their_ids = {p["id"] for p in theirs}
    their_switch = {p["id"] for p in theirs if "switch" in p.get("name", "")}
    found = []
    for _ in range(ROUNDS):
        before = bpfstats.load(my_ids | their_ids)
        pipe(PIPE_LOOPS)
        after = bpfstats.load(my_ids | their_ids)
        found.append((ns_per_switch(before, after, my_ids, my_ids),
                      ns_per_switch(before, after, their_ids, their_switch)))
    return found


def both(tool, mine, load):
    """(what load() returned, number of runqlat's programs, our histogram under it, theirs)."""
    maps = [i for p in mine for i in p["map_ids"]]
    with runqlat(tool) as (theirs, end):
        before = our_histogram(maps)
        found = load(theirs)
        after = our_histogram(maps)
        return found, len(theirs), {k: v - before.get(k, 0) for k, v in after.items()}, their_histogram(end())


def run(report, place):
    report.heading(f"Run-queue latency: cost of measuring it, median of {ROUNDS} runs of "
                   f"`perf bench sched pipe -l {PIPE_LOOPS}`, both attached")
    tool = shutil.which("runqlat")
    if not tool or not shutil.which("perf"):
        report.claim(False, "runqlat (libbpf-tools) and perf (linux-perf) are installed")
        return
    with bpfstats.enabled():
        known = bpfstats.ids()
        with family.running(place):
            mine = [p for p in bpfstats.programs() if p["id"] not in known and p.get("name") == OURS]
            my_ids = {p["id"] for p in mine}
            costs, n_theirs, *calm = both(tool, mine, lambda theirs: costs_of(my_ids, theirs))
            _, _, *crowded = both(tool, mine, lambda _: crowded_pipe())
    tell_costs(report, costs, n_theirs)
    tell_delays(report, "delays of the pipe alone", *calm)
    tell_delays(report, f"with {BURNERS} busy loops on its CPU", *crowded)


def tell_costs(report, costs, n_theirs):
    ours, theirs = (statistics.median(column) for column in zip(*costs))
    rows = [("aiops", ours, "1 (sched_switch)", 0),
            ("runqlat", theirs, f"{n_theirs} (wakeup, wakeup_new, switch)", 1)]
    report.table(["", "ns per switch", "each run", "programs"],
                 [[name, f"{cost:.0f}", " ".join(f"{one[i]:.0f}" for one in costs), programs]
                  for name, cost, programs, i in rows])
    report.text("The kernel's own counting is in both figures.")
    report.claim(ours < theirs, f"less time per switch than runqlat: {ours:.0f} ns to {theirs:.0f} ns, "
                 f"1/{theirs / ours:.1f}")


def tell_delays(report, what, ours, theirs):
    report.table([what, "delays seen", *[f"p{100 * q:g}" for q in QUANTILES]],
                 [[name, f"{sum(seen.values())}", *[f"<= {2 ** b} us" for b in quantiles(seen)]]
                  for name, seen in (("aiops", ours), ("runqlat", theirs))])
    apart = max(abs(a - b) for a, b in zip(quantiles(ours), quantiles(theirs)))
    report.claim(apart <= 1, f"all quantiles agree within one bucket (furthest apart: {apart}); the lowest ends at "
                 "1 us in ours, at 2 us in its")
