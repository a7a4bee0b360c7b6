# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a loop stands still while the disk and D-Bus are frozen: a filesystem under the recorder is
frozen for real, and a real dbus-daemon is stopped."""

import contextlib
import os
import pathlib
import signal
import statistics
import subprocess
import time

import family

ROUNDS = 4
MEASURE_S = 8
PERIOD_S = 0.02
SOCKETS = (("agent", "control.sock"), ("executor", "approve.sock"))
DESIGNED_MS, TESTED_MS = 10, 50  # what the loop is designed for, and what it is held to on real machines


@contextlib.contextmanager
def system_bus():
    """A system bus of our own in this mount namespace; yields its pid."""
    pathlib.Path("/run/dbus").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/dbus"], check=True)
    process = subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile",
                                "--address=unix:path=/run/dbus/system_bus_socket"],
                               stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait()
        subprocess.run(["umount", "-l", "/run/dbus"], check=True)


@contextlib.contextmanager
def freezable(place):
    """An ext4 of its own under the recorder's state; yields where it is mounted."""
    image, state = place / "disk.img", place / "state"
    state.mkdir(exist_ok=True)
    subprocess.run(["truncate", "-s", "64M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, state], check=True)
    try:
        yield state
    finally:
        subprocess.run(["fsfreeze", "-u", state], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", state], check=True)
        image.unlink()


@contextlib.contextmanager
def frozen(state, bus):
    subprocess.run(["fsfreeze", "-f", state], check=True)
    os.kill(bus, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(bus, signal.SIGCONT)
        subprocess.run(["fsfreeze", "-u", state], check=True)


def watch(sockets):
    """Milliseconds: {daemon: its slowest GET /healthz, "machine": how late a process that only slept was
    at worst} over MEASURE_S."""
    slowest = {name: 0.0 for name, _ in SOCKETS} | {"machine": 0.0}
    end_s = time.monotonic() + MEASURE_S
    while time.monotonic() < end_s:
        for name, file in SOCKETS:
            begin_s = time.monotonic()
            family.ask(sockets / file, "/healthz")
            slowest[name] = max(slowest[name], 1000 * (time.monotonic() - begin_s))
        begin_s = time.monotonic()
        time.sleep(PERIOD_S)
        slowest["machine"] = max(slowest["machine"], 1000 * (time.monotonic() - begin_s - PERIOD_S))
    return slowest


def one_round(place, state, bus, is_frozen):
    """The same with "turn": the longest turn of the agent's loop since its start, by its own clock."""
    with family.running(place) as (sockets, _):
        with frozen(state, bus) if is_frozen else contextlib.nullcontext():
            found = watch(sockets)
            found["turn"] = family.ask(sockets / "control.sock", "/v1/status")["loop"]["stall_max_ms"]
    return found


def run(report, place):
    report.heading(f"Longest stall in {ROUNDS} rounds of {MEASURE_S} s, calm and with disk and D-Bus frozen in turn")
    rounds = {False: [], True: []}
    with system_bus() as bus, freezable(place) as state:
        for _ in range(ROUNDS):
            for is_frozen, found in rounds.items():
                found.append(one_round(place, state, bus, is_frozen))

    def column(key, is_frozen):
        return [one[key] for one in rounds[is_frozen]]

    def row(name, key):
        return [name] + [f"{value:.1f} ms" for is_frozen in (False, True)
                         for value in (statistics.median(column(key, is_frozen)), max(column(key, is_frozen)))]
    report.table(["", "calm: median", "worst", "frozen: median", "worst"],
                 [row("longest turn of the agent's loop, by its own clock", "turn")]
                 + [row(f"slowest answer of the {name}, from outside", name) for name, _ in SOCKETS]
                 + [row("a process that only sleeps: this late", "machine")])
    judge(report, column)


def judge(report, column):
    turn, noise = statistics.median(column("turn", True)), statistics.median(column("machine", True))
    calm = statistics.median(column("turn", False))
    report.text("The last row is the machine itself: what else runs on it delays everybody so long.")
    report.claim(turn < max(DESIGNED_MS, noise), f"a turn takes under {DESIGNED_MS} ms, or what the machine adds: "
                 f"{turn:.1f} ms frozen, {calm:.1f} ms calm")
    report.claim(max(column("turn", True)) < TESTED_MS,
                 f"and never {TESTED_MS} ms: {max(column('turn', True)):.1f} ms")
    # A blocked loop would be blocked for seconds: a frozen disk for all of the round.
    usual = max(max(column(key, is_frozen)) for key, is_frozen in
                (("machine", False), ("machine", True), ("agent", False), ("executor", False)))
    for name, _ in SOCKETS:
        slowest = max(column(name, True))
        report.claim(slowest < max(TESTED_MS, 3 * usual),
                     f"the {name} always answered, at worst after {slowest:.0f} ms; what nothing frozen explains, too, "
                     f"is {usual:.0f} ms")
