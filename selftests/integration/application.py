# SPDX-License-Identifier: LGPL-2.1-or-later
"""The target as it is installed, by hand: its own scripts, its database, upstream and API, in the case's
directory and on ports that are free."""

import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import threading

from database import free_port
from rig import BUILD, TOP, WAIT_S, Failure, check, wait_for

STACK = TOP / "selftests/target/stack"
MIGRATIONS = TOP / "selftests/target/migrations"


class Program:
    """A process whose standard output is kept, line by line."""

    def __init__(self, argv, env=None, user=None):
        def become():
            if user:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
        self.argv, self.lines = argv, []
        self.process = subprocess.Popen([str(a) for a in argv], text=True, env=env, preexec_fn=become,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def events(self):
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def is_running(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM, wait_s=WAIT_S):
        if self.is_running():
            self.process.send_signal(how)
        try:
            code = self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"{self.argv[0]} did not end: {''.join(self.lines[-5:])}") from None
        self.reader.join()
        return code


def ask(port, method, path, body=None, timeout_s=WAIT_S):
    """(status, JSON or text); status 0 when nobody answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, data)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()
    is_json = answer.getheader("Content-Type") == "application/json"
    return answer.status, json.loads(text) if is_json else text


class Application:
    def __init__(self, case):
        self.dir = case.dir
        os.chmod(case.dir, 0o755)
        postgres = pwd.getpwnam("postgres")
        self.postgres = postgres
        for name in ("sockets", "db", "cache", "etc"):
            (self.dir / name).mkdir()
        for name in ("sockets", "db"):
            os.chown(self.dir / name, postgres.pw_uid, postgres.pw_gid)
        self.data = self.dir / "db/data"
        self.port, self.db_port, self.upstream_port, self.fallback_port = (free_port() for _ in range(4))
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DB_DATA": str(self.data),
            "DB_SOCKETS": str(self.dir / "sockets"), "DB_PORT": str(self.db_port),
            "TARGET_ETC": str(self.dir / "etc"), "TARGET_CREDENTIALS": str(self.dir / "credentials"),
            "TARGET_GROUP": "root", "TARGET_MIGRATIONS": str(MIGRATIONS),
            "TARGET_CACHE": str(self.dir / "cache"), "TARGET_PORT": str(self.port),
            "TARGET_RATES": f"http://127.0.0.1:{self.upstream_port}",
            "TARGET_SNAPSHOTS": str(self.dir / "snapshots"),
            "MIGRATE": str(BUILD / "target/aiops-target-migrate"),
        }
        self.db = self.api = self.upstream = self.fallback = self.web = None

    def start_db(self):
        self.db = Program([STACK / "aiops-target-db"], self.env, self.postgres)
        wait_for(self.db_answers, "PostgreSQL answers", 60)

    def db_answers(self):
        if not self.db.is_running():
            raise Failure(f"the database ended: {''.join(self.db.lines[-10:])}")
        return subprocess.run(["pg_isready", "-q", "-h", self.env["DB_SOCKETS"], "-p",
                               str(self.db_port)]).returncode == 0

    def stop_db(self, how=signal.SIGINT):
        check(self.db.stop(how) is not None, "the database ended")

    def script(self, name, *args, code=0, env=None):
        done = subprocess.run([STACK / name, *args], env={**self.env, **(env or {})}, text=True,
                              capture_output=True)
        check(done.returncode == code, f"{name}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def migrate(self, *args):
        """As the owner, with the owner's password."""
        password = (self.dir / "credentials/target-owner").read_text()
        done = subprocess.run([self.env["MIGRATE"], *args, MIGRATIONS], text=True, capture_output=True,
                              env={**self.connection("aiops_target_owner"), "PGPASSWORD": password})
        check(done.returncode == 0, f"migrate {args}: {done.stdout}{done.stderr}")

    def connection(self, user="postgres", database="aiops_target"):
        return {"PATH": "/usr/bin:/bin", "PGHOST": self.env["DB_SOCKETS"], "PGPORT": str(self.db_port),
                "PGUSER": user, "PGDATABASE": database}

    def sql(self, text, user="postgres", database="aiops_target", fails=False):
        done = subprocess.run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", text],
                              env=self.connection(user, database), capture_output=True, text=True)
        check((done.returncode != 0) == fails, f"{text}: {done.stdout}{done.stderr}")
        return done.stderr if fails else [line.split("\t") for line in done.stdout.splitlines()]

    def start_upstream(self):
        self.upstream = Program([BUILD / "target/aiops-target-upstream", self.upstream_port, "primary"])
        wait_for(lambda: ask(self.upstream_port, "GET", "/healthz")[0] == 200, "upstream answers")

    def start_fallback(self):
        self.fallback = Program([BUILD / "target/aiops-target-upstream", self.fallback_port, "fallback"])
        wait_for(lambda: ask(self.fallback_port, "GET", "/healthz")[0] == 200, "the fallback answers")

    def start_api(self):
        self.api = Program([BUILD / "target/aiops-target-api", "--env", self.dir / "etc/.env"])
        wait_for(lambda: not self.api.is_running() or self.ask("GET", "/healthz")[0] == 200,
                 "the API answers")
        check(self.api.is_running(), f"the API ended: {self.api.lines}")

    def start_web(self):
        (self.dir / "web").mkdir()
        self.web_port = free_port()
        env = {**self.env, "WEB_RUNTIME": str(self.dir / "web"), "WEB_PORT": str(self.web_port),
               "WEB_ROOT": str(TOP / "selftests/target/web"), "WEB_API": f"127.0.0.1:{self.port}"}
        self.web = Program([STACK / "aiops-target-web"], env)
        wait_for(lambda: ask(self.web_port, "GET", "/healthz")[0] == 200, "the web server answers")

    def ask(self, method, path, body=None, timeout_s=WAIT_S):
        return ask(self.port, method, path, body, timeout_s)

    def expect(self, status, method, path, body=None):
        got, answer = self.ask(method, path, body)
        check(got == status, f"{method} {path} {body}: {got}, wanted {status}: {answer}")
        return answer

    def is_ready(self):
        return self.ask("GET", "/ready")[0] == 200

    def __enter__(self):
        self.start_db()
        self.script("aiops-target-setup")
        self.start_upstream()
        self.start_api()
        wait_for(self.is_ready, "the application is ready")
        wait_for(lambda: not self.ask("GET", "/ready")[1]["degraded"], "its rates are there")
        return self

    def __exit__(self, *_):
        for program in (self.web, self.api, self.upstream, self.fallback):
            if program:
                program.stop()
        if self.db:
            self.db.stop(signal.SIGINT)
        shutil.rmtree(self.data, ignore_errors=True)
