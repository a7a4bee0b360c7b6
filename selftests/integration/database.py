# SPDX-License-Identifier: LGPL-2.1-or-later
"""A PostgreSQL of a case's own: its data and its socket in the case's directory, a port that is free."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from rig import WAIT_S, Failure, wait_for

SUPERUSER = "postgres"


def programs():
    """The newest server of those that are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda p: int(p.parts[-3]))
    if not found:
        raise Failure("postgresql is not installed: packaging/install-build-deps")
    return found[-1].parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Database:
    """initdb refuses root, so it runs as Debian's own user."""

    def __init__(self, case, name="db", trust=True):
        self.bin = programs()
        self.user = pwd.getpwnam("postgres")
        self.home = case.dir / name
        self.data, self.sockets, self.log = self.home / "data", self.home / "run", self.home / "log"
        self.port = free_port()
        self.process = None
        self.settings = []  # "name=value"; of the command line, the last one counts
        os.chmod(case.dir, 0o755)
        for path in (self.home, self.sockets):
            path.mkdir()
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.run("initdb", "--no-sync", "--no-locale", "--encoding=UTF8", f"--username={SUPERUSER}",
                 f"--auth={'trust' if trust else 'scram-sha-256'}", "-D", self.data)

    def as_user(self):
        os.setgroups([])
        os.setgid(self.user.pw_gid)
        os.setuid(self.user.pw_uid)

    def run(self, program, *args):
        done = subprocess.run([self.bin / program, *map(str, args)], capture_output=True, text=True,
                              preexec_fn=self.as_user, cwd=self.home)
        if done.returncode != 0:
            raise Failure(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, wait_s=WAIT_S):
        """After a crash with much to recover it may take longer."""
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.sockets, "-p", str(self.port),
                 "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40",
                 *(word for setting in self.settings for word in ("-c", setting))],
                stdout=log, stderr=log, preexec_fn=self.as_user, cwd=self.home)
        wait_for(self.answers, "PostgreSQL answers", wait_s)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"postgres ended: {self.log.read_text()[-2000:]}")
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", self.sockets,
                               "-p", str(self.port)]).returncode == 0

    def stop(self, how=signal.SIGINT):
        """SIGINT ends the sessions; SIGKILL is a crash."""
        if self.process and self.process.poll() is None:
            if how == signal.SIGKILL:
                children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
                for child in children.read_text().split():
                    os.kill(int(child), signal.SIGKILL)
            self.process.send_signal(how)
            self.process.wait(20)
        self.process = None

    def env(self, user=SUPERUSER, database="postgres"):
        return {"PATH": "/usr/bin:/bin", "PGHOST": str(self.sockets), "PGPORT": str(self.port),
                "PGUSER": user, "PGDATABASE": database}

    def sql(self, text, database="postgres", user=SUPERUSER):
        """Rows as lists of texts."""
        done = subprocess.run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", text],
                              env=self.env(user, database), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{text}: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def session(self, database="postgres"):
        """psql that reads statements from its stdin."""
        return subprocess.Popen(["psql", "-XAtq"], env=self.env(database=database), text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
