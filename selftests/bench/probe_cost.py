# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time in the kernel per event, of our probe and of its counterpart in libbpf-tools, both attached under the very
same load; and what our probe says of its own cost beside what the kernel counted. Run queues have a part of
their own: queue_latency."""

import contextlib
import mmap
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile

import bpfstats
import family
from queue_latency import wait_for_programs

ROUNDS = 5
READS = 4000
CONNECTIONS = 4000
SYNCS = 1000


def reads(directory):
    path = pathlib.Path(directory, "read")
    fd, block = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600), mmap.mmap(-1, 4096)
    try:
        os.pwritev(fd, [block], 0)
        os.fsync(fd)
        for _ in range(READS):
            os.preadv(fd, [block], 0)
    finally:
        os.close(fd)
    return READS


def connections(_):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        for _ in range(CONNECTIONS):
            client = socket.create_connection(server.getsockname())
            server.accept()[0].close()
            client.close()
    return CONNECTIONS


def syncs(directory):
    fd = os.open(pathlib.Path(directory, "synced"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(SYNCS):
            os.pwrite(fd, b"x", 0)
            os.fsync(fd)
    finally:
        os.close(fd)
    return SYNCS


# What happens, our programs, the counterpart and how many programs it loads, the load.
PAIRS = [("request of a disk", {"blockio_complete"}, ["biolatency"], 2, reads),
         ("TCP connection", {"tcp_state", "tcp_retransmit", "tcp_reset_sent", "tcp_reset_received"}, ["tcplife"], 1,
          connections),
         ("fsync", {"stalls_fsync_enter", "stalls_fsync_exit", "stalls_ext4_enter", "stalls_ext4_exit"},
          ["fsdist", "-t", "ext4"], 2, syncs)]


@contextlib.contextmanager
def counterpart(command, n_programs):
    """Yields the ids of its programs; none where it is missing or this kernel does not let it run."""
    tool = shutil.which(command[0])
    if not tool:
        yield set()
        return
    known = bpfstats.ids()
    process = subprocess.Popen([tool, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        try:
            yield {p["id"] for p in wait_for_programs(known, n_programs, process)}
        except ChildProcessError:
            yield set()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(mine, theirs, load, directory):
    """Median ns per event of ours and of theirs."""
    found = []
    for _ in range(ROUNDS):
        before = bpfstats.run_ns(mine), bpfstats.run_ns(theirs)
        events = load(directory)
        found.append([(bpfstats.run_ns(ids) - spent) / events for ids, spent in zip((mine, theirs), before)])
    return [statistics.median(column) for column in zip(*found)]


def mount_tracefs():
    """What classic tracepoints are found by; in the bench's own mount namespace."""
    if not pathlib.Path("/sys/kernel/tracing/events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], check=False)


def run(report, place):
    report.heading(f"Cost of our probes per event beside libbpf-tools, median of {ROUNDS} runs, both attached")
    rows, claims = [], []
    mount_tracefs()
    with bpfstats.enabled(), tempfile.TemporaryDirectory(dir=family.BUILD) as directory:
        known = bpfstats.ids()
        with family.running(place):
            programs = [p for p in bpfstats.programs() if p["id"] not in known]
            for event, names, command, n_programs, load in PAIRS:
                mine = {p["id"] for p in programs if p.get("name") in names}
                with counterpart(command, n_programs) as theirs:
                    ours, others = measure(mine, theirs, load, directory)
                rows.append([event, f"{ours:.0f}", command[0], f"{others:.0f}" if theirs else "does not run here"])
                if theirs:
                    claims.append((event, ours, command[0], others))
    report.table(["per", "aiops, ns", "counterpart", "ns"], rows)
    report.text("The kernel's own counting is in all figures.")
    for event, ours, name, others in claims:
        report.claim(ours < others, f"less time per {event} than {name}: {ours:.0f} ns to {others:.0f} ns")
