# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cases about faults share: the sandbox's units, injecting, and a quick look for leftovers."""

import json

UNIT = "aiops-target-api.service"
NEIGHBOUR = "other-api.service"  # the same program on another port; no fault is aimed at it
NEIGHBOUR_PORT = 8081

# What a fault may leave, as one listing: devices, queues, filters, programs, units, processes, files.
LEFT = r"""
ip -o link | sed 's/^[0-9]*: \([^:]*\).*/link \1/'
tc qdisc show
for d in $(ls /sys/class/net); do tc filter show dev $d egress 2>/dev/null; done
bpftool -j link | grep -o '"prog_id":[0-9]*,"cgroup_id":[0-9]*' || true
systemctl list-units --all --plain --no-legend 'batch-*' 'aiops-fault@*' | awk '{print $1}'
ps -eo comm=,stat= | grep -E '^(batch-worker|aiops-fault)|T$' || true
ls /run/aiops/faults | grep -v '\.result$' || true
"""


def prepare(vm):
    """Faults without a healer, and a neighbour to compare with. Returns the state to come back to."""
    vm.run("systemctl stop aiops-agent.service aiops.target || true")
    vm.run(["systemd-run", "--quiet", f"--unit={NEIGHBOUR}", "--property=CPUWeight=100",
            "/usr/libexec/aiops-target/aiops-target-api", str(NEIGHBOUR_PORT)])
    vm.run(["systemctl", "restart", UNIT])
    vm.wait_for(lambda: latency_s(vm, NEIGHBOUR_PORT) < 1, 20, "the neighbour's answer")
    return vm.out(LEFT)


def latency_s(vm, port=8080, timeout_s=5):
    """Seconds until a good answer, TIMEOUT_S if there is none."""
    code, out, _ = vm.run(["curl", "-sf", "-o", "/dev/null", "--max-time", str(timeout_s),
                           "-w", "%{time_total}", f"http://127.0.0.1:{port}/healthz"], check=False)
    return float(out) if code == 0 else float(timeout_s)


def inject(vm, fault, *params, span="60s", check=True):
    """Start a fault. Returns what aiopsctl says of it."""
    code, out, err = vm.run(["aiopsctl", "faults", "inject", fault, *params, f"--for={span}",
                             "--yes", "--json"], check=False)
    if check and code:
        raise AssertionError(f"inject {fault}: exit {code}: {err or out}")
    return json.loads(out or "{}")


def results(vm):
    """What became of the faults so far, by key."""
    names = vm.out("ls /run/aiops/faults | grep '\\.result$' || true").split()
    return {name.split(".")[0]: json.loads(vm.read(f"/run/aiops/faults/{name}")) for name in names}


def wait_ended(vm, timeout_s):
    """Wait until no fault is active."""
    vm.wait_for(lambda: not vm.out("systemctl list-units --all --plain --no-legend "
                                   "'aiops-fault@*'"), timeout_s, "the end of the fault")


def wait_clean(vm, before, what, timeout_s=10):
    """Wait until LEFT says the same as BEFORE."""
    try:
        vm.wait_for(lambda: vm.out(LEFT) == before, timeout_s, "nothing to be left")
    except AssertionError as error:
        now = set(vm.out(LEFT).splitlines()) ^ set(before.splitlines())
        raise AssertionError(f"{what}: left behind:\n" + "\n".join(sorted(now))) from error
