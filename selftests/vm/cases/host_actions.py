# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every action on units, processes, files and the network of the host, once, by the installed units of
their profiles; what became of it is read from the kernel."""

import json
import re
import time

import product

TAGS = {"long"}
SUMMARY = "the actions on the host do what they say, in the sandboxes that they are shipped with"
TIMEOUT_S = 600
UNIT = "worker.service"
GROUP = f"/sys/fs/cgroup/system.slice/{UNIT}"
OLD = "touch -d '30 days ago'"
FOR_S, LATE_S = 8, 15

SERVICE = f"""[Service]
ExecStart=/bin/sh -c 'sleep 10001 & exec sleep 10002'
ExecReload=/bin/true
"""
MANAGED = f"""name: worker
unit: {UNIT}
tracked_files: [/etc/worker/worker.conf]
temp_dirs: [/var/tmp/worker]
"""
POLICY = """allow:
""" + "".join(f"  - {{action: {action}, on: {on}, autonomy: approve}}\n" for on, actions in {
    "host": ("disk.free_space", "net.remove_rule", "net.remove_qdisc"),
    "managed": ("unit.stop", "unit.start", "unit.reload", "unit.freeze", "unit.thaw", "unit.reset_failed",
                "unit.set_property", "proc.signal", "proc.renice", "service.rollback_config"),
}.items() for action in actions) + """limits:
  per_entity_per_hour: 60
  per_host_per_hour: 600
  cooldown_s: 0
