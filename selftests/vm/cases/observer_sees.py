# SPDX-License-Identifier: LGPL-2.1-or-later
"""The judge is judged: the observer tells up, down, hanging and healed apart."""

import time

TAGS = {"bare", "quick"}
SUMMARY = "the observer tells good, dead, hanging and healed services apart"
SERVE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def start(vm):
    vm.run(["systemd-run", "--quiet", "--unit=web", "python3", "-c", SERVE])


def run(vm):
    vm.run("systemctl stop aiops-target-api.service", check=False)  # the port is ours here
    watch = vm.observe("/healthz")
    start(vm)
    watch.wait_up(30)

    hung_s = time.monotonic()
    vm.run("systemctl kill -s STOP web")
    watch.wait_down(5, hung_s)
    vm.run("systemctl kill -s CONT web")
    watch.wait_healed(15, sustain_s=2, after_s=hung_s)

    dead_s = time.monotonic()
    vm.run("systemctl stop web")
    watch.wait_down(5, dead_s)
    assert watch.stays_down(2), "good answers from a stopped service"
    assert watch.healed(1, dead_s) is None
    start(vm)
    watch.wait_healed(30, sustain_s=2, after_s=dead_s)
    times = watch.report(dead_s, sustain_s=2)
    assert 2 < times["outage_s"] < 30, times
    vm.note("felt after {felt_after_s:.1f} s, healed after {healed_after_s:.1f} s".format(**times))
