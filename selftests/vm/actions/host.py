# SPDX-License-Identifier: LGPL-2.1-or-later
"""disk.*, net.*, proc.*, dns.* and time.*, on the host."""

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from acting import Row, attempt, group, main_pid, pids_of, process_state, read, sh, unit, wait_for

WEB = "aiops-target-web.service"
RUNTIME = "/run/aiops-target/web"
LOG = f"{RUNTIME}/error.log"
ARCHIVES = "/var/cache/apt/archives"


class FreeSpace(Row):
    action = "disk.free_space"
    bad = ({"what": "everything"}, {"older_than": "1s"}, {"keep_mib": "-1"})
    repeats = "nothing of package_cache"

    def prepare(self):
        sh(f"dd if=/dev/zero of={ARCHIVES}/vmtest_1_all.deb bs=1M count=4 status=none; echo x >{ARCHIVES}/vmtest-stays; "
           f"touch -d '2 days ago' {ARCHIVES}/vmtest*")

    def params(self):
        return {"what": "package_cache"}

    def look(self):
        return {"files": sorted(name for name in os.listdir(ARCHIVES) if "vmtest" in name)}

    def is_applied(self, before, now):
        return None if now == {"files": ["vmtest-stays"]} else str(now)


class ReleaseDeleted(Row):
    """The web server's log, deleted by a person while it is open."""
    action = "disk.release_deleted"
    bad = ({"unit": "no-such.service"}, {"unit": "aiops-target-api.service/x"}, {"unit": "dbus.service"})
    repeats = "holds no space"

    def prepare(self):
        if unit(WEB)["ActiveState"] != "active":
            sh(f"systemctl start {WEB}")
        wait_for(lambda: len(pids_of(group(WEB))) > 1, "the web server's workers")
        sh(f"sed -i 's#^error_log .*#error_log {LOG} warn;#' {RUNTIME}/nginx.conf && systemctl reload {WEB}")
        wait_for(lambda: os.path.exists(LOG), "its log")
        sh(f"dd if=/dev/zero of={LOG} bs=1M count=3 status=none oflag=append conv=notrunc && rm {LOG}")
        wait_for(lambda: self.held() >= 3 << 20, "a deleted file that is open")

    def held(self):
        total = 0
        for pid in pids_of(group(WEB)):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    if os.readlink(f"/proc/{pid}/fd/{fd}") == f"{LOG} (deleted)":
                        total = max(total, os.stat(f"/proc/{pid}/fd/{fd}").st_blocks * 512)
                except OSError:
                    pass
        return total

    def params(self):
        return {"unit": WEB}

    def look(self):
        return {"held": self.held() >> 20}

    def is_applied(self, before, now):
        return None if now["held"] == 0 else str(now)


def digest_of(text):
    return re.search(r"[0-9a-f]{64}", text)[0]


class RemoveRule(Row):
    action = "net.remove_rule"
    bad = ({"family": "ipx"}, {"handle": "0"}, {"handle": "99999999999999999999"}, {"handle": "77777"},
           {"sha256": "0" * 64}, {"table": "none"})
    repeat_phase, repeats = "failed", "rule"

    def prepare(self):
        sh("nft delete table inet vmtest", check_it=False)
        sh("nft 'add table inet vmtest; add chain inet vmtest c { type filter hook input priority 0; }; "
           "add rule inet vmtest c tcp dport 9 drop; add rule inet vmtest c tcp dport 10 counter accept'")

    def params(self):
        handle = re.search(r"tcp dport 9 .*handle (\d+)", sh("nft -a list table inet vmtest"))[1]
        named = {"table": "vmtest", "chain": "c", "handle": handle}
        return {**named, "sha256": digest_of(attempt(self.action, {**named, "sha256": "what"}, dry=True)["text"])}

    def look(self):
        return {"rules": sh("nft -s list chain inet vmtest c", check_it=False)}

    def is_applied(self, before, now):
        wanted = before["rules"].replace("\t\ttcp dport 9 drop\n", "")
        return None if now["rules"] == wanted != before["rules"] else str(now)

    def apply_fails(self):
        """Another tool has taken it away in this very moment."""
        handle = self.params()["handle"]
        return {"applying": lambda: sh(f"nft delete rule inet vmtest c handle {handle}")}


class RemoveQdisc(Row):
    action = "net.remove_qdisc"
    bad = ({"device": "lo"}, {"device": "none9"}, {"sha256": "0" * 64}, {"device": "a/b"})
    repeat_phase, repeats = "failed", "vmtest9"
    NETEM = "tc qdisc {} dev vmtest9 root netem delay 5ms 1ms loss 1%"

    def prepare(self):
        sh("ip link add vmtest9 type dummy", check_it=False)
        sh(self.NETEM.format("replace"))

    def params(self):
        return {"device": "vmtest9", "sha256": digest_of(attempt(self.action, {"device": "vmtest9", "sha256": "what"},
                                                                 dry=True)["text"])}

    def look(self):
        return {"queue": re.sub(r" [0-9a-f]+: ", " ", sh("tc qdisc show dev vmtest9"))}

    def is_applied(self, before, now):
        return None if "netem" not in now["queue"] else str(now)

    def apply_fails(self):
        """Another tool has taken it away in this very moment."""
        return {"applying": lambda: sh("tc qdisc del dev vmtest9 root")}

    def verify_fails(self):
        """Another tool puts the same there at once."""
        return {"applied": lambda: sh(self.NETEM.format("add"))}


