# SPDX-License-Identifier: LGPL-2.1-or-later
"""The message bus is stopped: what needs it fails soon, and nothing else waits for it."""

import time

import product

TAGS = {"quick"}
SUMMARY = "with D-Bus frozen calls fail within 5 s, no loop stalls, and it all works again after"
CALL_MAX_S = 5
# Under emulation a loop is late for other reasons; what must not happen is a wait for the bus.
STALL_MAX_MS = 2000
FROZEN_S = 12


def run(vm):
    product.wait_ready(vm)
    before = product.pids(vm)
    bus = product.unit(vm, "dbus.service", "MainPID")["MainPID"]
    vm.run(["kill", "-STOP", bus])
    frozen_s = time.monotonic()
    # Who asks for an action hears soon that it did not work.
    status, answer = product.http(vm, "approve", "/v1/actions/unit.restart", "POST",
                                  {"params": {"unit": product.TARGET}})
    assert status == 202, f"{status} {answer}"
    path = f"/v1/attempts/{answer['key']}"
    asked_s = time.monotonic()
    while product.get(vm, "approve", path)["phase"] not in ("failed", "unknown", "denied"):
        assert time.monotonic() < asked_s + CALL_MAX_S * 2, product.get(vm, "approve", path)
        time.sleep(0.2)
    took_s = time.monotonic() - asked_s
    while time.monotonic() < frozen_s + FROZEN_S:
        for socket, page in (("control", "/v1/status"), ("history", "/v1/incidents"),
                             ("approve", "/v1/status")):
            begin_s = time.monotonic()
            assert product.http(vm, socket, page)[0] == 200, f"{socket} does not answer"
            assert time.monotonic() - begin_s < CALL_MAX_S, f"{socket} answers late"
    loop = product.get(vm, "control", "/v1/status")["loop"]
    stall_ms = max(loop["stall_this_minute_max_ms"], loop["stall_last_minute_max_ms"])
    assert stall_ms < STALL_MAX_MS, loop
    vm.run(["kill", "-CONT", bus])
    vm.note(f"the call failed after {took_s:.1f} s, longest stall of the loop {stall_ms:.0f} ms")
    vm.wait_for(lambda: product.get(vm, "control", "/v1/status")["bus_up"], 30, "the bus again")
    pids = {name: vm.read(f"/proc/{pid}/comm") and pid for name, pid in before.items()}
    assert product.pids(vm) == pids, "a process was started anew"
    # What the bus had kept back is through, and nothing of it is under way.
    vm.wait_for(lambda: "No jobs" in vm.out("systemctl list-jobs") and
                not vm.out("systemctl list-units -q --state=active,activating 'aiops-step@*'"), 30,
                "no job and no step")
    vm.run(["systemctl", "start", product.TARGET])
    # Healed by unit.start: unit.restart was just tried, and cools down.
    product.heal(vm, "unit.kill", f"unit={product.TARGET}", within_s=90)
