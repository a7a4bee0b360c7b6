# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU time and memory at rest: the family with all its probes at 1 s, netdata, node_exporter."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request

import family

WARM_UP_S = 20
MEASURE_S = 60
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
EXPORTER_URL = "http://127.0.0.1:9109/metrics"


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


def cpu_ticks(pids):
    """User and system time, with that of children that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


class Scraper:
    """Asks an exporter each second, as Prometheus would."""

    def __init__(self, url):
        self.url, self.bytes = url, 0

    def sleep(self, span_s):
        end_s = time.monotonic() + span_s
        while (left_s := end_s - time.monotonic()) > 0:
            if self.url:
                with contextlib.suppress(OSError):
                    self.bytes = len(urllib.request.urlopen(self.url, timeout=2).read())
            time.sleep(min(1.0, max(0.0, left_s)))


def measure(pids_of, url=None):
    """(per cent of one CPU, PSS in KiB, number of processes) over MEASURE_S."""
    scraper = Scraper(url)
    scraper.sleep(WARM_UP_S)
    before, begin_s = cpu_ticks(pids_of()), time.monotonic()
    scraper.sleep(MEASURE_S)
    pids = pids_of()
    used = (cpu_ticks(pids) - before) / TICKS_PER_S / (time.monotonic() - begin_s)
    return 100 * used, pss_kib(pids), len(pids)


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
    process = subprocess.Popen(["netdata", "-D", "-c", str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        pids = tree(process.pid)
        process.terminate()
        process.wait()
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)


@contextlib.contextmanager
def node_exporter():
    process = subprocess.Popen(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:9109"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def run(report, place):
    report.heading(f"Cost at rest over {MEASURE_S} s, one after the other")
    with family.running(place) as (sockets, pids):
        ours = measure(lambda: list(pids.values()))
        status = family.ask(sockets / "control.sock", "/v1/status")
        agent_pss = pss_kib([pids["agent"]])
    running = [probe["name"] for probe in status["probes"] if probe["running"]]
    rows = [("aiops (all four daemons)", ours, f"{len(running)} probes at 1 s: "
             + " ".join(running) + "; history, audit, an endpoint each 0.5 s")]
    if shutil.which("netdata"):
        with netdata(place) as pid:
            rows.append(("netdata", measure(lambda: tree(pid)),
                         "proc, cgroups, apps and what its plugins find, at 1 s; no eBPF, no ML"))
    if shutil.which("prometheus-node-exporter"):
        with node_exporter() as pid:
            rows.append(("node_exporter", measure(lambda: tree(pid), EXPORTER_URL),
                         "its default collectors, scraped each second"))
    report.table(["", "CPU of one core", "PSS", "processes", "collects"],
                 [[name, f"{cpu:.2f} %", f"{pss / 1024:.1f} MiB", n, what]
                  for name, (cpu, pss, n), what in rows])
    report.text("On a host without systemd as PID 1 or cgroup v2 the probes of units have nothing to "
                "read; the time spent in BPF programs is in the next part.")
    for name, (cpu, pss, _), _ in rows[1:]:
        report.claim(ours[0] < cpu, f"less CPU than {name}: {ours[0]:.2f} % to {cpu:.2f} %")
        report.claim(ours[1] < pss, f"less memory than {name}: {ours[1] / 1024:.1f} MiB to "
                     f"{pss / 1024:.1f} MiB")
    report.claim(agent_pss < 12 * 1024, f"the agent is under 12 MiB PSS: {agent_pss / 1024:.1f} MiB")
