#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Malformed and hostile HTTP requests over all endpoints. Alone, with nothing but Python's own library,
so that it runs in the guest as on metal:

    hostile.py RUNTIME_DIR SEED COUNT

The endpoints are those that each server there lists in its /openapi.json. None of the requests may change
anything: each that goes to an endpoint which could is broken in a way that must be refused. The sum goes to
stdout."""

import collections
import json
import random
import re
import select
import socket
import sys
from pathlib import Path

TIMEOUT_S = 10
PATIENCE_S = 0.01  # the end told at once with the rest is one edge, and libmicrohttpd waits for another
ANSWER_MAX = 8 << 20
EXAMPLES_MAX = 10
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

UNITS = ["../../etc/passwd", "a/b.service", "/etc/shadow", "..", ".service", "x", "", "x;reboot", "a b.service",
         "x.service\n", "x\u0000.service", "$(id).service", "-.service/..", "x.service/../y.service",
         "u" * 300 + ".service", "\u202egpj.service", "é.service", "x.bogus", "%s%n.service", "'x.service'"]
NUMBERS = ["-1", "0", "1e400", "-1e400", "18446744073709551616", "9223372036854775808", "99999999999999999999999",
           "0x10", "1.5", "-0", "1e3", "007", "+5", "NaN", "Infinity", "9" * 5000]
TAILS = ["", ".", "..", "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%00", "a%00b", "%", "%zz",
         "%ff%fe", "%c0%ae%c0%ae/", "%e2%80%ae", "%0d%0aX:y", "z" * 3000, "a/b/c", "/", "//", "~root", "0" * 11,
         "zzzzzzzzzzz", "0" * 32, "f" * 33, "????", "*", "unit.restart/..", "unit%2erestart%00", "UNIT.RESTART",
         "-1", "' OR 1=1 --", "x;y", "{}", "a%20b"]
QUERIES = ["limit", "since_usec", "until_usec", "state", "unit", "entity", "signal", "after", "dry_run", "follow",
           "id", "x"]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "BREW", "G",
           "M" * 2000]
VERSIONS = ["HTTP/1.0", "HTTP/0.9", "HTTP/1.9", "HTTP/2.0", "HTTP/9.9", "HTTP/", "http/1.1", "HTTP/1", "", "X",
            "HTTP/99999999999.1", "HTTP/1.1 x"]
# Not JSON objects, or not JSON: no endpoint takes them.
BROKEN = [b"{", b"}", b"[]", b"null", b"7", b'"x"', b'{"a":1}x', b'{"a":1}{"a":1}', b"\xff\xfe\x00\x00", b'{"a":"\xff"}',
          b'{"a":"\xc0\xae"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\\u0000"}', b'\xef\xbb\xbf{}', b'{"a":1,"a":2}',
          b'{"params":{"unit":"a.service","unit":"b.service"}}', b'{"a":1,}', b"{'a':1}", b'{"a":NaN}', b'{"a":01}',
          b'{"a":' * 20000, b"[" * 60000, b'{"a":' * 31 + b"1" + b"}" * 31 + b"]", b'{"a":1e999}', b"A" * 90000,
          b'{"a":"' + b"x" * 70000 + b'"}', b'{"a":/* */1}', b"\x00", b'{"a":"\n"}']
# Objects that no endpoint which changes something takes.
WRONG = [{}, {"x": 1}, {"params": 1}, {"params": []}, {"params": None}, {"params": {}}, {"mode": "god"}, {"mode": 7},
         {"mode": None}, {"mode": ["auto"]}, {"mode": "AUTO"}, {"op": "apply"}, {"op": 1}, {"op": "revert "},
         {"decision": "approve"}, {"decision": "approve", "hash": "0"}, {"decision": 1, "hash": 1},
         {"decision": "approve", "hash": "f" * 64}, {"hash": {}}, {"a": [[[[[[[[]]]]]]]]}]
# Endpoints that change something and need a good object to do so. Any other may do it for any object, or for
# none: it gets what is no object, and in plain framing.
TAKES_OBJECT = {"/v1/actions/*", "/v1/approvals/*", "/v1/attempts/*", "/v1/mode"}


def is_touchy(method, path):
    return method != "GET" and path not in TAKES_OBJECT


def receive(s):
    """All up to the end; an error is an end, too."""
    answer = b""
    try:
        while len(answer) < ANSWER_MAX and (part := s.recv(65536)):
            answer += part
    except ConnectionError:
        pass
    return answer


def exchange(path, raw):
    """What a server answers to these bytes; b"" where it only closes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(TIMEOUT_S)
        s.connect(str(path))
        try:
            s.sendall(raw)
            select.select([s], [], [], PATIENCE_S)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was faster
        answer = receive(s)
    return answer.removeprefix(CONTINUE)


