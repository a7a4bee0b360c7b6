# SPDX-License-Identifier: LGPL-2.1-or-later
"""remote.sock by its real unit: off as installed, opened by root's key, and for proposals alone; and what
plane.sock takes from others than the agent."""

import json

import product

TAGS = {"long"}
SUMMARY = "remote callers are off by default, and with root's key may read and propose, no more"
TIMEOUT_S = 240
SOCKET = "/run/aiops/remote.sock"
KEY = "a-key-of-the-case-0123456789"
UNIT = "aiops-target-api.service"
ENABLE = """install -d -m 0700 /etc/credstore
systemctl enable aiops-remote.socket
systemctl restart aiops-executor
"""
# A root that is named like control.sock: the end that connects, bound to that name in a root of its own.
FORGE = """
import os, socket, sys
os.chroot(sys.argv[1])
s = socket.socket(socket.AF_UNIX)
s.bind("/run/aiops/control.sock")
listener = socket.socket(socket.AF_UNIX)
listener.bind("/listener")
listener.listen()
s.connect("/listener")
a, _ = listener.accept()
a.sendall(b"POST /v1/pause HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n")
plane = socket.socket(fileno=int(sys.argv[2]))
os.setgid(int(sys.argv[4]))
os.setuid(int(sys.argv[3]))
socket.send_fds(plane, [b"x"], [s.fileno()])
s.close()
a.settimeout(10)
try:
    print(a.recv(4096))
except ConnectionResetError:
    print("refused unread")
"""


def ask(vm, method, path, key=None, body=None):
    line = ["runuser", "-u", "nobody", "--", "curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "--unix-socket", SOCKET, "-X", method]
    line += ["-H", f"Authorization: Bearer {key}"] if key else []
    line += ["-d", json.dumps(body)] if body else []
    _, out, err = vm.run([*line, f"http://aiops{path}"], check=False)
    text, _, status = out.rpartition("\n")
    return int(status or 0), json.loads(text) if text.strip() else err


def is_paused(vm):
    return product.get(vm, "approve", "/v1/status")["paused"]


def off_as_installed(vm):
    product.wait_ready(vm)
    vm.run("systemctl restart aiops-executor.service")
    assert vm.unit_state("aiops-remote.socket") == "inactive", "off"
    assert vm.run(["test", "-e", SOCKET], check=False)[0] != 0, "and not there"


def without_a_key(vm):
    vm.run(ENABLE)
    vm.wait_for(lambda: ask(vm, "GET", "/v1/status", KEY)[0] == 401, 20, "remote.sock refuses all")


def with_a_key(vm):
    vm.write("/etc/credstore/aiops_remote-key", KEY + "\n", 0o600)
    vm.run("systemctl restart aiops-executor.service")
    vm.wait_for(lambda: ask(vm, "GET", "/v1/status", KEY)[0] == 200, 20, "the key opens it")
    for key in (None, KEY[:-1], KEY + "x", KEY.upper()):
        status, answer = ask(vm, "POST", "/v1/actions/unit.restart", key, {"params": {"unit": UNIT}})
        assert status == 401 and answer["error"]["code"] == "unauthorized", f"{key}: {status} {answer}"
    before = product.started_by(vm, UNIT)
    status, asked = ask(vm, "POST", "/v1/actions/unit.restart", KEY, {"params": {"unit": UNIT}})
    assert status == 202 and asked["phase"] == "waiting", f"{status} {asked}"
    told = {"decision": "approve", "hash": asked["hash"]}
    for method, path, body in (("POST", f"/v1/approvals/{asked['key']}", told), ("POST", "/v1/pause", None),
                               ("DELETE", f"/v1/attempts/{asked['key']}", None), ("POST", "/v1/mode", {"mode": "auto"})):
        status, answer = ask(vm, method, path, KEY, body)
        assert status == 403, f"{method} {path}: {status} {answer}"
        vm.note(f"with the key: {method} {path[:20]:20} {status}")
    assert product.started_by(vm, UNIT) == before, "nothing is done before a person says so"
    vm.run(["aiopsctl", "approve", asked["key"], "--yes"])
    vm.wait_for(lambda: product.started_by(vm, UNIT) != before, 60, "then it is restarted")
    assert KEY not in vm.out("journalctl -b -o cat --no-pager"), "the key is nowhere in the journal"
    assert KEY not in vm.out("cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -v Bearer; true")


def off_again(vm):
    vm.run("systemctl disable --now aiops-remote.socket && systemctl restart aiops-executor.service")
    assert vm.run(["test", "-e", SOCKET], check=False)[0] != 0, "gone"


def nobody_forges_a_caller(vm):
    """As the agent's own user, with a root directory of its own and root's word for who listens."""
    vm.run("mkdir -p /run/forge/run/aiops && chmod -R 0777 /run/forge")
    vm.write("/run/forge.py", FORGE)
    out = vm.out("python3 - <<'END'\nimport os, pwd, socket, subprocess\n"
                 "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('/run/aiops/plane.sock')\n"
                 "u = pwd.getpwnam('aiops')\nos.set_inheritable(s.fileno(), True)\n"
                 "print(subprocess.run(['python3', '/run/forge.py', '/run/forge', str(s.fileno()), str(u.pw_uid), str(u.pw_gid)],"
                 " pass_fds=[s.fileno()], text=True, capture_output=True))\nEND")
    assert "refused unread" in out, f"the forged connection is closed, and nothing of it read: {out}"
    assert not is_paused(vm), "nobody paused it"
    vm.note("a forged connection of root's is refused")


def asked_while_the_executor_is_away(vm):
    """It is started by what is asked of it, and knows who asked."""
    vm.run("systemctl stop aiops-executor.service")
    line = ["curl", "-sS", "-m", "20", "--unix-socket", "/run/aiops/control.sock", "http://aiops/v1/attempts"]
    assert "attempts" in vm.json(line), "the executor was started and answers"


def run(vm):
    off_as_installed(vm)
    without_a_key(vm)
    with_a_key(vm)
    off_again(vm)
    nobody_forges_a_caller(vm)
    asked_while_the_executor_is_away(vm)
