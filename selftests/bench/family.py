# SPDX-License-Identifier: LGPL-2.1-or-later
"""The family of daemons, started by hand with the shipped configuration."""

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
START_S = 20


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
        shipped = pathlib.Path("/usr/lib/aiops")
        shutil.copytree(TOP / "runbooks" / "alerts", shipped / "alerts.d")
        shutil.copytree(TOP / "packaging" / "conf" / "policy.d", shipped / "policy.d")
        (shipped / "runbooks.d").mkdir()
        for path in (TOP / "runbooks").glob("*.md"):
            shutil.copy(path, shipped / "runbooks.d")
        shutil.copytree(TOP / "selftests" / "target" / "services.d",
                        pathlib.Path("/etc/aiops/services.d"), dirs_exist_ok=True)
        yield place
    finally:
        for target in ("/usr/lib", "/etc", place):
            subprocess.run(["umount", "-l", target], check=False)
        place.rmdir()


@contextlib.contextmanager
def running(place):
    """The daemons and a target to look after. Yields (runtime folder, {name: pid})."""
    run, state = place / "run", place / "state"
    for folder in ("agent", "exec", "steps", "undo", "faults"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    state.mkdir(exist_ok=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": open(place / "daemons.log", "ab")}
    started = {"target": subprocess.Popen([BUILD / "target" / "aiops-target-api"], **quiet)}
    try:
        for name in DAEMONS:
            more = ["--state-dir", str(state)] if name == "recorder" else []
            started[name] = subprocess.Popen(
                [BUILD / "bin" / f"aiops-{name}", "--runtime-dir", str(run), *more], **quiet)
        wait_ready(run)
        yield run, {name: started[name].pid for name in DAEMONS}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait()


def wait_ready(run):
    deadline = time.monotonic() + START_S
    while True:
        try:
            status = ask(run / "control.sock", "/v1/status")
            if all(peer["up"] for peer in status["peers"]):
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("bench: the family does not come up")
        time.sleep(0.05)
