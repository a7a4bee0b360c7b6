# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service whose only thread waits for itself: active, idle, and its accept queue fills up. Late packets look
the same from outside, and not to the kernel."""

import product

TAGS = set()
SUMMARY = "a deadlock is told from a slow network, and a restart is suggested"
UNIT = "vmtest-stuck.service"
PORT = 8099
SERVER = f"""
import http.server, threading
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/deadlock":
            lock.acquire()
        with lock:
            self.send_response(200)
            self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", {PORT}), Handler).serve_forever()
"""
SERVICE = f"""name: stuck
unit: {UNIT}
endpoints:
  - name: stuck-health
    url: http://127.0.0.1:{PORT}/
"""
DAEMONS = "aiops-agent aiops-gateway aiops-executor aiops-recorder"


def endpoint_up(vm):
    values = [one["value"] for one in product.get(vm, "control", "/v1/signals")["signals"]
              if one["entity"] == "endpoint:stuck-health" and one["signal"] == "endpoint.up_bool"]
    return values == [1]


def explained(vm):
    return next((one for one in product.incidents(vm) if one["cause"] == "service-stuck"), None)


def run(vm):
    product.wait_ready(vm)
    vm.write("/etc/vmtest-stuck.py", SERVER)
    vm.write(f"/etc/systemd/system/{UNIT}",
             "[Service]\nExecStart=/usr/bin/python3 /etc/vmtest-stuck.py\nTimeoutStopSec=5\n")
    vm.run("mkdir -p /etc/aiops/services.d")
    vm.write("/etc/aiops/services.d/stuck.yaml", SERVICE)
    vm.run(f"systemctl daemon-reload && systemctl start {UNIT} && systemctl reload {DAEMONS}")
    vm.wait_for(lambda: endpoint_up(vm), 60, "the server's endpoint is up")
    vm.run(f"curl -s --max-time 1 http://127.0.0.1:{PORT}/deadlock", check=False)
    product.wait_incident(vm, {"escalated"}, 90, never={"acting"})
    # Its first look may come before the queue has been seen at two looks: it is told again then.
    incident = vm.wait_for(lambda: explained(vm), 30, "the cause is service-stuck")
    assert incident["entity"] == f"unit:{UNIT}", product.brief([incident])
    command = f"aiopsctl do unit.restart unit={UNIT}"
    told = product.told(vm, incident["id"])
    assert any(line.endswith(f"If you agree: {command}") for line in told), told
    product.assert_no_action(vm)
    # What it says helps.
    vm.run(f"{command} --yes")
    product.wait_incident(vm, {"cleared"}, 90)