WORKER = "vmtest-worker.service"
PROGRAM = "/run/vmtest/worker.py"
THREADS = """
import os, threading, time
if os.fork():
    time.sleep(100000)
go = threading.Event()
for _ in range(3):
    threading.Thread(target=go.wait, daemon=True).start()
time.sleep(100000)
"""


class Process(Row):
    """A process with four threads, beside the main one of its unit."""

    def prepare(self):
        with open(PROGRAM, "w") as file:
            file.write(THREADS)
        if unit(WORKER)["ActiveState"] != "active" or len(pids_of(group(WORKER))) != 2:
            sh(f"systemctl stop {WORKER}; systemd-run --quiet --unit={WORKER} python3 {PROGRAM}", check_it=False)
            wait_for(lambda: self.pid() and len(os.listdir(f"/proc/{self.pid()}/task")) == 4, "its threads")
        for tid in os.listdir(f"/proc/{self.pid()}/task"):
            os.setpriority(os.PRIO_PROCESS, int(tid), 0)
        os.kill(self.pid(), signal.SIGCONT)

    def pid(self):
        others = set(pids_of(group(WORKER))) - {main_pid(WORKER)}
        return others.pop() if others else 0

    def name(self):
        return f"{self.pid()}:{process_state(self.pid())[19]}"


def bad_processes():
    main = ("1:1", "0:0", "x", "-5:1", "99999999:1")
    return tuple({"process": one} for one in main) + ({"unit": "dbus.service"}, {"unit": "a/b.service"})


class Renice(Process):
    action = "proc.renice"
    bad = (*bad_processes(), {"nice": "-1"}, {"nice": "20"})
    repeats = "already"

    def params(self):
        return {"unit": WORKER, "process": self.name(), "nice": 7}

    def look(self):
        pid = self.pid()
        return {"nice": sorted(process_state(f"{pid}/task/{tid}")[16] for tid in os.listdir(f"/proc/{pid}/task"))
                if pid else "gone"}

    def is_applied(self, before, now):
        return None if now == {"nice": ["7"] * 4} else str(now)

    def verify_fails(self):
        """Somebody gives one thread its old nice back."""
        tid = max(os.listdir(f"/proc/{self.pid()}/task"))
        return {"applied": lambda: os.setpriority(os.PRIO_PROCESS, int(tid), 0)}


class Signal(Process):
    action = "proc.signal"
    bad = (*bad_processes(), {"signal": "SIGUSR1"}, {"signal": "9"})
    repeats, repeat_phase = "gone", "failed"

    def params(self):
        return {"unit": WORKER, "process": self.name(), "signal": "SIGKILL"}

    def look(self):
        return {"pid": self.pid()}

    def is_applied(self, before, now):
        return None if now == {"pid": 0} else str(now)


class Resolver(Row):
    action = "dns.restart_resolver"
    bad = ({"unit": "dbus.service"},)
    repeats = "restarted"
    unit = "systemd-resolved.service"

    def prepare(self):
        if unit(self.unit)["ActiveState"] != "active":
            sh(f"systemctl start {self.unit}")

    def look(self):
        return {"run": unit(self.unit)["InvocationID"], "state": unit(self.unit)["ActiveState"]}

    def is_applied(self, before, now):
        return None if now["run"] != before["run"] and now["state"] == "active" else f"{before} {now}"


class Clock(threading.Thread):
    """A time server of our own: the guest has no network. Source: RFC 5905, figure 8."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 123))

    def run(self):
        while True:
            asked, peer = self.socket.recvfrom(256)
            now = time.time() + 2208988800
            stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
            self.socket.sendto(struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"GPS\0") + stamp + asked[40:48]
                               + stamp + stamp, peer)


class Resync(Row):
    action = "time.resync"
    bad = ({"unit": "dbus.service"},)
    repeats = "restarted"
    unit = "systemd-timesyncd.service"
    MARK = "/run/systemd/timesync/synchronized"
    clock = None

    def prepare(self):
        if self.clock:
            return
        Resync.clock = Clock()
        self.clock.start()
        sh("mkdir -p /run/systemd/timesyncd.conf.d && printf '[Time]\\nNTP=127.0.0.1\\n' "
           f">/run/systemd/timesyncd.conf.d/vmtest.conf && systemctl restart {self.unit}")
        wait_for(lambda: os.path.exists(self.MARK), "the clock is set", 60)

    def look(self):
        return {"set": os.stat(self.MARK).st_mtime_ns, "run": unit(self.unit)["InvocationID"]}

    def is_applied(self, before, now):
        return None if now["set"] != before["set"] and now["run"] != before["run"] else f"{before} {now}"

    def is_half(self, before, now):
        return unit(self.unit)["ActiveState"] != "active"


ROWS = [FreeSpace, ReleaseDeleted, RemoveRule, RemoveQdisc, Renice, Signal, Resolver, Resync]
