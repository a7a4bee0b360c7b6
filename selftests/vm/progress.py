# SPDX-License-Identifier: LGPL-2.1-or-later
"""Progress on stderr: a line that updates itself on a terminal, plain lines elsewhere."""

import contextlib
import shutil
import sys
import threading
import time

REFRESH_S = 0.5


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.tty = stream.isatty()
        self.detail = ""

    @contextlib.contextmanager
    def step(self, name):
        """Show NAME while the body runs, then what it took."""
        started = time.monotonic()
        self.detail = ""
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(name, started, done), daemon=True)
        if self.tty:
            ticker.start()
        else:
            self._write(f"  {name} ...\n")
        outcome = "failed"
        try:
            yield self
            outcome = "done"
        finally:
            done.set()
            if self.tty:
                ticker.join()
            clear = "\r\033[K" if self.tty else ""
            self._write(f"{clear}  {name:<34} {outcome:<6} {time.monotonic() - started:6.1f} s\n")

    def note(self, text):
        """What the running step is at; shown on terminals only."""
        self.detail = text

    def say(self, text):
        clear = "\r\033[K" if self.tty else ""
        self._write(f"{clear}  {text}\n")

    def _tick(self, name, started, done):
        while not done.wait(REFRESH_S):
            line = f"  {name:<34} {time.monotonic() - started:6.1f} s  {self.detail}"
            self._write("\r\033[K" + line[: shutil.get_terminal_size().columns - 1])

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()
