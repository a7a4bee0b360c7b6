# SPDX-License-Identifier: LGPL-2.1-or-later
"""The family of daemons, started by hand with the shipped configuration, and a target with a control
group, where systemd would put it: the probes of units have something to read."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("BUILD", "build")
DAEMONS = ("executor", "recorder", "gateway", "agent")
UNIT = "aiops-target-api.service"
START_S = 30


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=5):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(path, url):
    """JSON answer of GET URL on a Unix socket."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", url)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def overlay(target, upper):
    for part in ("upper", "work"):
        (upper / part).mkdir(parents=True)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={target},upperdir={upper}/upper,workdir={upper}/work", target],
                   check=True)


@contextlib.contextmanager
def mounted():
    """A folder to work in, with the configuration in place. Only for a mount namespace of our own."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="aiops-bench-"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
        overlay("/etc", place / "etc")
        overlay("/usr/lib", place / "lib")
        for old in ("/etc/aiops", "/usr/lib/aiops"):
            shutil.rmtree(old, ignore_errors=True)
        shipped = pathlib.Path("/usr/lib/aiops")
        shutil.copytree(TOP / "runbooks" / "alerts", shipped / "alerts.d")
        shutil.copytree(TOP / "packaging" / "conf" / "policy.d", shipped / "policy.d")
        (shipped / "runbooks.d").mkdir()
        for path in (TOP / "runbooks").glob("*.md"):
            shutil.copy(path, shipped / "runbooks.d")
        shutil.copytree(TOP / "selftests" / "target" / "services.d", "/etc/aiops/services.d")
        yield place
    finally:
        for target in ("/usr/lib", "/etc", place):
            subprocess.run(["umount", "-l", target], check=False)
        place.rmdir()


def cgroup_root():
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if pathlib.Path(place, "cgroup.controllers").exists():
            return pathlib.Path(place)
    return None


@contextlib.contextmanager
def cgroup(unit):
    """The unit's control group; its processes must have ended when it is left. None without v2."""
    root = cgroup_root()
    if not root:
        yield None
        return
    folder = root / "system.slice" / unit
    is_ours = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        deadline = time.monotonic() + START_S
        while is_ours and (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        for path in (folder, folder.parent):
            with contextlib.suppress(OSError):
                path.rmdir()


def join(folder):
    """For preexec_fn: the child begins in this control group."""
    def enter():
        if folder:
            (folder / "cgroup.procs").write_text(str(os.getpid()))
    return enter


@contextlib.contextmanager
def running(place):
    """The daemons and a target to look after. Yields (runtime folder, {name: pid})."""
    run, state = place / "run", place / "state"
    shutil.rmtree(run, ignore_errors=True)
    for folder in ("agent", "exec", "steps", "undo", "faults"):
        (run / folder).mkdir(parents=True)
    state.mkdir(exist_ok=True)
    with open(place / "daemons.log", "ab") as log, cgroup(UNIT) as group:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": log}
        started = {"target": subprocess.Popen([BUILD / "target" / "aiops-target-api"],
                                              preexec_fn=join(group), **quiet)}
        try:
            for name in DAEMONS:
                more = ["--state-dir", str(state)] if name == "recorder" else []
                started[name] = subprocess.Popen(
                    [BUILD / "bin" / f"aiops-{name}", "--runtime-dir", str(run), *more], **quiet)
            wait_ready(place, run)
            yield run, {name: started[name].pid for name in DAEMONS}
        finally:
            for process in started.values():
                process.terminate()
            for process in started.values():
                process.wait()


def wait_ready(place, run):
    deadline = time.monotonic() + START_S
    while True:
        try:
            status = ask(run / "control.sock", "/v1/status")
            if all(peer["up"] for peer in status["peers"]):
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("bench: the family does not come up:\n"
                             + (place / "daemons.log").read_text(errors="replace")[-2000:])
        time.sleep(0.05)
