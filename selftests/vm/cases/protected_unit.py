# SPDX-License-Identifier: LGPL-2.1-or-later
"""A protected unit is refused, whoever asks and by whichever way."""

import product
import provision

TAGS = {"quick"}
SUMMARY = "a protected unit is not touched: not for root, not over HTTP, not by a frame"
UNITS = ["dbus.service", "systemd-journald.service", "ssh.service", "polkit.service",
         "aiops-executor.service", "init.scope", "system.slice", "systemd-networkd.socket"]
PEER = provision.TOP / "build" / "integration" / "framepeer"
THERE = "/root/framepeer"


def refuse_frames(vm):
    """As the agent itself would ask, with all the evidence that one can wish for."""
    vm.write(THERE, PEER.read_bytes(), 0o755)  # not in /run, which is mounted noexec
    for number, name in enumerate(UNITS):
        key = f"{number + 1:032x}"
        said = vm.out(f"(echo propose {key} unit.restart {name}; sleep 2) | "
                      f"{THERE} /run/aiops/exec.sock agent")
        assert f"attempt {key} denied protected" in said, f"{name}: {said}"
    vm.run(["rm", THERE])


def run(vm):
    product.wait_ready(vm)
    before = {name: product.started_by(vm, name) for name in UNITS}
    for name in UNITS:
        code, _, err = vm.run(["aiopsctl", "do", "unit.restart", f"unit={name}", "--yes"],
                              check=False)
        assert code, f"{name}: aiopsctl did it"
        status, answer = product.http(vm, "approve", "/v1/actions/unit.restart", "POST",
                                      {"params": {"unit": name}})
        assert status in (400, 403) or answer.get("phase") == "denied", f"{name}: {status} {answer}"
    refuse_frames(vm)
    product.assert_no_action(vm)
    after = {name: product.started_by(vm, name) for name in UNITS}
    assert after == before, "a protected unit was started anew"
    vm.assert_nothing_left()
