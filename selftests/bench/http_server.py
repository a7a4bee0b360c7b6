# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests over a Unix socket: our agent beside FastAPI on uvicorn with the same endpoints and answers."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import time

import cost
import family

ROUNDS = 5
ONE_CLIENT_S, CLIENTS_S, CLIENTS = 1, 2, 4
URLS = ("/healthz", "/v1/status")
LOAD = family.BUILD / "bench" / "httpload"
START_S = 20
# Debian's own: its packages are not another interpreter's.
PYTHON = "/usr/bin/python3"


@contextlib.contextmanager
def uvicorn(place, status):
    """One worker with uvloop and httptools, the fastest it has. Yields (socket, pid)."""
    path, text = place / "uvicorn.sock", place / "status.json"
    text.write_text(json.dumps(status))
    process = subprocess.Popen(
        [PYTHON, "-m", "uvicorn", "--uds", path, "--loop", "uvloop", "--http", "httptools",
         "--no-access-log", "--log-level", "error", "--app-dir",
         pathlib.Path(__file__).resolve().parent, "fastapi_app:app"],
        env=os.environ | {"AIOPS_BENCH_STATUS": str(text), "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        deadline = time.monotonic() + START_S
        while not answers(path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("bench: uvicorn does not come up")
            time.sleep(0.05)
        yield path, process.pid
    finally:
        process.terminate()
        process.wait()


def answers(path):
    try:
        return family.ask(path, "/healthz") == {"status": "ok"}
    except OSError:
        return False


def load(path, url, mode, seconds, clients=1):
    """[(requests, p50 in us, p99 in us) of each client]."""
    started = [subprocess.Popen([LOAD, path, url, mode, str(seconds)], stdout=subprocess.PIPE, text=True)
               for _ in range(clients)]
    found = []
    for process in started:
        out = process.communicate()[0]
        if process.returncode:
            raise SystemExit(f"bench: httpload fails at {path}")
        requests, p50, p99 = out.split()
        found.append((int(requests), float(p50), float(p99)))
    return found


def one_round(path, pid, url, mode):
    """(p50 us, p99 us, requests/s of CLIENTS, server's CPU time in us per request)."""
    _, p50, p99 = load(path, url, mode, ONE_CLIENT_S)[0]
    before_ns = cost.cpu_ns([pid])
    requests = sum(one[0] for one in load(path, url, mode, CLIENTS_S, CLIENTS))
    return p50, p99, requests / CLIENTS_S, (cost.cpu_ns([pid]) - before_ns) / 1e3 / requests


def run(report, place):
    report.heading(f"Requests over a Unix socket, medians of {ROUNDS} rounds that take turns; latency of "
                   f"one client, throughput of {CLIENTS}")
    with family.running(place) as (sockets, pids):
        ours = sockets / "control.sock", pids["agent"]
        status = family.ask(ours[0], "/v1/status")
        with uvicorn(place, status) as peer:
            subjects = {"aiops-agent": (*ours, "close"), "FastAPI": (*peer, "close"),
                        "FastAPI, connection kept": (*peer, "keep")}
            for url in URLS:
                compare(report, url, subjects)


def compare(report, url, subjects):
    seen = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, (path, pid, mode) in subjects.items():
            seen[name].append(one_round(path, pid, url, mode))
    median = {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in seen.items()}
    report.table([f"GET {url}", "p50", "p99", "requests/s", "server CPU per request"],
                 [[name, f"{p50:.0f} us", f"{p99:.0f} us", f"{rate:.0f}", f"{cpu:.0f} us"]
                  for name, (p50, p99, rate, cpu) in median.items()])
    ours, theirs = median["aiops-agent"], median["FastAPI"]
    report.text(f"FastAPI to ours, each with a connection per request (ours takes no other): latency "
                f"{theirs[0] / ours[0]:.1f} times, throughput 1/{ours[2] / theirs[2]:.1f}, CPU "
                f"{theirs[3] / ours[3]:.1f} times")
    report.claim(ours[0] < theirs[0], f"{url}: lower latency: {ours[0]:.0f} us to {theirs[0]:.0f} us")
    report.claim(ours[2] > theirs[2], f"{url}: more requests: {ours[2]:.0f}/s to {theirs[2]:.0f}/s")
    report.claim(ours[3] < theirs[3],
                 f"{url}: less CPU per request: {ours[3]:.0f} us to {theirs[3]:.0f} us")