def polite(path, method, url):
    return exchange(path, f"{method} {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def endpoints(runtime):
    """[(socket name, method, path with * for what varies)] of all servers."""
    found = []
    for path in sorted(Path(runtime).glob("*.sock")):
        try:
            document = json.loads(body_of(polite(path, "GET", "/openapi.json")))
        except OSError:
            continue  # it takes frames
        found += [(path.stem, method.upper(), re.sub(r"{\w+}", "*", url))
                  for url, methods in document["paths"].items() for method in methods]
    return found


class Thrower:
    def __init__(self, runtime, seed):
        self.runtime, self.dice = Path(runtime), random.Random(seed)
        self.targets = endpoints(runtime)
        self.answers = collections.Counter()
        self.per_endpoint = collections.Counter()
        self.violations = []
        self.calm = {}  # answers of 5xx that a polite caller gets, too: /ready of one that is not
        for name, method, path in self.targets:
            if method == "GET":
                self.calm[name, path] = status_of(polite(self.socket(name), method, path.replace("*", "x")))
        listed = body_of(polite(self.socket("approve"), "GET", "/v1/actions"))
        self.actions = {action["name"]: action for action in json.loads(listed)["actions"]}

    def socket(self, name):
        return self.runtime / f"{name}.sock"

    def bad_params(self, action):
        """The parameters of a real action, one of them wrong."""
        params = {p["name"]: self.dice.choice([-1, 2**31, 2**64, "x", "", None, True, [], {}, 1.5, "9" * 500])
                  for p in action["params"]}
        params["unit"] = self.dice.choice(UNITS + [None, 7, 7.5, [], {}, True])
        if self.dice.random() < 0.2:
            params |= {f"p{i}": "x" for i in range(self.dice.choice([1, 20, 500]))}
        return {"params": params, "reason": self.dice.choice(["x", 7, "y" * 5000, "\u0007", None])}

    def number_body(self):
        """A huge or odd number where a number may be, as no serialiser would write it."""
        return b'{"params":{"unit":"a/b.service","quota_pct":%s}}' % self.dice.choice(NUMBERS).encode()

    def body(self, method, path):
        if method == "GET" and self.dice.random() < 0.7:
            return b""
        if is_touchy(method, path) or self.dice.random() < 0.4:
            return self.dice.choice(BROKEN)
        if self.dice.random() < 0.2:
            return self.number_body()
        return json.dumps(self.dice.choice(WRONG), ensure_ascii=self.dice.random() < 0.5).encode()

    def query(self):
        pairs = []
        for _ in range(self.dice.choice([0, 0, 1, 1, 2, 3, 30])):
            value = self.dice.choice(NUMBERS + TAILS + ["%22", "a=b", "&", "\x7f"])
            pairs.append(self.dice.choice([f"{self.dice.choice(QUERIES)}={value}", self.dice.choice(QUERIES)]))
        return "?" + "&".join(pairs) if pairs else ""

    def url(self, path):
        """The endpoint's path with a hostile tail, or the path itself turned into one of tricks."""
        if path.endswith("*"):
            return path[:-1] + self.dice.choice(TAILS)
        return self.dice.choice([path] * 6 + [path + "/", "/" + path, path + "/..", path + "%00", path.upper(),
                                              path.replace("/", "/./", 1), f"http://x{path}", path + ";x", path[1:],
                                              "/v1/../.." + path, path + "\x01", path.replace("v1", "v%31")])

    def request(self, name, method, path):
        url, version, touchy = self.url(path), "HTTP/1.1", is_touchy(method, path)
        body = self.body(method, path)
        action = self.actions.get(path.removeprefix("/v1/actions/"))
        if action and self.dice.random() < 0.7:
            url = path + self.dice.choice(["", "?dry_run=1"])
            body = json.dumps(self.bad_params(action), ensure_ascii=self.dice.random() < 0.5).encode()
        elif self.dice.random() < 0.5:
            url += self.query()
        if self.dice.random() < 0.15:
            method = self.dice.choice([m for m in METHODS if m != "POST"])
        if self.dice.random() < 0.1:
            version = self.dice.choice(VERSIONS)
        return self.wrap(f"{method} {url} {version}", body, touchy)

    def wrap(self, line, body, touchy):
        head = [line.rstrip(" ").encode("utf-8", "replace")]
        head.append(self.dice.choice([b"Host: x"] * 8 + [b"Host:", b"host: \xff", b"X: y", b"Host: x\r\nHost: y"]))
        # libmicrohttpd takes a header without a name for the end of the head: no body, then.
        head += [self.dice.choice([b"X: " + b"y" * 20000, b"X: empty" if touchy else b": empty", b"no colon", b" folded: x", b"X\x00Y: z",
                                   b"Expect: 100-continue", b"Cookie: " + b"a=b; " * 500, b"Connection: upgrade",
                                   b"Upgrade: h2c", b"Content-Type: text/html", b"Authorization: Bearer " + b"A" * 100,
                                   b"Range: bytes=0-0,0-0", b"X-%s%n: 1", b"Content-Encoding: gzip", b"Idempotency-Key: same", b"Idempotency-Key:",
                                   b"Idempotency-Key: " + b"k" * 300, b"Idempotency-Key: ../\xff"])
                 for _ in range(self.dice.choice([0, 0, 0, 1, 3, 200]))]
        framing = -1 if touchy else self.dice.randrange(12)
        if framing == 0:
            head.append(b"Content-Length: " + self.dice.choice(NUMBERS).encode())
        elif framing == 1:
            head.append(b"Transfer-Encoding: chunked")
            body = self.dice.choice([b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), b"ffffffffffffffffff\r\nx", b"-1\r\n",
                                     b"5\r\nabc", b"zz\r\n\r\n", b"0\r\nX: y\r\n\r\n"])
        elif framing == 2:
            head += [b"Content-Length: %d" % len(body), b"Content-Length: %d" % (len(body) + 1)]
        elif framing == 3:
            head += [b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body)]
        else:
            head.append(b"Content-Length: %d" % len(body))
        if self.dice.random() < 0.8:
            head.append(b"Connection: close")
        raw = self.dice.choice([b"\r\n"] * 9 + [b"\n"]).join(head + [b"", b""]) + body
        return self.tear(raw)

    def tear(self, raw):
        """Sometimes cut off, sometimes with bytes changed, but never into what would be taken."""
        kind = self.dice.randrange(20)
        if kind == 0:
            return raw[: self.dice.randrange(len(raw))]
        if kind == 1 and not raw.startswith(b"POST"):
            torn = bytearray(raw)
            for _ in range(self.dice.choice([1, 2, 8])):
                torn[self.dice.randrange(len(torn))] = self.dice.randrange(256)
            return bytes(torn) if not torn.startswith(b"POST") else raw
        if kind == 2:
            return bytes(self.dice.randrange(256) for _ in range(self.dice.randrange(1, 600))) + b"\r\n\r\n"
        return raw

    def blame(self, what, raw, answer):
        if len(self.violations) < EXAMPLES_MAX:
            self.violations.append(f"{what}: {raw[:300]!r} -> {answer[:300]!r}")

    def judge(self, name, path, raw, answer):
        status = status_of(answer)
        self.answers[status or "closed"] += 1
        if status == 505:
            line = raw.split(b"\n", 1)[0].rstrip(b"\r")
            if re.search(rb" HTTP/1\.[0-9]+$", line):  # RFC 9110 15.6.6: it must be the version's fault
                self.blame("505 for a version that is served", raw, answer)
        elif status >= 500 and status != self.calm.get((name, path)):
            self.blame("a server error", raw, answer)
        elif 400 <= status < 500 and body_of(answer).startswith(b"{"):
            self.answers["explained"] += 1
            if not json.loads(body_of(answer))["error"]["message"]:
                self.blame("an error without a message", raw, answer)

    def throw(self, count):
        for number in range(count):
            name, method, path = self.targets[number % len(self.targets)]
            raw = self.request(name, method, path)
            try:
                answer = exchange(self.socket(name), raw)
            except TimeoutError:
                self.blame(f"no answer in {TIMEOUT_S} s", raw, b"")
                continue
            self.per_endpoint[f"{name} {method} {path}"] += 1
            self.judge(name, path, raw, answer)

    def sum(self):
        return {"answers": {str(k): v for k, v in sorted(self.answers.items(), key=lambda kv: str(kv[0]))},
                "endpoints": len(self.per_endpoint), "least": min(self.per_endpoint.values()),
                "violations": self.violations}


def main():
    runtime, seed, count = sys.argv[1:]
    thrower = Thrower(runtime, int(seed))
    thrower.throw(int(count))
    print(json.dumps(thrower.sum()))


if __name__ == "__main__":
    main()
