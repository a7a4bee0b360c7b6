# SPDX-License-Identifier: LGPL-2.1-or-later
"""JSON over a Unix socket: QEMU's monitor and the guest agent speak it in two dialects."""

import json
import random
import socket
import time


class ChannelError(Exception):
    """The other side is gone, silent or refused; the machine is not to be trusted any more."""


class Refused(ChannelError):
    """The other side is well and says no."""


class Channel:
    def __init__(self, path, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.buffer = b""
        self.last_id = 0
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.socket.connect(str(path))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ChannelError(f"connect to '{path}': {error}") from error
                time.sleep(0.02)

    def close(self):
        self.socket.close()

    def send(self, raw):
        try:
            self.socket.sendall(raw)
        except OSError as error:
            raise ChannelError(f"send: {error}") from error

    def read_until(self, mark, deadline):
        """Bytes up to and without MARK."""
        while mark not in self.buffer:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ChannelError("receive: no answer in time")
            self.socket.settimeout(left_s)
            try:
                more = self.socket.recv(1 << 20)
            except socket.timeout:
                continue
            except OSError as error:
                raise ChannelError(f"receive: {error}") from error
            if not more:
                raise ChannelError("receive: closed by the other side")
            self.buffer += more
        line, self.buffer = self.buffer.split(mark, 1)
        return line

    def call(self, command, arguments, timeout_s):
        self.last_id += 1
        request = {"execute": command, "id": self.last_id}
        if arguments:
            request["arguments"] = arguments
        self.send(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + timeout_s
        while True:
            answer = json.loads(self.read_until(b"\n", deadline))
            if answer.get("id", self.last_id) != self.last_id:
                continue  # to a question that was given up
            if "error" in answer:
                raise Refused(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


class Monitor(Channel):
    """QEMU itself."""

    def __init__(self, path, timeout_s=10):
        super().__init__(path, timeout_s)
        self.read_until(b"\n", time.monotonic() + timeout_s)
        self.call("qmp_capabilities", None, timeout_s)

    def human(self, line, timeout_s=60):
        """A line of the human monitor, which alone knows savevm and loadvm; text is an error."""
        text = self.call("human-monitor-command", {"command-line": line}, timeout_s).strip()
        if text:
            raise ChannelError(f"{line}: {text}")


class Agent(Channel):
    """qemu-guest-agent in the guest."""

    def sync(self, timeout_s):
        """Forget whatever was half said, as after a restore. Retries: the agent may not be up."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._sync_once(min(deadline, time.monotonic() + 5))
            except ChannelError:
                if time.monotonic() >= deadline:
                    raise

    def _sync_once(self, deadline):
        token = random.getrandbits(31)
        request = {"execute": "guest-sync-delimited", "arguments": {"id": token}}
        self.send(b"\xff" + json.dumps(request).encode() + b"\n")
        while True:
            self.read_until(b"\xff", deadline)
            answer = json.loads(self.read_until(b"\n", deadline))
            if answer.get("return") == token:
                self.buffer = b""
                return
