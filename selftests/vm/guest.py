# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a case can do in the guest."""

import base64
import json
import shlex
import time

import state
from machine import Machine
from observer import Observer
from qmp import ChannelError, Refused

POLL_MIN_S, POLL_MAX_S = 0.01, 0.1
GRACE_S = 20  # beyond a command's own deadline, before the guest counts as wedged
CHUNK_BYTES = 1 << 20


class CommandFailed(AssertionError):
    """A command in the guest ended with something else than 0."""


class TimedOut(AssertionError):
    """What was waited for did not come."""


class Skip(Exception):
    """This case cannot run here."""


class Guest:
    """The guest of one case. Its methods raise AssertionError for what a case may fail on and
    qmp.ChannelError when the machine itself is broken."""

    def __init__(self, machine: Machine, ready=None, baseline=None):
        self.machine = machine
        self.ready = ready  # name of the snapshot that cases start from
        self.baseline = baseline  # digest of the host state in it
        self.observers = []
        self.last_diff = []
        self.notes = []
        self.patience_s = float("inf")  # bound for waits that are expected to be in vain

    @property
    def http_port(self):
        """Port on 127.0.0.1 of this host that leads to port 8080 of the guest."""
        return self.machine.http_port

    def run(self, command, check=True, timeout_s=60, stdin=b""):
        """Run COMMAND, a list of arguments or a line for /bin/sh, as root.
        Returns (exit status, stdout, stderr); a killed command has status 128 + signal, one that
        overran TIMEOUT_S 124 or 137. With CHECK anything but 0 raises CommandFailed."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        pid = self._start(argv, timeout_s, stdin)
        code, out, err = self._collect(pid, timeout_s + GRACE_S)
        if check and code:
            text = command if isinstance(command, str) else shlex.join(command)
            raise CommandFailed(f"run '{text}': exit {code}: {(err or out).strip()[-2000:]}")
        return code, out, err

    def out(self, command, timeout_s=60):
        """Stdout of a command that must succeed, without its last newline."""
        return self.run(command, timeout_s=timeout_s)[1].rstrip("\n")

    def json(self, command, timeout_s=60):
        """Stdout of a command that must succeed, parsed."""
        return json.loads(self.run(command, timeout_s=timeout_s)[1])

    def write(self, path, content, mode=0o644):
        """Make the file PATH in the guest with CONTENT (bytes or text)."""
        raw = content.encode() if isinstance(content, str) else content
        handle = self._call("guest-file-open", {"path": str(path), "mode": "w"})
        try:
            for start in range(0, len(raw), CHUNK_BYTES):
                chunk = base64.b64encode(raw[start : start + CHUNK_BYTES]).decode()
                self._call("guest-file-write", {"handle": handle, "buf-b64": chunk})
        finally:
            self._call("guest-file-close", {"handle": handle})
        self.run(["chmod", f"{mode:o}", str(path)])

    def read(self, path):
        """Bytes of a file in the guest (also of /proc and /sys)."""
        try:
            handle = self._call("guest-file-open", {"path": str(path), "mode": "r"})
        except Refused as error:
            raise AssertionError(f"read '{path}': {error}") from error
        content = b""
        try:
            while True:
                part = self._call("guest-file-read", {"handle": handle, "count": CHUNK_BYTES})
                content += base64.b64decode(part["buf-b64"])
                if part["eof"] or not part["count"]:
                    return content
        finally:
            self._call("guest-file-close", {"handle": handle})

    def wait_for(self, predicate, timeout_s, what):
        """Ask PREDICATE until it is true and return what it returned."""
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_MIN_S
        while True:
            answer = predicate()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise TimedOut(f"wait for {what}: not within {timeout_s} s")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.5)

    def journal(self, *arguments):
        """The guest's journal as text; ARGUMENTS as of journalctl."""
        return self.out(["journalctl", "--no-pager", "-o", "short-precise", *arguments])

    def unit_state(self, unit):
        """ActiveState of a unit."""
        return self.out(["systemctl", "show", "-P", "ActiveState", unit])

    def settle(self, timeout_s=120):
        """Wait until systemd has no job left to do."""
        self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout_s=timeout_s)
        self.wait_for(lambda: self.out(["systemctl", "list-jobs", "--no-legend"]) == "", timeout_s,
                      "systemd to have no jobs")

    def note(self, text):
        """A line to print under the case's own, such as a time that was measured."""
        self.notes.append(text)

    def restore(self):
        """Back to where every case starts; about a second."""
        self.machine.restore(self.ready)

    def observe(self, path="/healthz", **how):
        """A running Observer of the guest's port 8080, stopped at the end of the case."""
        observer = Observer(self.http_port, path, **how).__enter__()
        self.observers.append(observer)
        return observer

    def state(self):
        """Digest of the host state now."""
        return state.take(self)

    def state_diff(self, before=None):
        """What differs from BEFORE, or from where every case starts."""
        lines = state.diff(before or self.baseline, self.state())
        self.last_diff = state.without_undoable(lines, self)
        return self.last_diff

    def assert_nothing_left(self, timeout_s=15, before=None, allow=()):
        """The host is as it was, give or take TIMEOUT_S for things to end. ALLOW holds texts;
        lines that contain one are what the case itself did."""
        def clean():
            lines = self.state_diff(before)
            return not [line for line in lines if not any(text in line for text in allow)]
        try:
            self.wait_for(clean, min(timeout_s, self.patience_s), "a clean host state")
        except TimedOut as error:
            raise AssertionError("left behind:\n" + "\n".join(self.last_diff[:40])) from error

    def skip(self, reason):
        """Leave this case out; only for cases listed in selftests/skips."""
        raise Skip(reason)

    def power_cut(self):
        """Kill the machine and boot it again from its disk."""
        self.machine.kill()
        self.machine.start()
        state.send(self)

    def _call(self, command, arguments, timeout_s=30):
        return self.machine.agent.call(command, arguments, timeout_s)

    def _start(self, argv, timeout_s, stdin):
        # Commands must not inherit the agent's shield from the OOM killer.
        script = 'echo 0 >/proc/self/oom_score_adj; exec timeout -k 2 "$0" "$@"'
        request = {"path": "/bin/sh", "arg": ["-c", script, str(timeout_s), *argv],
                   "capture-output": True,
                   "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "PAGER=cat",
                           "SYSTEMD_PAGER=cat"]}
        if stdin:
            raw = stdin.encode() if isinstance(stdin, str) else stdin
            request["input-data"] = base64.b64encode(raw).decode()
        return self._call("guest-exec", request)["pid"]

    def _collect(self, pid, timeout_s):
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_MIN_S
        while True:
            status = self._call("guest-exec-status", {"pid": pid})
            if status["exited"]:
                break
            if time.monotonic() > deadline:
                raise ChannelError(f"wait for process {pid} of the guest: it does not end")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_MAX_S)
        code = status.get("exitcode", 128 + status.get("signal", 0))
        return code, _text(status.get("out-data")), _text(status.get("err-data"))


def _text(encoded):
    return base64.b64decode(encoded or "").decode("utf-8", "replace")
