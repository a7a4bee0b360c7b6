# SPDX-License-Identifier: LGPL-2.1-or-later
"""The executor with the actions of dummy_step.c, on a host of its own, and who starts its steps."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time

from rig import Failure, UnixConnection, wait_for
from sweep import killed_at, policy, program

FINAL = ("done", "failed", "denied", "unknown", "reverted")


class Systemd(threading.Thread):
    """Starts the step of every key that the executor asks for, as aiops-step@.service does."""

    def __init__(self, host, late_s=0):
        super().__init__(daemon=True)
        self.host, self.late_s = host, late_s
        self.end = threading.Event()
        self.done = 0

    def run(self):
        while not self.end.wait(0.01):
            for key in self.host.asks()[self.done:]:
                time.sleep(self.late_s)
                for verb in ("run", "settle"):
                    subprocess.run([program("dummy_step"), "--root", self.host.root, "--runtime-dir",
                                    self.host.run, verb, key], capture_output=True, check=True)
                self.done += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.join()


class Host:
    def __init__(self, case, n, autonomy="auto"):
        self.root, self.run = case.dir / f"root{n}", case.dir / f"run{n}"
        for d in (self.root, self.run / "steps", self.run / "undo"):
            d.mkdir(parents=True)
        policy(self.root, autonomy)
        self.env = dict(os.environ, AIOPS_TEST_ASKS=str(self.run / "asks"))

    def asks(self):
        f = self.run / "asks"
        return f.read_text().split() if f.exists() else []

    def argv(self):
        return [str(program("dummy_executor")), "--root", str(self.root), "--runtime-dir",
                str(self.run)]

    def call(self, method, path, body=None):
        """Status and JSON; None when the executor is not there, or dies over it."""
        connection = UnixConnection(self.run / "approve.sock")
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (ConnectionError, FileNotFoundError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def attempts(self):
        answer = self.call("GET", "/v1/attempts")
        return answer[1]["attempts"] if answer else []


class Executor:
    """point: where it is to be killed; trace: where to write all its calls."""

    def __init__(self, host, point=None, trace=None):
        self.host = host
        argv = host.argv()
        if point:
            argv = killed_at(point, argv)
        elif trace:
            argv = ["strace", "-f", "-qq", "-o", str(trace), *argv]
        self.process = subprocess.Popen(argv, env=host.env, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def is_dead(self):
        return self.process.poll() is not None

    def wait_ready(self):
        wait_for(lambda: self.is_dead() or self.host.call("GET", "/v1/status"), "the executor answers")

    def __enter__(self):
        self.wait_ready()
        return self

    def __exit__(self, kind, *_):
        if not self.is_dead():
            os.killpg(self.process.pid, 15)
        try:
            err = self.process.communicate(timeout=10)[1]
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            raise Failure("the executor did not end on SIGTERM") from None
        if kind is not None:
            sys.stdout.write("".join(f"     {line}\n" for line in err.splitlines()[-15:]))


def is_over(host):
    return all(a["phase"] in FINAL for a in host.attempts())
