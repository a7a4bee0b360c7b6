# SPDX-License-Identifier: LGPL-2.1-or-later
"""unit.*, on the units of the application."""

import os

from acting import Row, SECTIONS, ask, freeze, group, main_pid, pids_of, read, sh, unit, wait_for, web

API, WEB = "aiops-target-api.service", "aiops-target-web.service"
RUNTIME = "/run/aiops-target/web"
BAD_UNITS = ({"unit": "no-such.service"}, {"unit": "sshd/../x.service"}, {"unit": "dbus.service"},
             {"unit": "aiops-executor.service"}, {"unit": "web"})


def up(*names):
    for name in names:
        facts = unit(name)
        if facts["ActiveState"] == "active" and facts["FreezerState"] != "frozen":
            continue
        if facts["FreezerState"] == "frozen":
            sh(f"systemctl thaw {name}")
        sh(f"systemctl reset-failed {name}; systemctl start {name}", check_it=facts["ActiveState"] != "active")


class Unit(Row):
    unit = WEB
    bad = BAD_UNITS
    sections = (*SECTIONS, "unit")

    def prepare(self):
        up(self.unit)

    def params(self):
        return {"unit": self.unit}

    def look(self):
        return unit(self.unit, "ActiveState", "FreezerState")


class Start(Unit):
    action = "unit.start"
    repeats = "active already"

    def prepare(self):
        sh(f"systemctl stop {WEB}; systemctl reset-failed {WEB}", check_it=False)

    def look(self):
        return {"runs": unit(WEB)["ActiveState"] == "active", "page": web(8088, "/")[0]}

    def is_applied(self, before, now):
        return None if now == {"runs": True, "page": 200} else str(now)

    def apply_fails(self):
        """Its own mount namespace cannot be made: the directory it is to write to is gone."""
        sh(f"mv {RUNTIME} {RUNTIME}.away")
        return None

    def verify_fails(self):
        """exec() goes well; then it cannot write its configuration: no space left on the device."""
        sh(f"mount -t tmpfs -o nr_inodes=1,size=4k none {RUNTIME}")
        return None

    def mend(self):
        sh(f"if mountpoint -q {RUNTIME}; then umount {RUNTIME}; fi; "
           f"if [ -e {RUNTIME}.away ]; then mv {RUNTIME}.away {RUNTIME}; fi")


class Stop(Unit):
    action = "unit.stop"

    def look(self):
        return {"runs": unit(WEB)["ActiveState"] == "active", "page": web(8088, "/")[0]}

    def is_applied(self, before, now):
        return None if now == {"runs": False, "page": 0} else str(now)

    repeats = "already"

    def apply_fails(self):
        """It does not hear of its end, being frozen; while systemd waits, a person starts it."""
        def contradict():
            freeze(pids_of(group(WEB)))
            sh(f"(sleep 2; systemctl start {WEB}) >/dev/null 2>&1 &")
        return {"applying": contradict}

    def verify_fails(self):
        """A person starts it as soon as it is down."""
        return {"applied": lambda: sh(f"systemctl start {WEB}")}


class Restart(Unit):
    action = "unit.restart"
    unit = API
    repeats = "restarted"

    def look(self):
        return {"run": unit(API)["InvocationID"], "answers": web(8080, "/healthz")[0]}

    def is_applied(self, before, now):
        return None if now["run"] != before["run"] and now["answers"] == 200 else f"{before} {now}"


class Reload(Unit):
    action = "unit.reload"
    repeats = "reloaded"
    bad = (*BAD_UNITS, {"unit": API})  # it has no ExecReload=

    def look(self):
        return {"main": main_pid(WEB), "workers": sorted(set(pids_of(group(WEB))) - {main_pid(WEB)})}

    def is_applied(self, before, now):
        fresh = now["workers"] and not set(now["workers"]) & set(before["workers"])
        return None if fresh and now["main"] == before["main"] else f"{before} {now}"

    def is_half(self, before, now):
        return now["main"] != before["main"]


class Kill(Unit):
    action = "unit.kill"
    unit = API
    bad = (*BAD_UNITS, {"signal": "SIGSTOP"}, {"signal": "9"}, {"who": "everybody"})
    repeats, repeat_phase = "it has no", "failed"
    sections = SECTIONS

    def params(self):
        return {"unit": API, "signal": "SIGKILL"}

    def look(self):
        return {"pid": main_pid(API), "answers": web(8080, "/healthz")[0]}

    def is_applied(self, before, now):
        return None if now == {"pid": 0, "answers": 0} else str(now)


class ResetFailed(Unit):
    action = "unit.reset_failed"
    unit = API
    repeats = "not failed"

    def prepare(self):
        up(API)
        sh(f"systemctl kill -s KILL {API}")
        wait_for(lambda: unit(API)["ActiveState"] == "failed", "a dead API")

    def look(self):
        return unit(API, "ActiveState", "SubState")

    def is_applied(self, before, now):
        return None if now["ActiveState"] == "inactive" else str(now)


HANG = "/run/vmtest/hang"


