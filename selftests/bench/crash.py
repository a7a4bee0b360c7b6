# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the death of a service to its incident, as a client on control.sock sees it.

On metal, with the real agent and its BPF programs in this kernel, but without systemd: a process in the
control group of a managed unit is killed. The kernel's OOM killer is told by a shipped alert. That a
process died of a signal is told by an alert of this file, on the signal of the same probe: the shipped one,
unit-failed, waits for systemd's word. In the guest it does: all is real there, but without KVM each
instruction is emulated, 10 to 20 times slower."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import statistics
import subprocess
import time

import family

KILLS, OOMS, GUESTS = 12, 5, 3
SEEN_WITHIN_S = 20
CLAIM_MS = 100
PAUSE_S = 0.3
GUEST_WAIT_S, GUEST_S = 120, 300
OOM_LIMIT_BYTES = 16 << 20
LOCK = pathlib.Path("/run/lock/aiops-vm")  # selftests/vm/provision.py
SERVICES = pathlib.Path("/etc/aiops/services.d")
ALERT = pathlib.Path("/usr/lib/aiops/alerts.d/bench-exit.yaml")
ALERT_TEXT = """id: bench-exit
summary: "a process of {entity} died: {value}"
severity: critical
signal: unit.exit_event
rule: event
above: 0
for: 1
of: 1
reason: The bench wants to know of each death.
source: selftests/bench/crash.py
"""
IN_GUEST = r"""
import http.client, json, os, socket, subprocess, time
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/aiops/control.sock")
def incidents():
    c = Connection("x")
    c.request("GET", "/v1/incidents")
    return json.loads(c.getresponse().read())["incidents"]
pid = int(subprocess.run(["systemctl", "show", "-P", "MainPID", "aiops-target-api"],
                         capture_output=True, text=True).stdout)
assert pid > 1 and not incidents()
begin = time.monotonic()
os.kill(pid, 9)
while not incidents() and time.monotonic() < begin + 20:
    time.sleep(0.002)
print(json.dumps({"ms": 1000 * (time.monotonic() - begin) if incidents() else None}))
"""


def names(kind, n):
    return [f"bench-{kind}-{i}.service" for i in range(n)]


@contextlib.contextmanager
def configured(units, with_alert):
    """The managed units of this part, and the alert of this file where it is wanted."""
    if with_alert:
        ALERT.write_text(ALERT_TEXT)
    for unit in units:
        (SERVICES / f"{unit}.yaml").write_text(f"name: {unit.removesuffix('.service')}\nunit: {unit}\n")
    try:
        yield
    finally:
        for unit in units:
            (SERVICES / f"{unit}.yaml").unlink()
        ALERT.unlink(missing_ok=True)


def incidents_of(sockets, unit):
    listed = family.ask(sockets / "control.sock", "/v1/incidents")["incidents"]
    return [one for one in listed if unit in json.dumps(one["entity"])]


def wait_known(sockets, units):
    """Each has its control group in the agent's eyes."""
    deadline = time.monotonic() + family.START_S
    while time.monotonic() < deadline:
        status = family.ask(sockets / "control.sock", "/v1/status")
        if {unit["name"] for unit in status["units"] if unit["has_cgroup"]} >= set(units):
            return
        time.sleep(0.05)
    raise SystemExit("bench: the agent does not find the control groups of its units")


def ms_to_incident(sockets, unit, die):
    """Milliseconds from just before die() until the incident is listed; None: not within SEEN_WITHIN_S."""
    assert not incidents_of(sockets, unit), unit
    begin_s = time.monotonic()
    die()
    while time.monotonic() < begin_s + SEEN_WITHIN_S:
        if incidents_of(sockets, unit):
            return 1000 * (time.monotonic() - begin_s)
        time.sleep(0.001)
    return None


