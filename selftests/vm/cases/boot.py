# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest is the machine that the product is made for."""

TAGS = {"bare", "quick"}
SUMMARY = "Debian guest with cgroup v2, PSI, BTF and the modules that faults need"


def run(vm):
    release = vm.out("uname -r")
    assert tuple(int(n) for n in release.split("-")[0].split(".")[:2]) >= (6, 1), release
    assert vm.out("stat -f -c %T /sys/fs/cgroup") == "cgroup2fs"
    controllers = vm.out("cat /sys/fs/cgroup/cgroup.controllers").split()
    assert {"cpu", "io", "memory", "pids"} <= set(controllers), controllers
    assert "some avg10=" in vm.read("/proc/pressure/cpu").decode()
    vm.run("test -r /sys/kernel/btf/vmlinux")
    vm.run("modprobe -a sch_netem ifb act_mirred cls_fw cls_bpf sch_ingress")
    assert vm.out("systemctl is-system-running") == "running"
    assert vm.run("curl -s --max-time 2 http://10.0.2.2/", check=False)[0] != 0, "a way out"
