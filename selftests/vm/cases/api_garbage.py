# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand malformed requests and hundreds of frames over all sockets: clear errors and nothing else.
The same as selftests/integration/garbage, against the installed services."""

import json

import product
import provision

TAGS = {"quick"}
SUMMARY = "1,000 malformed requests and frames: clear errors, no crash, no growth"
FRAMES = provision.TOP / "build" / "integration" / "hostileframes"
SOCKETS = ["exec", "record", "gateway"]
THERE = "/root"  # /run is mounted noexec
# Pages that are touched for the first time, buffers of a first error: not a leak.
GROWTH_MAX_KIB = 1024
WARM_UP, COUNT, FRAME_COUNT = 200, 1000, 80


def cost(vm):
    """Resident memory in KiB and descriptors of each of ours."""
    found = {}
    for name, pid in product.pids(vm).items():
        status = vm.read(f"/proc/{pid}/status").decode()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        found[name] = (int(resident.split()[1]), len(vm.out(f"ls /proc/{pid}/fd").split()))
    return found


def throw(vm, seed, count):
    for name in SOCKETS:
        vm.run([f"{THERE}/hostileframes", f"/run/aiops/{name}.sock", str(seed), str(FRAME_COUNT)])
    return json.loads(vm.out(["python3", f"{THERE}/hostile.py", "/run/aiops", str(seed),
                              str(count)], timeout_s=240))


def run(vm):
    product.wait_ready(vm)
    vm.write(f"{THERE}/hostile.py", (provision.TOP / "selftests/integration/hostile.py").read_text())
    vm.write(f"{THERE}/hostileframes", FRAMES.read_bytes(), 0o755)
    throw(vm, 1, WARM_UP)
    pids, before = product.pids(vm), cost(vm)
    known = product.get(vm, "approve", "/v1/attempts")
    seen = throw(vm, 2, COUNT)
    assert product.pids(vm) == pids, "a process died of it"
    for name in product.SERVICES:
        assert product.unit(vm, name, "NRestarts")["NRestarts"] == "0", name
    after = cost(vm)
    for name, (resident, descriptors) in after.items():
        grown = resident - before[name][0]
        assert grown <= GROWTH_MAX_KIB, f"{name} grew by {grown} KiB"
        assert descriptors <= before[name][1] + 1, f"{name}: {before[name][1]} -> {descriptors} fds"
    assert not seen["violations"], "\n".join(seen["violations"])
    assert seen["answers"]["explained"] > COUNT // 4, seen
    assert product.get(vm, "approve", "/v1/attempts") == known, "an attempt was made of it"
    product.assert_no_action(vm)
    vm.note(f"answers: {seen['answers']}")
    product.heal(vm, "unit.kill", f"unit={product.TARGET}")
