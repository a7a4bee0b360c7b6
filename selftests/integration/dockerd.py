# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Docker engine of a case's own, asked by the case over HTTP, not by the product's client; and in
front of it one that speaks only newer versions."""

import http.server
import io
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import tarfile
import threading
import urllib.parse

from rig import Case, Failure, UnixConnection, check, wait_for

API = "/v1.41"  # Debian 12's 20.10.24
IMAGE = "tiny"
APPLETS = ("sh", "sleep", "mkdir", "wget", "httpd", "cat", "kill", "test", "touch", "rm")
NONE = {"Driver": "none"}


def layer():
    """A root file system of one static program."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode in ((".", 0o755), ("bin", 0o755), ("www", 0o777)):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
        tar.add(shutil.which("busybox"), "bin/busybox")
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return out.getvalue()


class Engine:
    """The socket is where the product looks for it below a root of the case."""

    def __init__(self, case, storage="vfs"):
        """storage: vfs works on any file system, and copies the whole image for each container."""
        self.storage = storage
        self.dir = case.dir / "engine"
        self.root = case.dir / "root"
        (self.root / "run").mkdir(parents=True)
        self.dir.mkdir()
        self.socket = self.root / "run/docker.sock"
        self.process = None

    def start(self):
        """dockerd brings containerd with it; nothing of the host's network is touched."""
        log = open(self.dir / "log", "a")
        self.process = subprocess.Popen(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
             f"--storage-driver={self.storage}",
             f"--data-root={self.dir}/data", f"--exec-root={self.dir}/exec",
             f"--pidfile={self.dir}/pid", f"--host=unix://{self.socket}"],
            stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            preexec_fn=os.setpgrp)
        log.close()
        wait_for(self.answers, f"dockerd answers: {self.log()}", 60)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"dockerd ended with {self.process.returncode}: {self.log()}")
        try:
            return self.ask("GET", "/_ping", version="")[0] == 200
        except OSError:
            return False

    def log(self):
        return (self.dir / "log").read_text(errors="replace")[-1500:]

    def ask(self, method, path, body=None, status=None, version=API):
        connection = UnixConnection(self.socket)
        connection.timeout = 60
        try:
            raw = isinstance(body, bytes)
            connection.request(method, version + path,
                               body if raw or body is None else json.dumps(body),
                               {"Content-Type": "application/x-tar" if raw else "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        check(status is None or answer.status == status,
              f"{method} {path}: {answer.status}, wanted {status}: {text[:300]}")
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def image(self):
        self.ask("POST", f"/images/create?fromSrc=-&repo={IMAGE}&tag=1", layer(), 200)

    def run(self, name, *argv, start=True, **host_config):
        """A container without a network; returns its id."""
        health, user = host_config.pop("Healthcheck", None), host_config.pop("User", "")
        spec = {"Image": f"{IMAGE}:1", "Cmd": list(argv or ("/bin/sleep", "100000")), "StopTimeout": 1,
                "User": user,
                "NetworkDisabled": "NetworkMode" not in host_config,
                "HostConfig": {"NetworkMode": "none", **host_config}}
        if health:
            spec["Healthcheck"] = health
        made = self.ask("POST", f"/containers/create?name={name}", spec, 201)[1]["Id"]
        if start:
            self.ask("POST", f"/containers/{made}/start", status=204)
        return made

    def do(self, verb, name, status=204):
        self.ask("POST", f"/containers/{name}/{verb}", status=status)

    def remove(self, name):
        self.ask("DELETE", f"/containers/{name}?force=1", status=204)

    def inspect(self, name):
        return self.ask("GET", f"/containers/{name}/json", status=200)[1]

    def state(self, name):
        return self.inspect(name)["State"]

    def clear(self):
        for c in self.ask("GET", "/containers/json?all=1", status=200)[1]:
            self.remove(c["Id"])

    def digest(self):
        """What a dry run must not change: each container whole, but for what its health check appends."""
        found = {}
        for c in self.ask("GET", "/containers/json?all=1", status=200)[1]:
            o = self.inspect(c["Id"])
            o["State"].pop("Health", None)
            found[c["Id"]] = o
        return json.dumps(found, sort_keys=True)

    def stop(self):
        if not self.process:
            return
        self.thaw()
        if self.process.poll() is None:
            self.clear()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for mount in re.findall(rf"^\S+ ({re.escape(str(self.dir))}\S*)", open("/proc/mounts").read(), re.M):
            subprocess.run(["umount", "-l", mount], check=False)


class EngineCase(Case):
    """One engine for all tests of a case: it takes seconds to start."""

    def __init__(self):
        super().__init__()
        self.engine = Engine(self)

    def __enter__(self):
        self.engine.start()
        self.engine.image()
        return self

    def __exit__(self, *args):
        self.engine.stop()
        super().__exit__(*args)


# ---- an engine that speaks only newer versions -------------------------------------------------------


class NewerHandler(http.server.BaseHTTPRequestHandler):
    """Answers as an Engine of versions `oldest` to `newest` does, with what 20.10 has to say. Refuses older
    clients as dockerd's version middleware does (moby, api/server/middleware/version.go)."""

    protocol_version = "HTTP/1.1"

    def refuse(self, text):
        body = json.dumps({"message": text}).encode()
        self.reply(400, "application/json", body)

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Api-Version", "%d.%d" % self.server.newest)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)

    def version(self):
        m = re.match(r"/v(\d+)\.(\d+)(/.*)", self.path)
        if not m:
            return None, self.path
        return (int(m.group(1)), int(m.group(2))), m.group(3)

    def handle_any(self):
        asked, path = self.version()
        self.server.seen.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if asked and asked < self.server.oldest:
            return self.refuse("client version %d.%d is too old. Minimum supported API version is %d.%d, "
                               "please upgrade your client to a newer version" % (asked + self.server.oldest))
        if asked and asked > self.server.newest:
            return self.refuse("client version %d.%d is too new. Maximum supported API version is %d.%d"
                               % (asked + self.server.newest))
        connection = UnixConnection(self.server.behind)
        connection.timeout = 60
        connection.request(self.command, API + path, body or None,
                           {"Content-Type": self.headers.get("Content-Type", "application/json")})
        answer = connection.getresponse()
        text = self.translate(path, answer.read())
        self.reply(answer.status, answer.getheader("Content-Type") or "text/plain", text)
        connection.close()
        return None

    def translate(self, path, text):
        """What later versions took out of the answers that we read."""
        route = urllib.parse.urlsplit(path).path
        if route == "/version":
            o = json.loads(text)
            o["ApiVersion"], o["MinAPIVersion"] = "%d.%d" % self.server.newest, "%d.%d" % self.server.oldest
            return json.dumps(o).encode()
        if route == "/events" and self.server.newest >= (1, 52):
            lines = [json.loads(line) for line in text.splitlines() if line]
            for o in lines:
                for gone in ("status", "id", "from"):
                    o.pop(gone, None)
            return "".join(json.dumps(o) + "\n" for o in lines).encode()
        if re.fullmatch(r"/containers/[^/]+/json", route) and text.startswith(b'{"Id"'):
            o = json.loads(text)
            for gone in ("KernelMemory", "KernelMemoryTCP"):
                o["HostConfig"].pop(gone, None)
            for gone in ("Bridge", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen"):
                o["NetworkSettings"].pop(gone, None)
            return json.dumps(o).encode()
        return text

    do_GET = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_):
        pass

    def address_string(self):
        return "unix"


class NewerEngine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path, behind, oldest, newest):
        self.behind, self.oldest, self.newest, self.seen = behind, oldest, newest, []
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(str(path), NewerHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
