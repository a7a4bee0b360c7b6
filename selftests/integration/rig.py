# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the integration cases share: daemons by hand, frame peers, HTTP on a Unix socket, checks."""

import http.client
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("BUILD", "build")
WAIT_S = 15


class Failure(Exception):
    pass


def check(truth, what):
    if not truth:
        raise Failure(what)


def wait_for(condition, what, wait_s=WAIT_S):
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise Failure(f"waited {wait_s} s in vain: {what}")


class Case:
    """A directory of its own, on a tmpfs of its own where a size is given."""

    def __init__(self, tmpfs_kib=None):
        self.dir = Path(tempfile.mkdtemp(prefix="aiops-case-"))
        self.mounted = tmpfs_kib is not None
        if self.mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={tmpfs_kib}k", "tmpfs", self.dir],
                           check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.dir], check=True)
        shutil.rmtree(self.dir)


class Daemon:
    """One of our programs; its log is what it says on stderr."""

    def __init__(self, case, name, *args, env=None, group=None):
        """group: the cgroup it runs in, for journald to know it by."""
        self.case, self.name = case, name
        self.lines = []

        def join():
            (group / "cgroup.procs").write_text(str(os.getpid()))
        env = {"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
               **(env or {})}
        self.process = subprocess.Popen([BUILD / "bin" / name, *map(str, args)], env=env,
                                        stderr=subprocess.PIPE, text=True, errors="replace",
                                        preexec_fn=join if group else None)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def log(self):
        return "".join(self.lines)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            code = "none within 10 s of SIGTERM"
        self.reader.join()
        if kind is not None:
            sys.stdout.write("".join(f"     {self.name}: {line}" for line in self.lines[-20:]))
        elif code != 0:
            raise Failure(f"{self.name} ended with {code}: {self.log()[-2000:]}")


class Peer:
    """The other side of a frame socket."""

    def __init__(self, path, process):
        wait_for(path.exists, f"{path.name} is there")
        self.process = subprocess.Popen([BUILD / "integration/framepeer", path, process], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
        except BrokenPipeError:
            pass

    def next(self, wait_s=WAIT_S):
        """The next line, or None when the other side has gone."""
        try:
            return self.lines.get(timeout=wait_s)
        except queue.Empty:
            raise Failure(f"nothing came within {wait_s} s") from None

    def expect(self, what, wait_s=WAIT_S):
        """Skips to the line; what is the line or a test of it."""
        test = what if callable(what) else what.__eq__
        seen = []
        while (line := self.next(wait_s)) is not None:
            if test(line):
                return line
            seen.append(line)
        raise Failure(f"gone before {what!r}; seen {seen[-5:]}")

    def sync(self):
        self.say("sync")
        self.expect("synced")

    def close(self):
        self.process.kill()
        self.process.wait()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(path, url, status=200):
    """The JSON answer; None when nobody listens (yet)."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        body = answer.read()
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    finally:
        connection.close()
    check(answer.status == status, f"GET {url}: {answer.status}, wanted {status}: {body[:300]}")
    return json.loads(body)


def tool(name, *args, fails=False):
    out = subprocess.run([BUILD / "integration" / name, *map(str, args)], text=True,
                         capture_output=True)
    check((out.returncode != 0) == fails, f"{name}: exit {out.returncode}: {out.stdout}{out.stderr}")
    return out.stdout


def main(namespace):
    """Runs every test_* of the case, or those named on the command line."""
    tests = {k: v for k, v in namespace.items() if k.startswith("test_") and callable(v)}
    wanted = sys.argv[1:] or tests
    failed = 0
    for name in wanted:
        start = time.monotonic()
        try:
            tests[name]()
            print(f"ok   {name.removeprefix('test_')} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as e:
            failed += 1
            print(f"FAIL {name.removeprefix('test_')}: {e}", flush=True)
            if not isinstance(e, Failure):
                traceback.print_exc(file=sys.stdout)
    print(f"{len(wanted) - failed} passed, {failed} failed")
    sys.exit(failed != 0)
