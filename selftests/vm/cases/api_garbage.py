# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand malformed requests and frames over all sockets: clear errors and nothing else."""

import product

TAGS = {"quick"}
SUMMARY = "1,000 malformed requests and frames: clear errors, no crash, no growth"
# Pages that are touched for the first time, buffers of a first error: not a leak.
GROWTH_MAX_KIB = 1024
WARM_UP, COUNT = 200, 1000

THROW = r"""
import collections, json, os, random, socket, struct, sys
seed, count = int(sys.argv[1]), int(sys.argv[2])
dice = random.Random(seed)
HTTP = ["control", "approve", "history"]
FRAMES = ["exec", "record", "gateway"]
PATHS = ["/", "/v1/incidents/%00", "/v1/incidents/" + "z" * 3000, "/v1/attempts/../../etc/passwd",
         "/v1/actions/unit.restart", "/v1/actions/rm", "/v1/mode", "/v1/records/zzzz",
         "/v1/metrics?signal=" + "x" * 500, "/v1/incidents?limit=-1", "/v1/approvals/0000"]
BODIES = [b"{", b"[]", b'{"params":1}', b'{"params":{"unit":7.5}}', b'{"params":{"unit":"x;y"}}',
          b'{"mode":"god"}', b'{"a":' * 200, b'{"mode":"auto","mode":"auto"}x', b"\xff\xfe\x00",
          b'{"decision":"approve","hash":"0"}', b'{"params":{"unit":"dbus.service"}}', b"A" * 90000]
seen = collections.Counter()
def ask(name):
    method = dice.choice(["GET", "POST", "PUT", "DELETE", "get", "BREW", "POST"])
    body = dice.choice(BODIES)
    kind = dice.randrange(6)
    if kind == 0:
        raw = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 600))) + b"\r\n\r\n"
    elif kind == 1:
        raw = b"GET / HTTP/9.9\r\nHost\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n"
    else:
        head = f"{method} {dice.choice(PATHS)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        raw = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(f"/run/aiops/{name}.sock")
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while (part := s.recv(65536)):
                answer += part
        except (ConnectionError, BrokenPipeError):
            answer = b""
    if not answer.startswith(b"HTTP/1."):
        seen["closed"] += 1
        return
    status = int(answer.split(b" ")[1])
    # 505, HTTP Version Not Supported, is the right word for a line of noise.
    seen[4 if status == 505 else status // 100] += 1
    body = answer.split(b"\r\n\r\n", 1)[1]
    if status >= 400 and body.strip().startswith(b"{"):
        error = json.loads(body)["error"]
        seen["explained"] += bool(error["message"])
def frame(name):
    size = dice.choice([0, 1, 15, 16, 17, 100, 3000, 60000])
    kind, magic = dice.randrange(16), dice.choice([0x61696F70, 0x61696F70, 0, 0xFFFFFFFF])
    head = struct.pack("<IHHII", magic, dice.choice([1, 1, 2, 0]), kind,
                       dice.choice([size, 16, 0, 2**32 - 1]), dice.choice([0, 7]))
    raw = (head + bytes(dice.randrange(256) for _ in range(min(size, 400))) * 150)[: size or 16]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(f"/run/aiops/{name}.sock")
        try:
            s.send(raw)
            s.recv(65536)
        except (ConnectionError, BrokenPipeError, TimeoutError):
            pass
    seen["frames"] += 1
for number in range(count):
    if number % 4 == 3:
        with_socket = FRAMES[number // 4 % 3]
        frame(with_socket)
    else:
        ask(HTTP[number % 3])
print(json.dumps({str(key): value for key, value in seen.items()}))
"""


def cost(vm):
    """Resident memory in KiB and descriptors of each of ours."""
    found = {}
    for name, pid in product.pids(vm).items():
        status = vm.read(f"/proc/{pid}/status").decode()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        found[name] = (int(resident.split()[1]), len(vm.out(f"ls /proc/{pid}/fd").split()))
    return found


def throw(vm, seed, count):
    return product.json.loads(vm.out(["python3", "/run/vmtest/throw.py", str(seed), str(count)],
                                     timeout_s=240))


def run(vm):
    product.wait_ready(vm)
    vm.write("/run/vmtest/throw.py", THROW)
    throw(vm, 1, WARM_UP)
    pids, before = product.pids(vm), cost(vm)
    seen = throw(vm, 2, COUNT)
    assert product.pids(vm) == pids, "a process died of it"
    for name in product.SERVICES:
        assert product.unit(vm, name, "NRestarts")["NRestarts"] == "0", name
    after = cost(vm)
    for name, (resident, descriptors) in after.items():
        grown = resident - before[name][0]
        assert grown <= GROWTH_MAX_KIB, f"{name} grew by {grown} KiB"
        assert descriptors <= before[name][1] + 1, f"{name}: {before[name][1]} -> {descriptors} fds"
    assert seen.get("5", 0) == 0, seen
    assert seen.get("explained", 0) > 200, seen
    product.assert_no_action(vm)
    vm.note(f"answers: {seen}")
    product.heal(vm, "unit.kill", f"unit={product.TARGET}")
