# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a loop stands still while the disk and D-Bus are frozen: a filesystem under the recorder is
frozen for real, and a real dbus-daemon is stopped."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import family

MEASURE_S = 20
PERIOD_S = 0.02
SOCKETS = (("agent", "control.sock"), ("executor", "approve.sock"))


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


def slowest_answers_ms(sockets):
    """Longest GET /healthz of each daemon over MEASURE_S, as seen from outside."""
    slowest = {name: 0.0 for name, _ in SOCKETS}
    end_s = time.monotonic() + MEASURE_S
    while time.monotonic() < end_s:
        for name, file in SOCKETS:
            begin_s = time.monotonic()
            family.ask(sockets / file, "/healthz")
            slowest[name] = max(slowest[name], 1000 * (time.monotonic() - begin_s))
        time.sleep(PERIOD_S)
    return slowest


def run(report, place):
    report.heading(f"Longest stall over {MEASURE_S} s, before and while disk and D-Bus are frozen")
    with system_bus() as bus, freezable(place) as state, family.running(place) as (sockets, _):
        calm = slowest_answers_ms(sockets)
        subprocess.run(["fsfreeze", "-f", state], check=True)
        os.kill(bus, signal.SIGSTOP)
        frozen = slowest_answers_ms(sockets)
        own_ms = family.ask(sockets / "control.sock", "/v1/status")["loop"]["stall_max_ms"]
        os.kill(bus, signal.SIGCONT)
        subprocess.run(["fsfreeze", "-u", state], check=True)
    report.table(["slowest answer seen from outside", "calm", "frozen"],
                 [[name, f"{calm[name]:.1f} ms", f"{frozen[name]:.1f} ms"] for name, _ in SOCKETS])
    report.text(f"The agent's own view: its loop never took more than {own_ms:.2f} ms for one turn.")
    report.claim(own_ms < 10, f"the agent's loop stays under 10 ms: {own_ms:.2f} ms")
    for name, _ in SOCKETS:
        report.claim(frozen[name] < max(10.0, 3 * calm[name]),
                     f"{name} answers as if nothing were frozen: {frozen[name]:.1f} ms")
