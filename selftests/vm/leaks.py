# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a sloppy fault or repair would leave behind, one of each kind, to prove that it is seen.

LEAKS maps a name to (shell line for the guest, text that the state difference must then name)."""

# No compiler in the guest: "r0 = 1; exit" as cgroup_skb, attached by a link, pinned to stay.
BPF_LINK = """
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, raw):
    buffer = ctypes.create_string_buffer(raw, 128)
    got = libc.syscall(321, command, buffer, 128)
    if got < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return got
PROG_LOAD, OBJ_PIN, LINK_CREATE, CGROUP_SKB, EGRESS = 5, 6, 28, 8, 1
code = ctypes.create_string_buffer(bytes.fromhex("b700000001000000" "9500000000000000"), 16)
licence = ctypes.create_string_buffer(b"GPL")
path = ctypes.create_string_buffer(b"/sys/fs/bpf/leak")
program = bpf(PROG_LOAD, struct.pack("=IIQQIIQII16sII", CGROUP_SKB, 2, ctypes.addressof(code),
              ctypes.addressof(licence), 0, 0, 0, 0, 0, b"leak", 0, EGRESS))
group = os.open("/sys/fs/cgroup/system.slice", os.O_RDONLY)
link = bpf(LINK_CREATE, struct.pack("=IIII", program, group, EGRESS, 0))
os.makedirs("/sys/fs/bpf", exist_ok=True)
bpf(OBJ_PIN, struct.pack("=QI", ctypes.addressof(path), link))
"""

DROPIN = "/run/systemd/system/dbus.service.d/90-leak.conf"

LEAKS = {
    "plant-qdisc": ("tc qdisc add dev lo clsact", "qdisc: + dev lo clsact"),
    "plant-netem": ("tc qdisc replace dev lo root netem delay 1us", "qdisc: + dev lo netem"),
    "plant-filter": ("tc qdisc add dev eth0 clsact && tc filter add dev eth0 egress matchall "
                     "action pass", "filter: + dev eth0 egress"),
    "plant-ifb": ("ip link add leak type ifb", "link: + leak"),
    "plant-rule": ("ip rule add fwmark 7 lookup 7", "routing: + rule"),
    "plant-nft": ("nft add table inet leak", "nft: +"),
    "plant-mount": ("mount -t tmpfs leak /mnt", "mount: + /mnt"),
    "plant-dropin": (f"mkdir -p {DROPIN.rsplit('/', 1)[0]} && echo '[Service]' >{DROPIN}", DROPIN),
    "plant-property": ("systemctl set-property --runtime dbus.service CPUQuota=50%",
                       "unit: ~ dbus.service CPUQuotaPerSecUSec"),
    "plant-limit": ("echo 300M >/sys/fs/cgroup/system.slice/dbus.service/memory.max",
                    "cgroup: ~ /system.slice/dbus.service memory.max"),
    "plant-freeze": ("echo 1 >/sys/fs/cgroup/system.slice/systemd-networkd.service/cgroup.freeze",
                     "cgroup: ~ /system.slice/systemd-networkd.service cgroup.freeze"),
    "plant-cgroup": ("mkdir /sys/fs/cgroup/leak", "cgroup: + /leak"),
    "plant-bpf-link": (f"python3 -c '{BPF_LINK}'", "bpf: + link"),
    "plant-process": ("echo $$ >/sys/fs/cgroup/system.slice/dbus.service/cgroup.procs; "
                      "sleep 1000 >/dev/null 2>&1 &", "process: + sleep 0"),
    "plant-stopped": ("pkill -STOP -x systemd-udevd", "stopped"),
    "plant-unit": ("systemd-run --quiet --unit=leak sleep 1000", "unit: + leak.service"),
    "plant-dead": ("systemctl stop systemd-logind.service", "unit: - systemd-logind.service"),
    "plant-undo": ("mkdir -p /run/aiops/undo && touch /run/aiops/undo/" + "0" * 32,
                   "file: + /run/aiops/undo/0000"),
    "plant-file": ("touch /tmp/leak", "file: + /tmp/leak"),
    "plant-mode": ("chmod 666 /etc/fstab", "file: ~ /etc/fstab"),
}

# Sabotage that is no leak: the product is taken out of the way.
SABOTAGE = {name: line for name, (line, _) in LEAKS.items()} | {
    "mask-agent": "systemctl mask --now aiops-agent.service",
    "stop-executor": "systemctl mask --now aiops-executor.socket aiops-executor.service",
}

# Sabotage of the program itself: sabotage-build makes it, and it takes the place of the installed one.
PROGRAMS = {name: "/usr/libexec/aiops/aiops-agent"
            for name in ("force-improved", "no-evidence-gate", "guard-stopped")} | {
    name: "/usr/libexec/aiops/aiops-step" for name in ("verify-says-yes", "revert-does-nothing")}