class Freeze(Unit):
    action = "unit.freeze"
    bad = (*BAD_UNITS, {"duration": "0s"}, {"duration": "2h"}, {"duration": "1"})
    hung = None

    def prepare(self):
        undo_leases()
        up(WEB)

    def params(self):
        return {"unit": WEB, "duration": "120s"}

    def look(self):
        return {"frozen": "frozen 1" in read(f"{group(WEB)}/cgroup.events"), "page": web(8088, "/", 2)[0]}

    def is_applied(self, before, now):
        return None if now == {"frozen": True, "page": 0} else str(now)

    repeats, repeat_phase = "froze", "failed"

    def apply_fails(self):
        """One of its processes waits for a file system that is frozen itself: it cannot stand still."""
        sh(f"mkdir -p {HANG} && truncate -s 8M {HANG}.img && mkfs.ext4 -q {HANG}.img && "
           f"mount -o loop {HANG}.img {HANG} && fsfreeze -f {HANG}")
        sh(f"sh -c 'echo $$ >{group(WEB)}/cgroup.procs; exec touch {HANG}/x' >/dev/null 2>&1 &")
        wait_for(lambda: any(read(f"/proc/{pid}/comm").strip() == "touch" for pid in pids_of(group(WEB))), "a hung one")
        self.hung = True
        return {"reverting": lambda: sh(f"fsfreeze -u {HANG}")}

    def verify_fails(self):
        return {"applied": lambda: sh(f"systemctl thaw {WEB}")}

    def mend(self):
        if self.hung:
            self.hung = None
            sh(f"fsfreeze -u {HANG}", check_it=False)
            wait_for(lambda: sh(f"umount {HANG} && rm {HANG}.img && echo gone", check_it=False) == "gone", "the end of it")


class Thaw(Unit):
    action = "unit.thaw"
    unit = WEB
    bad = ({"unit": "no-such.service"}, {"unit": "a/b.service"}, {"unit": "web"})
    repeats = "not frozen"

    def prepare(self):
        up(WEB)
        sh(f"systemctl freeze {WEB}")

    def look(self):
        return {"frozen": "frozen 1" in read(f"{group(WEB)}/cgroup.events"), "page": web(8088, "/", 2)[0]}

    def is_applied(self, before, now):
        return None if now == {"frozen": False, "page": 200} else str(now)


def undo_leases():
    """What is for a time and still in force ends now."""
    for one in ask("GET", "/v1/attempts")[1]["attempts"]:
        if one["op"] == "apply" and one["phase"] == "done" and "duration" in one["params"] and \
                os.path.exists(f"/run/aiops/undo/{one['key']}"):
            ask("POST", f"/v1/attempts/{one['key']}", {"op": "revert"})
            wait_for(lambda key=one["key"]: not os.path.exists(f"/run/aiops/undo/{key}"), "the end of a lease")


class Limited(Unit):
    """A file of ours below /run/systemd/system, a reload, and the kernel's file."""
    file, limited = "", ""
    repeats, repeat_phase = "of an earlier attempt", "failed"  # it would have another end
    folder = f"/run/systemd/system/{WEB}.d"

    def prepare(self):
        undo_leases()
        up(WEB)

    def look(self):
        return {"kernel": read(f"{group(WEB)}/{self.file}").strip(), "files": sh(f"ls {self.folder} 2>&1", False)}

    def is_applied(self, before, now):
        return None if now["kernel"] == self.limited else f"{before} {now}"

    def apply_fails(self):
        """No file can be made there: its file system has no inode left."""
        return {"applying": lambda: sh(f"mkdir -p {self.folder} && mount -t tmpfs -o nr_inodes=1 none {self.folder}"),
                "reverting": self.mend}

    def verify_fails(self):
        """Somebody writes to the kernel's file beside systemd."""
        was = read(f"{group(WEB)}/{self.file}").strip()
        return {"applied": lambda: sh(f"echo '{self.other}' >{group(WEB)}/{self.file}"),
                "reverting": lambda: sh(f"echo '{was}' >{group(WEB)}/{self.file}")}

    def mend(self):
        sh(f"if mountpoint -q {self.folder}; then umount {self.folder}; rmdir {self.folder}; fi")


class CpuQuota(Limited):
    action = "unit.set_cpu_quota"
    file, limited, other = "cpu.max", "20000 100000", "50000 100000"
    bad = (*BAD_UNITS, {"quota_pct": "0"}, {"quota_pct": "1001"}, {"quota_pct": "x"}, {"duration": "1s"})

    def params(self):
        return {"unit": WEB, "quota_pct": 20, "duration": "300s"}


class Property(Limited):
    action = "unit.set_property"
    file, limited, other = "pids.max", "12", "14"
    bad = (*BAD_UNITS, {"property": "ExecStart"}, {"value": "0"}, {"value": "-1"},
           {"property": "MemoryMax", "value": "1"}, {"property": "IOWeight", "value": "10001"})

    def params(self):
        return {"unit": WEB, "property": "TasksMax", "value": 12, "duration": "300s"}

    def apply_fails(self):
        """The directory is there and on a file system that is read-only."""
        return {"applying": lambda: sh(f"mkdir -p {self.folder} && mount -t tmpfs -o ro none {self.folder}"),
                "reverting": self.mend}


ROWS = [Start, Stop, Restart, Reload, Kill, ResetFailed, Freeze, Thaw, CpuQuota, Property]
