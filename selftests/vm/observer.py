# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client outside the guest, with its own clock, that decides what is broken and healed."""

import collections
import http.client
import threading
import time

PERIOD_S = 0.2
TIMEOUT_S = 1.0

Sample = collections.namedtuple("Sample", "at_s ok latency_s")


class Observer:
    """Asks a URL of the guest five times a second. All times are time.monotonic() of this host.

    An answer is good if it is 200 and came within SLOW_S. Use it as a context manager."""

    def __init__(self, port, path="/healthz", slow_s=TIMEOUT_S):
        self.port, self.path, self.slow_s = port, path, slow_s
        self.samples = []
        self.news = threading.Condition()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()

    def down_since(self, after_s=0.0):
        """When the first bad answer at or after AFTER_S was asked for; None if all were good."""
        return next((s.at_s for s in self._since(after_s) if not s.ok), None)

    def healed(self, sustain_s, after_s=0.0):
        """When the first run of good answers that lasted SUSTAIN_S began, looking from AFTER_S on; None
        if there is none (yet). A slow answer later on does not make it unhealed."""
        start = None
        for sample in self._since(after_s):
            if not sample.ok:
                start = None
            elif start is None:
                start = sample.at_s
            elif sample.at_s - start >= sustain_s:
                return start
        return None

    def wait_up(self, timeout_s, sustain_s=1.0):
        """Wait for good answers before anything is broken."""
        return self._wait(lambda: self.healed(sustain_s), timeout_s, "first good answers")

    def wait_down(self, timeout_s, after_s=0.0):
        return self._wait(lambda: self.down_since(after_s), timeout_s, "a bad answer")

    def wait_healed(self, timeout_s, sustain_s=5.0, after_s=0.0):
        """Wait until it broke after AFTER_S and was good again for SUSTAIN_S; returns when the good
        answers began."""
        down_s = self.wait_down(timeout_s, after_s)
        return self._wait(lambda: self.healed(sustain_s, down_s), timeout_s, "good answers again")

    def stays_down(self, for_s, after_s=0.0):
        """Whether all answers of the next FOR_S are bad: what nobody may repair stays broken."""
        begin_s = max(after_s, time.monotonic())
        self._wait(lambda: self.samples and self.samples[-1].at_s >= begin_s + for_s, for_s + 10,
                   "the end of the watch")
        return not any(s.ok for s in self._since(begin_s))

    def report(self, broken_s, sustain_s=5.0):
        """Seconds from BROKEN_S, when the fault was set, to its first effect and to the repair."""
        down_s = self.down_since(broken_s)
        healed_s = self.healed(sustain_s, down_s) if down_s is not None else None
        return {
            "felt_after_s": None if down_s is None else down_s - broken_s,
            "healed_after_s": None if healed_s is None else healed_s - broken_s,
            "outage_s": None if healed_s is None else healed_s - down_s,
        }

    def text(self):
        """All samples, for the logs of a failed case."""
        with self.news:
            return "".join(f"{s.at_s:.3f} {'good' if s.ok else 'BAD'} {s.latency_s * 1000:.0f} ms\n"
                           for s in self.samples)

    def _since(self, after_s):
        with self.news:
            return [s for s in self.samples if s.at_s >= after_s]

    def _wait(self, predicate, timeout_s, what):
        deadline = time.monotonic() + timeout_s
        while True:
            answer = predicate()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"observer waits for {what}: not within {timeout_s} s")
            with self.news:
                self.news.wait(TIMEOUT_S)

    def _watch(self):
        while not self.stopping.is_set():
            sample = self._ask()
            with self.news:
                self.samples.append(sample)
                self.news.notify_all()
            self.stopping.wait(max(0.0, sample.at_s + PERIOD_S - time.monotonic()))

    def _ask(self):
        begin_s = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
            good = answer.status == 200
        except (OSError, http.client.HTTPException):
            good = False
        finally:
            connection.close()
        latency_s = time.monotonic() - begin_s
        return Sample(begin_s, good and latency_s <= self.slow_s, latency_s)
