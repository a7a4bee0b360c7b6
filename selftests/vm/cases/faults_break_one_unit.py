# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each fault is felt inside its unit and nowhere else, ends in every way it can, leaves nothing."""

import chaos

TAGS = {"faults"}
TIMEOUT_S = 900
SUMMARY = "each fault: felt in its unit, not beside it; ends by time, person, kill -9; nothing left"


def runner_pid(vm):
    return vm.out("systemctl show -P MainPID $(systemctl list-units --plain --no-legend "
                  "'aiops-fault@*' | awk '{print $1}')")


def by_time(_):
    pass


def by_person(vm):
    vm.run("aiopsctl faults recover --all --yes")


def by_kill(vm):
    vm.run(["kill", "-KILL", runner_pid(vm)])


def by_systemctl(vm):
    vm.run("systemctl stop 'aiops-fault@*'")


def by_stop_file(vm):
    vm.run("touch /run/aiops/STOP")


def by_standstill(vm):
    vm.run(["kill", "-STOP", runner_pid(vm)])


def ends(vm, before, fault, params, felt, end):
    """One fault with one end. FELT(vm) asserts its effect. A fault that ends by time is short."""
    span = "8s" if end in (by_time, by_standstill) else "120s"
    chaos.inject(vm, fault, *params, span=span)
    felt(vm)
    end(vm)
    chaos.wait_ended(vm, 30)
    vm.run("rm -f /run/aiops/STOP")
    chaos.wait_clean(vm, before, f"{fault} {end.__name__}")
    good = vm.wait_for(lambda: chaos.latency_s(vm) < 0.5, 20, f"answers after {fault}")
    assert good


def felt_delay(vm):
    late, beside = chaos.latency_s(vm), chaos.latency_s(vm, chaos.NEIGHBOUR_PORT)
    assert late > 0.7, f"the unit answers in {late} s"
    assert beside < 0.6, f"its neighbour answers in {beside} s"


def felt_freeze(vm):
    assert chaos.latency_s(vm, timeout_s=2) == 2, "the unit still answers"
    assert vm.unit_state(chaos.UNIT) == "active"
    assert chaos.latency_s(vm, chaos.NEIGHBOUR_PORT) < 1, "its neighbour does not answer"


def felt_stress(vm):
    vm.wait_for(lambda: chaos.latency_s(vm) > 0.25, 10, "answers that are late")


def moments(vm, before):
    """Faults that are over at once: the unit is dead, and it is a person's or the agent's to start."""
    for fault, result in (("unit.kill", "signal"), ("mem.hog", "oom-kill")):
        chaos.inject(vm, fault, f"unit={chaos.UNIT}")
        vm.wait_for(lambda: vm.unit_state(chaos.UNIT) == "failed", 30, f"{fault} to kill")
        assert vm.out(["systemctl", "show", "-P", "Result", chaos.UNIT]) == result
        assert chaos.latency_s(vm, chaos.NEIGHBOUR_PORT) < 1, "its neighbour does not answer"
        chaos.wait_ended(vm, 30)
        vm.run(["systemctl", "start", chaos.UNIT])
        chaos.wait_clean(vm, before, fault)


def run(vm):
    before = chaos.prepare(vm)
    whole = vm.state()
    unit = f"unit={chaos.UNIT}"
    moments(vm, before)
    for end in (by_time, by_person, by_kill, by_systemctl, by_stop_file, by_standstill):
        ends(vm, before, "net.delay", [unit, "delay_ms=400"], felt_delay, end)
    for end in (by_time, by_person, by_kill, by_standstill):
        ends(vm, before, "proc.freeze", [unit], felt_freeze, end)
    for end in (by_time, by_person, by_kill):
        ends(vm, before, "cpu.stress", [], felt_stress, end)
    left = [r for r in chaos.results(vm).values() if r["state"] != "verified"]
    assert not left, f"not verified: {left}"
    unseen = [r["fault"] for r in chaos.results(vm).values() if not r["observed"]]
    vm.note(f"{len(chaos.results(vm))} faults ended, effect not seen by the runner: {unseen or 0}")
    vm.assert_nothing_left(before=whole)
