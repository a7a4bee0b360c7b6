# SPDX-License-Identifier: LGPL-2.1-or-later
"""One qemu process: start, snapshot, restore, kill. KVM where a guest runs on it, else TCG."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from qmp import Agent, ChannelError, Monitor

CPUS = 2
GUEST_HTTP_PORT = 8080
KVM_TRIAL_S = 8
RESTORE_TIMEOUT_S = 30
ACCELERATION = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max"],
}
KERNEL_LINE = ("root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=5 loglevel=5 "
               "systemd.show_status=0")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kernel_argv(image):
    return ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")]


def kvm_reaches_init(image):
    """Whether a guest gets to its init under KVM within a few seconds; some hosts only pretend."""
    with tempfile.TemporaryDirectory() as work:
        console = pathlib.Path(work) / "console"
        argv = ["qemu-system-x86_64", *ACCELERATION["kvm"], "-m", "256", "-nodefaults", "-display",
                "none", "-no-reboot", "-serial", f"file:{console}", *kernel_argv(image), "-append",
                "console=ttyS0 panic=-1 rdinit=/nonexistent"]
        trial = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + KVM_TRIAL_S
            while trial.poll() is None and time.monotonic() < deadline:
                if console.exists() and b"Kernel panic" in console.read_bytes():
                    return True
                time.sleep(0.1)
            return console.exists() and b"Kernel panic" in console.read_bytes()
        finally:
            trial.kill()
            trial.wait()


def acceleration(cache, image, progress):
    """kvm or tcg; tried once in each boot of the host and remembered."""
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memory = cache / "acceleration"
    if memory.exists() and memory.read_text().split()[0] == boot:
        return memory.read_text().split()[1]
    answer = "tcg"
    if pathlib.Path("/dev/kvm").exists():
        with progress.step("qemu: does KVM work here"):
            answer = "kvm" if kvm_reaches_init(image) else "tcg"
    progress.say(f"qemu: using {answer}")
    memory.write_text(f"{boot} {answer}\n")
    return answer


class Machine:
    """A disk with its snapshots, and the process that serves it."""

    def __init__(self, image, accel, memory_mib):
        self.image = image
        self.accel = accel
        self.memory_mib = memory_mib
        self.disk = image / f"machine-{accel}.qcow2"
        self.console = image / "console.log"
        self.process = None
        self.http_port = free_port()
        self.sockets = None
        self.monitor = self.agent = None

    def snapshots(self):
        """Names on the disk; only asked while no process has it open."""
        if not self.disk.exists():
            return set()
        text = subprocess.run(["qemu-img", "snapshot", "-l", str(self.disk)], check=True, text=True,
                              capture_output=True).stdout
        return {line.split()[1] for line in text.splitlines()[2:]}

    def new_disk(self):
        self.disk.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "root.raw",
                        str(self.disk)], check=True)

    def drop_snapshots(self, names):
        for name in names:
            subprocess.run(["qemu-img", "snapshot", "-d", name, str(self.disk)], check=True)

    def start(self, snapshot=None):
        """Start qemu, from SNAPSHOT or by booting what is on the disk, and wait for the agent."""
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="aiops-vm-"))
        argv = self._argv() + (["-loadvm", snapshot] if snapshot else [])
        with open(self.image / "qemu.log", "w") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.monitor = Monitor(self.sockets / "qmp")
            self.agent = Agent(self.sockets / "agent")
            self.agent.sync(RESTORE_TIMEOUT_S if snapshot else 180)
        except ChannelError as error:
            said = (self.image / "qemu.log").read_text().strip()
            self.kill()
            raise ChannelError(f"start qemu: {error} {said}") from error

    def restore(self, snapshot):
        """Back to SNAPSHOT; a process that does not manage it is replaced by a new one."""
        if self.process and self.process.poll() is None:
            try:
                self.monitor.human(f"loadvm {snapshot}", RESTORE_TIMEOUT_S)
                self.agent.sync(RESTORE_TIMEOUT_S)
                return
            except ChannelError:
                pass
        self.kill()
        self.start(snapshot)

    def save(self, snapshot):
        self.monitor.human(f"savevm {snapshot}")

    def kill(self):
        """As a power cut: what the guest has not synced is lost."""
        for channel in (self.monitor, self.agent):
            if channel:
                channel.close()
        self.monitor = self.agent = None
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
            self.sockets = None

    def _argv(self):
        forward = f"tcp:127.0.0.1:{self.http_port}-:{GUEST_HTTP_PORT}"
        return [
            "setpriv", "--pdeathsig", "KILL",  # dies with the runner
            "qemu-system-x86_64", "-machine", "pc", *ACCELERATION[self.accel],
            "-smp", str(CPUS), "-m", str(self.memory_mib), "-nodefaults", "-display", "none",
            "-rtc", "base=utc,clock=vm", *kernel_argv(self.image), "-append", KERNEL_LINE,
            "-drive", f"file={self.disk},if=virtio,format=qcow2,discard=unmap,cache=writeback",
            "-netdev", f"user,id=net,restrict=on,hostfwd={forward}",
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.sockets}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-serial", f"file:{self.console}",
            "-qmp", f"unix:{self.sockets}/qmp,server=on,wait=off",
        ]