"""


def prepare(vm):
    vm.write(f"/etc/systemd/system/{UNIT}", SERVICE)
    vm.run("mkdir -p /etc/aiops/services.d /etc/aiops/policy.d")
    vm.write("/etc/aiops/services.d/60-worker.yaml", MANAGED)
    vm.write("/etc/aiops/policy.d/60-worker.yaml", POLICY)
    vm.run(f"systemctl daemon-reload && systemctl start {UNIT}")
    vm.run("systemctl reload aiops-executor.service")
    product.wait_ready(vm)


def attempt(vm, action, *more, **params):
    """One action for a person; the attempt when it is over."""
    _, out, err = vm.run(["aiopsctl", "do", action, *(f"{k}={v}" for k, v in params.items()), "--yes",
                          "--json", *more], check=False, timeout_s=120)
    assert out.strip(), f"{action}: {err}"
    return json.loads(out)


def do(vm, action, **params):
    done = attempt(vm, action, **params)
    assert done["phase"] == "done", f"{action}: {done}"
    time.sleep(0.1)  # the budget counts whole ticks of cooldown
    return done


def frozen(vm):
    return "frozen 1" in vm.read(f"{GROUP}/cgroup.events").decode()


def child(vm):
    """PID:STARTTIME of the process of the unit that is not its main one."""
    main = vm.out(f"systemctl show -P MainPID {UNIT}").strip()
    pid = next(p for p in vm.read(f"{GROUP}/cgroup.procs").decode().split() if p != main)
    return pid, vm.read(f"/proc/{pid}/stat").decode().rpartition(")")[2].split()


def units(vm):
    do(vm, "unit.reload", unit=UNIT)
    do(vm, "unit.freeze", unit=UNIT, duration=f"{FOR_S}s")
    assert frozen(vm), "it stands still"
    vm.run("systemctl kill -s KILL aiops-agent.service aiops-executor.service")
    vm.wait_for(lambda: not frozen(vm), FOR_S + LATE_S, "systemd to thaw it")
    product.wait_ready(vm, 60)
    vm.run(f"systemctl freeze {UNIT}")
    do(vm, "unit.thaw", unit=UNIT)
    assert not frozen(vm)
    do(vm, "unit.stop", unit=UNIT)
    assert vm.unit_state(UNIT) == "inactive"
    do(vm, "unit.start", unit=UNIT)
    assert vm.unit_state(UNIT) == "active"
    vm.run(f"systemctl kill -s KILL {UNIT}")
    vm.wait_for(lambda: vm.unit_state(UNIT) == "failed", 10, "a dead unit")
    do(vm, "unit.reset_failed", unit=UNIT)
    assert vm.unit_state(UNIT) == "inactive"
    vm.run(f"systemctl start {UNIT}")


def limits(vm):
    for name, value, file, wanted in (("MemoryHigh", 64, "memory.high", "67108864"),
                                      ("MemoryMax", 128, "memory.max", "134217728"),
                                      ("TasksMax", 20, "pids.max", "20"),
                                      ("IOReadBandwidthMax", 1024, "io.max", "rbps=1048576"),
                                      ("IOWriteBandwidthMax", 512, "io.max", "wbps=524288")):
        do(vm, "unit.set_property", unit=UNIT, property=name, value=value, duration="30s")
        assert wanted in vm.read(f"{GROUP}/{file}").decode(), f"{name}: {vm.read(f'{GROUP}/{file}')}"
    used = attempt(vm, "unit.set_property", unit="aiops-target-api.service", property="MemoryMax", value=8)
    assert used["phase"] in ("denied", "failed"), used
    vm.wait_for(lambda: not product.leases(vm), 60, "all limits to end")
    assert vm.read(f"{GROUP}/memory.high").decode().strip() == "max"
    assert "rbps=1048576" not in vm.read(f"{GROUP}/io.max").decode()
    assert not vm.out("find /run/systemd/system -name '90-aiops-*'")


def processes(vm):
    pid, fields = child(vm)
    process = f"{pid}:{fields[19]}"
    nice = do(vm, "proc.renice", unit=UNIT, process=process, nice=11)
    assert child(vm)[1][16] == "11", nice
    do(vm, "proc.signal", unit=UNIT, process=process, signal="SIGSTOP")
    assert child(vm)[1][0] == "T"
    do(vm, "proc.signal", unit=UNIT, process=process, signal="SIGKILL")
    assert not vm.out(f"ls -d /proc/{pid} 2>/dev/null || true")
    main = vm.out(f"systemctl show -P MainPID {UNIT}").strip()
    start = vm.read(f"/proc/{main}/stat").decode().rpartition(")")[2].split()[19]
    refused = attempt(vm, "proc.signal", unit=UNIT, process=f"{main}:{start}", signal="SIGKILL")
    assert refused["phase"] == "failed" and "main process" in refused["text"], refused


def files(vm):
    vm.run("mkdir -p /var/tmp/worker /etc/worker /var/lib/aiops-good/worker && cd /var/tmp/worker && "
           f"echo x > old && {OLD} old && chown nobody: . old && echo x > young")
    do(vm, "disk.free_space", what="temp")
    assert vm.out("ls /var/tmp/worker").split() == ["young"]
    vm.run(f"echo x > /var/cache/apt/archives/x_1_all.deb && {OLD} /var/cache/apt/archives/x_1_all.deb")
    do(vm, "disk.free_space", what="package_cache")
    assert "x_1_all.deb" not in vm.out("ls /var/cache/apt/archives")
    vm.run("cd /etc/worker && echo 'port = 80' > worker.conf && chown nobody:nogroup worker.conf && "
           "chmod 0640 worker.conf && cp -a worker.conf /var/lib/aiops-good/worker/"
           "$(printf %s /etc/worker/worker.conf | sha256sum | cut -c 1-32)@0000000000000001 && "
           "echo 'port = 99' > worker.conf")
    told = do(vm, "service.rollback_config", service="worker")
    assert vm.read("/etc/worker/worker.conf") == b"port = 80\n", told
    assert vm.out("stat -c '%U:%G %a' /etc/worker/worker.conf").strip() == "nobody:nogroup 640"
    vm.run("systemctl start aiops-keep.service")
    said = vm.out("journalctl -b -o cat -u aiops-keep.service -p warning")
    assert "aiops" not in said and "keep" not in said, said


def digest_of(answer):
    found = re.search(r"[0-9a-f]{64}", answer["text"])
    assert found, answer
    return found[0]


def network(vm):
    vm.run("nft add table inet t && nft 'add chain inet t c { type filter hook input priority 0; }' && "
           "nft add rule inet t c tcp dport 9 counter drop && nft add rule inet t c udp dport 9 drop")
    before = vm.out("nft list table inet t")
    handle = re.search(r"tcp dport 9 .*handle (\d+)", vm.out("nft -a list table inet t"))[1]
    rule = {"table": "t", "chain": "c", "handle": handle}
    sha256 = digest_of(attempt(vm, "net.remove_rule", "--dry-run", **rule, sha256="what"))
    assert vm.out("nft list table inet t") == before, "a dry run changes nothing"
    do(vm, "net.remove_rule", **rule, sha256=sha256)
    assert "tcp dport 9" not in vm.out("nft list table inet t")
    assert "udp dport 9" in vm.out("nft list table inet t")
    vm.run("nft delete table inet t")
    vm.run("ip link add dummy9 type dummy && tc qdisc add dev dummy9 root netem delay 5ms 1ms loss 1%")
    sha256 = digest_of(attempt(vm, "net.remove_qdisc", "--dry-run", device="dummy9", sha256="what"))
    do(vm, "net.remove_qdisc", device="dummy9", sha256=sha256)
    assert "netem" not in vm.out("tc qdisc show dev dummy9")
    vm.run("ip link del dummy9")


def run(vm):
    product.wait_ready(vm)
    prepare(vm)
    for part in (units, limits, processes, files, network):
        began_s = product.uptime(vm)
        part(vm)
        vm.note(f"{part.__name__}: {product.uptime(vm) - began_s:.0f} s")
