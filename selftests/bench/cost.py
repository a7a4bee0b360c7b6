# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU time and memory at rest: the family with all its probes at 1 s, netdata, node_exporter."""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time
import urllib.request

import bpfstats
import family

ROUNDS = 3
WARM_UP_S = 10
MEASURE_S = 20
NS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
NETDATA_URL = "http://127.0.0.1:19998"
EXPORTER_URL = "http://127.0.0.1:9109"


def tree(pid):
    """PID and all that descend from it."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        parents.setdefault(int(text.rsplit(")", 1)[1].split()[1]), []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def cpu_ns(pids):
    """Time on a CPU so far: of living threads as the scheduler counts it, of children that have ended in
    ticks. Source: proc(5); kernel Documentation/scheduler/sched-stats.rst."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[13]) + int(fields[14])) * NS_PER_TICK
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def each_second(what, span_s):
    end_s = time.monotonic() + span_s
    while (left_s := end_s - time.monotonic()) > 0:
        with contextlib.suppress(OSError):
            what()
        time.sleep(min(1.0, max(0.0, left_s)))


def measure(pids_of, each=lambda: None, bpf=frozenset()):
    """(per cent of one CPU with that of its BPF programs, PSS in KiB, number of processes, the programs'
    share alone)."""
    each_second(each, WARM_UP_S)
    before_ns, bpf_before_ns, begin_ns = cpu_ns(pids_of()), bpfstats.run_ns(bpf), time.monotonic_ns()
    each_second(each, MEASURE_S)
    pids = pids_of()
    span_ns = time.monotonic_ns() - begin_ns
    in_bpf = 100 * (bpfstats.run_ns(bpf) - bpf_before_ns) / span_ns
    return (100 * (cpu_ns(pids) - before_ns) / span_ns + in_bpf, pss_kib(pids), len(pids), in_bpf)


@contextlib.contextmanager
def started(argv, is_there):
    """A peer, once it answers; with all its children gone afterwards. Yields its pid."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + family.START_S
        while not is_there():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {argv[0]} does not come up")
            time.sleep(0.1)
        yield process.pid
    finally:
        pids = tree(process.pid)
        process.terminate()
        process.wait()
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)


def answers(url):
    try:
        return bool(fetch(url))
    except OSError:
        return False


@contextlib.contextmanager
def netdata(place):
    folder = place / "netdata"
    for name in ("cache", "lib", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "netdata.conf"
    config.write_text("[global]\nrun as user = root\nupdate every = 1\n"
                      f"[directories]\ncache = {folder}/cache\nlib = {folder}/lib\n"
                      f"log = {folder}/log\n[db]\nmode = ram\n"
                      "[web]\nbind to = 127.0.0.1:19998\n[ml]\nenabled = no\n")
    with started(["netdata", "-D", "-c", str(config)],
                 lambda: answers(f"{NETDATA_URL}/api/v1/info")) as pid:
        yield pid


def what_netdata_collects():
    charts = json.loads(fetch(f"{NETDATA_URL}/api/v1/charts"))["charts"].values()
    plugins = collections.Counter(chart["plugin"].removesuffix(".plugin") for chart in charts)
    return (f"each second {sum(len(chart['dimensions']) for chart in charts)} series in {len(charts)} charts ("
            + ", ".join(f"{name} {n}" for name, n in plugins.most_common())
            + "); kept in memory, health checks on; no eBPF, no machine learning")


def what_node_exporter_collects():
    lines = fetch(f"{EXPORTER_URL}/metrics").splitlines()
    good = [line.split('"')[1] for line in lines
            if line.startswith("node_scrape_collector_success{") and line.endswith(" 1")]
    return (f"{sum(not line.startswith('#') for line in lines)} series, read at each scrape, once a second, by its "
            f"{len(good)} default collectors that work here ({', '.join(good)}); keeps nothing, judges nothing")


def what_we_collect(sockets):
    status = family.ask(sockets / "control.sock", "/v1/status")
    series = len(family.ask(sockets / "control.sock", "/v1/signals")["signals"])
    running = [probe["name"] for probe in status["probes"] if probe["running"]]
    config = status["config"]
    return (f"{series} series of {len(running)} probes at 1 s ({', '.join(running)}) and each run of a process and "
            f"each switch of context by BPF; an endpoint each 0.5 s; {config['alerts_count']} alerts judged, "
            f"{config['runbooks_count']} runbooks ready; history and audit on disk")


def measure_ours(place, seen):
    known = bpfstats.ids()
    with family.running(place) as (sockets, pids):
        found = measure(lambda: list(pids.values()), bpf=bpfstats.ids() - known)
        seen["agent_kib"].append(pss_kib([pids["agent"]]))
        seen["what"]["aiops"] = what_we_collect(sockets)
    return found


def measure_netdata(place, seen):
    with netdata(place) as pid:
        found = measure(lambda: tree(pid))
        seen["what"]["netdata"] = what_netdata_collects()
    return found


def measure_node_exporter(_, seen):
    with started(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:9109"],
                 lambda: answers(EXPORTER_URL)) as pid:
        found = measure(lambda: tree(pid), lambda: fetch(f"{EXPORTER_URL}/metrics"))
        seen["what"]["node_exporter"] = what_node_exporter_collects()
    return found


SUBJECTS = {"aiops": (None, measure_ours), "netdata": ("netdata", measure_netdata),
            "node_exporter": ("prometheus-node-exporter", measure_node_exporter)}


def run(report, place):
    report.heading(f"Cost at rest: medians of {ROUNDS} rounds of {MEASURE_S} s that take turns, each after "
                   f"{WARM_UP_S} s")
    seen = {"agent_kib": [], "what": {}}
    rounds = {name: [] for name, (program, _) in SUBJECTS.items() if not program or shutil.which(program)}
    with bpfstats.enabled():
        for _ in range(ROUNDS):
            for name in rounds:
                rounds[name].append(SUBJECTS[name][1](place, seen))
    median = {name: [statistics.median(column) for column in zip(*found)] for name, found in rounds.items()}
    report.table(["", "CPU of one core", "of it in BPF", "each round", "PSS", "processes"],
                 [[name, f"{cpu:.2f} %", f"{bpf:.2f} %", " ".join(f"{one[0]:.2f}" for one in rounds[name]),
                   f"{pss / 1024:.1f} MiB", f"{n:.0f}"] for name, (cpu, pss, n, bpf) in median.items()])
    for name in rounds:
        report.text(f"{name} collects {seen['what'][name]}.")
    report.text("aiops is all four daemons. There is no systemd on a bus here: its unit_state probe waits.")
    judge(report, median, statistics.median(seen["agent_kib"]))


def judge(report, median, agent_kib):
    ours = median["aiops"]
    for name in ("netdata", "node_exporter"):
        if name not in median:
            report.claim(False, f"{name} is installed")
            continue
        cpu, pss = median[name][:2]
        report.claim(ours[0] < cpu, f"less CPU than {name}: {ours[0]:.2f} % to {cpu:.2f} %, "
                     f"1/{cpu / ours[0]:.1f}")
        report.claim(ours[1] < pss, f"less memory than {name}: {ours[1] / 1024:.1f} MiB to "
                     f"{pss / 1024:.1f} MiB, 1/{pss / ours[1]:.1f}")
    report.claim(agent_kib < 12 * 1024, f"the agent is under 12 MiB PSS: {agent_kib / 1024:.1f} MiB")
