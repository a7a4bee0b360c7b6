# SPDX-License-Identifier: LGPL-2.1-or-later
"""container.*, on the containers of the application."""

from acting import Row, container, container_group, docker, freeze, read, sh, thaw, wait_for, web

WEB, API = "aiops-target-web", "aiops-target-api"
RUNC = "/usr/sbin/runc"
BAD = ({"container": "no-such"}, {"container": "a/../b"}, {"container": "aiops-target-web;x"})


def engine():
    return [int(pid) for pid in sh("pidof dockerd").split()]


def up(name):
    state = container(name)["State"]
    if state["Paused"]:
        docker("POST", f"/containers/{name}/unpause")
    if not state["Running"]:
        docker("POST", f"/containers/{name}/start")


class Container(Row):
    on = ("containers",)
    container = WEB
    bad = BAD

    def prepare(self):
        up(self.container)
        wait_for(lambda: web(8088, "/")[0] == 200, "the page")

    def params(self):
        return {"container": self.container}

    def look(self):
        state = container(self.container)["State"]
        return {"status": state["Status"], "page": web(8088, "/", 2)[0]}

    def apply_fails(self):
        """The runtime that the engine needs for it is gone, as in the middle of an upgrade."""
        return {"applying": lambda: sh(f"mv {RUNC} {RUNC}.away"), "reverting": self.mend}

    def verify_fails(self):
        """The engine stands still."""
        return {"applied": lambda: freeze(engine()), "reverting": self.mend}

    def mend(self):
        thaw(engine())
        sh(f"if [ -e {RUNC}.away ]; then mv {RUNC}.away {RUNC}; fi")


class Start(Container):
    action = "container.start"
    repeats = "running already"

    def prepare(self):
        docker("POST", f"/containers/{WEB}/stop")

    def is_applied(self, before, now):
        return None if now == {"status": "running", "page": 200} else str(now)


class Stop(Container):
    action = "container.stop"
    repeats = "stopped already"

    def is_applied(self, before, now):
        return None if now == {"status": "exited", "page": 0} else str(now)

    def apply_fails(self):
        """The engine stands still before it is asked, and does what it was asked when it goes on: too late. Without
        its runtime it would kill the process itself."""
        return {"applying": lambda: freeze(engine()), "reverting": self.mend}


class Restart(Container):
    action = "container.restart"
    container = API
    repeats = "restarted"

    def look(self):
        return {"run": container(API)["State"]["StartedAt"], "answers": web(8080, "/healthz")[0]}

    def is_applied(self, before, now):
        return None if now["run"] != before["run"] and now["answers"] == 200 else f"{before} {now}"


class Pause(Container):
    action = "container.pause"
    bad = (*BAD, {"duration": "0s"}, {"duration": "2h"})
    repeats, repeat_phase = "paused already", "failed"

    def params(self):
        return {"container": WEB, "duration": "300s"}

    def look(self):
        return {"frozen": "frozen 1" in read(f"{container_group(WEB)}/cgroup.events"), **super().look()}

    def is_applied(self, before, now):
        return None if now == {"frozen": True, "status": "paused", "page": 0} else str(now)


class Unpause(Container):
    action = "container.unpause"
    repeats = "running already"

    def prepare(self):
        up(WEB)
        docker("POST", f"/containers/{WEB}/pause")

    def is_applied(self, before, now):
        return None if now == {"status": "running", "page": 200} else str(now)


class UpdateLimits(Container):
    action = "container.update_limits"
    bad = (*BAD, {"memory_mib": "5"}, {"memory_mib": "-1"}, {"memory_mib": "0"}, {"pids": "99999999"})
    repeats = "has those limits already"
    AT_FIRST = {"Memory": 64 << 20, "MemorySwap": 128 << 20}

    def prepare(self):
        super().prepare()
        docker("POST", f"/containers/{WEB}/update", self.AT_FIRST)

    def params(self):
        return {"container": WEB, "memory_mib": 48}

    def look(self):
        return {"kernel": read(f"{container_group(WEB)}/memory.max").strip(),
                "engine": container(WEB)["HostConfig"]["Memory"]}

    def is_applied(self, before, now):
        return None if now == {"kernel": str(48 << 20), "engine": 48 << 20} else str(now)


ROWS = [Start, Stop, Restart, Pause, Unpause, UpdateLimits]