def kill_one(unit, stack):
    group = stack.enter_context(family.cgroup(unit))
    process = subprocess.Popen(["sleep", "1000"], preexec_fn=family.join(group))
    stack.callback(process.wait)
    stack.callback(process.kill)
    return lambda: os.kill(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def memory_limit(name):
    """A control group of version 1 with a limit, where this host keeps its memory in that; else None."""
    root = pathlib.Path("/sys/fs/cgroup/memory")
    folder = root / name
    if not (root / "memory.limit_in_bytes").exists():
        yield None
        return
    folder.mkdir()
    try:
        (folder / "memory.limit_in_bytes").write_text(str(OOM_LIMIT_BYTES))
        yield folder
    finally:
        folder.rmdir()


def oom_one(unit, stack):
    """A process that takes more than its limit once it is told so."""
    limit = stack.enter_context(memory_limit(unit))
    if not limit:
        return None
    group = stack.enter_context(family.cgroup(unit))

    def enter():
        for folder in (group, limit):
            family.join(folder)()
    process = subprocess.Popen(["python3", "-c", "input(); x = b'x' * (64 << 20)"], stdin=subprocess.PIPE,
                               preexec_fn=enter, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)

    def die():
        process.stdin.write(b"\n")
        process.stdin.flush()
    return die


def on_metal(place, units, prepare, with_alert):
    """Milliseconds for each unit, or None; [] where the host cannot do it."""
    with configured(units, with_alert), contextlib.ExitStack() as stack:
        dies = [prepare(unit, stack) for unit in units]
        if None in dies:
            return []
        with family.running(place) as (sockets, _):
            wait_known(sockets, units)
            found = []
            for unit, die in zip(units, dies):
                found.append(ms_to_incident(sockets, unit, die))
                time.sleep(PAUSE_S)
            return found


def tell(report, what, found, wanted):
    seen = [ms for ms in found if ms is not None]
    if not found:
        report.text(f"{what}: not on this host")
        return None
    report.text(f"{what}: " + ", ".join("not seen" if ms is None else f"{ms:.0f}" for ms in found) + " ms")
    report.claim(len(seen) == wanted, f"all {wanted} became incidents")
    return statistics.median(seen) if seen else None


def run(report, place):
    report.heading("Crash of a service to its incident, seen from outside")
    median = tell(report, "kill -9, metal, an alert on the exit probe",
                  on_metal(place, names("kill", KILLS), kill_one, True), KILLS)
    if median is not None:
        report.claim(median < CLAIM_MS, f"median under {CLAIM_MS} ms: {median:.0f} ms")
    median = tell(report, "OOM kill, metal, the shipped alert",
                  on_metal(place, names("oom", OOMS), oom_one, False), OOMS)
    if median is not None:
        report.claim(median < CLAIM_MS, f"median under {CLAIM_MS} ms: {median:.0f} ms (with the time to fill "
                     f"{OOM_LIMIT_BYTES >> 20} MiB)")
    in_guest(report)


def machine_is_free():
    """Whether the virtual machine is nobody else's within GUEST_WAIT_S."""
    deadline = time.monotonic() + GUEST_WAIT_S
    with open(LOCK, "a", encoding="ascii") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                time.sleep(1)
    return False


def guest_once(script):
    """As ms_to_incident(), in a guest restored anew."""
    machine = family.TOP / "selftests" / "vm" / "run"
    process = subprocess.Popen([machine, "--put", f"{script}:/root/crash.py", "--exec",
                                "python3 /root/crash.py"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        out = process.communicate(timeout=GUEST_S)[0]
    except subprocess.TimeoutExpired:
        process.terminate()  # it takes its machine with it
        out = process.communicate()[0]
    lines = [line for line in out.splitlines() if line.startswith("{")]
    return json.loads(lines[-1])["ms"] if lines else None


def in_guest(report):
    what = "kill -9, guest with systemd, the shipped alert"
    if not machine_is_free():
        report.text(f"{what}: not measured, the virtual machine was another's for {GUEST_WAIT_S} s")
        return
    script = family.BUILD / "bench-crash.py"
    script.write_text(IN_GUEST)
    try:
        median = tell(report, what, [guest_once(script) for _ in range(GUESTS)], GUESTS)
    finally:
        script.unlink()
    if median is not None:
        report.text(f"median {median:.0f} ms; emulated where there is no KVM: not comparable with metal")
