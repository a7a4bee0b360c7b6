# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the guest: what the table of actions asks of the product, and of the host beside it.

A row says how to prepare, what an observer sees, and what makes the action fail; the cells are here, the same
for all of them. Each cell is proved by what the kernel, systemd, Docker or PostgreSQL say, not by the product."""

import ctypes
import hashlib
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import digest

STEPS = "/run/aiops/steps"
UNDO = "/run/aiops/undo"
ENDS = {"done", "failed", "denied", "unknown", "reverted"}
KILLED_AT = ("applying", "applied")  # phases of its claim; the first is before the change, or in it
TRIES = 4       # to be quick enough to kill a step between two phases
PHASE_S = 20    # for a phase that is waited for
ATTEMPT_S = 200
SAME_S = 25     # for what was undone to be as it was: a service that starts again needs its time
IN_CREATE, IN_MODIFY = 0x100, 0x2
# What a dry run of anything could have changed; the slow sections only where a row names them.
SECTIONS = ("qdisc", "nft", "mount", "cgroup", "process", "file")
OWN_FILES = ("/dev/shm/PostgreSQL.",)  # the database's statistics
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class Failed(Exception):
    """A cell is not so."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def sh(line, check_it=True, timeout_s=60):
    """Stdout of a line of shell."""
    done = subprocess.run(["sh", "-c", line], env=ENV, text=True, capture_output=True, timeout=timeout_s,
                          errors="replace")
    if check_it and done.returncode:
        raise RuntimeError(f"run '{line}': exit {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout.strip()


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError as error:
        return f"{error.strerror}"


def wait_for(predicate, what, within_s=30):
    end_s = time.monotonic() + within_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > end_s:
            raise Failed(f"wait for {what}: not within {within_s} s")
        time.sleep(0.1)


# ---- HTTP on a socket: the product's, Docker's --------------------------------------------------------


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout_s):
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def http_json(connection, method, path, body=None):
    """(status, answer)"""
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text) if text.strip() else None
    except ValueError:
        return answer.status, text


def ask(method, path, body=None, sock="approve"):
    return http_json(Unix(f"/run/aiops/{sock}.sock", 20), method, path, body)


def docker(method, path, body=None, timeout_s=60):
    status, answer = http_json(Unix("/run/docker.sock", timeout_s), method, path, body)
    check(status < 400 or method == "GET", f"docker {method} {path}: {status} {answer}")
    return answer


def web(port, path, timeout_s=10):
    """(status, answer) of a port of the host; status 0: no answer."""
    try:
        return http_json(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s), "GET", path)
    except (OSError, http.client.HTTPException):
        return 0, None


# ---- a step, watched through its claim ------------------------------------------------------------------


class Watch:
    """Phases of a step as they are written. Its own real-time priority: it must be there before the step's
    next system call."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if libc.inotify_add_watch(self.fd, STEPS.encode(), IN_CREATE | IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))

    def close(self):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.close(self.fd)

    def wait(self, within_s):
        """Until something of some step has changed."""
        if select.select([self.fd], [], [], within_s)[0]:
            try:
                os.read(self.fd, 65536)
            except BlockingIOError:
                pass


def phases(key):
    return [line.split()[0] for line in read(f"{STEPS}/{key}.claim").splitlines() if " " in line and line[0].islower()]


def has_unit(key):
    return any(key in folder for folder in os.listdir("/sys/fs/cgroup/aiops.slice"))


def members(key):
    """The processes of a step's unit."""
    for folder in os.listdir("/sys/fs/cgroup/aiops.slice"):
        if key in folder:
            return [int(pid) for pid in read(f"/sys/fs/cgroup/aiops.slice/{folder}/cgroup.procs").split()
                    if pid.isdigit()]
    return []


def signal_step(key, number):
    for pid in members(key):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Meddler(threading.Thread):
    """At a phase of a step the world changes, and the step stands still until it has; or the step is
    killed. hooks: {phase: function, or None for kill -9}."""

    def __init__(self, hooks):
        super().__init__(daemon=True)
        self.hooks, self.key, self.seen, self.error = dict(hooks), None, [], None
        self.over = threading.Event()
        self.known = set(os.listdir(STEPS))
        self.ready = threading.Event()

    def find_key(self):
        for name in set(os.listdir(STEPS)) - self.known:
            if name.endswith(".claim"):
                self.key = name.removesuffix(".claim")

    def look(self):
        if not self.key:
            self.find_key()
        for phase in phases(self.key)[len(self.seen):] if self.key else ():
            self.seen.append(phase)
            if phase in self.hooks:
                self.meddle(self.hooks.pop(phase), phase)

    def meddle(self, function, phase):
        if function is None:
            signal_step(self.key, signal.SIGKILL)
            self.killed = phase
            return
        signal_step(self.key, signal.SIGSTOP)
        try:
            function()
        except BaseException as error:
            self.error = error
        finally:
            signal_step(self.key, signal.SIGCONT)

    killed = None

    def run(self):
        watch = Watch()
        self.ready.set()
        try:
            while not self.over.is_set():
                self.look()
                watch.wait(0.2)
        except BaseException as error:
            self.error = error
        finally:
            watch.close()


def forget_budget():
    """What was done lately no longer counts: a cooldown of minutes is not what a cell is about."""
    sh("systemctl stop aiops-executor.service && rm -f /run/aiops/exec/budget /var/lib/aiops-executor/budget && "
       "systemctl start aiops-executor.service")
    wait_for(lambda: ask("GET", "/healthz")[0] == 200, "the executor")


def attempt(action, params, dry=False, hooks=None):
    """One action as a person asks for it, to its end."""
    a = attempt_once(action, params, dry, hooks)
    if a["phase"] == "denied" and a["by"] == "cooldown":
        forget_budget()
        a = attempt_once(action, params, dry, hooks)
    return a


def attempt_once(action, params, dry, hooks):
    meddler = Meddler(hooks or {})
    if hooks:
        meddler.start()
        meddler.ready.wait()
    try:
        status, asked = ask("POST", f"/v1/actions/{action}" + ("?dry_run=1" if dry else ""),
                            {"params": {k: str(v) for k, v in params.items()}})
        if status != 202:
            by = asked.get("decision", {}).get("by", "")
            return {"phase": "denied", "status": status, "text": asked["error"]["message"], "by": by, "ran": False,
                    "key": "", "killed": None, "seen": []}
        end_s, now = time.monotonic() + ATTEMPT_S, asked
        while now["phase"] not in ENDS:
            check(time.monotonic() < end_s, f"{action} does not end: {now['phase']}: {now['text']}")
            time.sleep(0.05)
            now = ask("GET", f"/v1/attempts/{asked['key']}")[1]
        now["killed"], now["by"] = meddler.killed, ""
    finally:
        if hooks:
            meddler.over.set()
            meddler.join()
    if meddler.error:
        raise RuntimeError(f"while {action} stood still: {meddler.error}")
    now["seen"] = phases(now["key"])
    return now


def brief(a):
    return f"{a['phase']}: {a['text']}"


# ---- the host, by what is not the product -----------------------------------------------------------------


def unit(name, *properties):
    """Properties of a unit."""
    names = properties or ("ActiveState", "SubState", "FreezerState", "InvocationID", "MainPID", "NRestarts")
    return dict(line.split("=", 1) for line in sh(f"systemctl show -p {','.join(names)} {name}").splitlines())


def group(name):
    return f"/sys/fs/cgroup/system.slice/{name}"


def main_pid(name):
    return int(unit(name, "MainPID")["MainPID"])


def container(name):
    return docker("GET", f"/containers/{name}/json")


def container_group(name):
    return "/sys/fs/cgroup" + read(f"/proc/{container(name)['State']['Pid']}/cgroup").strip().split("::")[-1]


def file_facts(path):
    """What an observer can tell of a file; no secret in it."""
    try:
        st = os.lstat(path)
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()[:16]
    except OSError as error:
        return error.strerror
    return f"{st.st_mode:o} {st.st_uid}:{st.st_gid} {st.st_size} {content}"


def tree_facts(path):
    found = {}
    for folder, inner, names in os.walk(path):
        for name in inner + names:
            full = f"{folder}/{name}"
            st = os.lstat(full)
            found[full] = f"{st.st_mode:o} {st.st_uid}:{st.st_gid} {st.st_size if name in names else ''}"
    return found


def sql(text, database="aiops_target", user="postgres"):
    """Rows of the application's database as its superuser."""
    out = sh("psql -XAtq -v ON_ERROR_STOP=1 -h /run/aiops-target/db -p 5442 -U " + f"{user} {database} <<'END'\n{text}\nEND")
    return [line.split("|") for line in out.splitlines()]


def process_state(pid):
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def freeze(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def thaw(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def pids_of(cgroup):
    return [int(pid) for pid in read(f"{cgroup}/cgroup.procs").split() if pid.isdigit()]


# ---- rows and cells -----------------------------------------------------------------------------------------


class Row:
    """What the table must know of one action. A subclass for each, in actions/."""

    action = ""
    on = ("units",)       # deployments
    sections = SECTIONS   # of the host's digest, for the dry run
    bad = ()              # parameters that must be refused: on top of those given by params()
    repeats = "nothing to do"  # what a second one says
    repeat_phase = "done"
    unknown = False       # killed in the middle, it may be that nobody knows; only without undo
    deployment = None
    undo_told = ""
    last = None  # parameters, and what was seen before, of what is applied now

    def prepare(self):
        """To where it can be applied, from anywhere; as often as one likes."""

    def params(self):
        return {}

    def look(self):
        """What is to change, as an observer sees it; comes back as it was when it is undone."""
        raise NotImplementedError

    def is_applied(self, before, now):
        """None, or what is wrong."""
        raise NotImplementedError

    def is_half(self, before, now):
        """Whether a killed one that nobody can undo left something that is neither before nor after."""
        return now != before and self.is_applied(before, now)

    def apply_fails(self):
        """{phase: function}: what happens at a phase of the step to make apply() fail, and what mends it."""
        raise NotImplementedError

    def verify_fails(self):
        raise NotImplementedError

    def mend(self):
        """Whatever the two above did is over."""


def whole(row):
    found = {name: digest.SECTIONS[name]() for name in row.sections}
    found["file"] = {path: facts for path, facts in found.get("file", {}).items() if not path.startswith(OWN_FILES)}
    found["row"] = {"look": json.dumps(row.look(), sort_keys=True)}
    return found


def difference(before, after):
    lines = []
    for section in before:
        for key in sorted(set(before[section]) | set(after[section])):
            old, new = before[section].get(key), after[section].get(key)
            if old != new:
                lines.append(f"{section}: {key}: {old} -> {new}")
    return "; ".join(lines)[:600]


def undo_records():
    return sorted(name for name in os.listdir(UNDO) if re.fullmatch("[0-9a-f]{32}", name))


def wait_same(row, before, what):
    """It is as it was, once what was started again is there."""
    end_s = time.monotonic() + SAME_S
    while True:
        now = row.look()
        if now == before:
            return
        if time.monotonic() > end_s:
            raise Failed(f"{what}: it was {before}, it is {now}"[:900])
        time.sleep(0.2)


def wait_applied(row, before, what):
    end_s = time.monotonic() + SAME_S
    while True:
        wrong = row.is_applied(before, row.look())
        if not wrong:
            return
        if time.monotonic() > end_s:
            raise Failed(f"{what}: {wrong}"[:900])
        time.sleep(0.2)


def cell_dry(row, info):
    row.prepare()
    params, before, records = row.params(), whole(row), undo_records()
    a = attempt(row.action, params, dry=True)
    check(a["phase"] == "done" and "would" in a["text"], f"dry run: {brief(a)}")
    row.undo_told = a["undo"]
    check(not a["ran"] and undo_records() == records, f"dry run left an undo record: {brief(a)}")
    wait_for(lambda: not has_unit(a["key"]), "the end of the step's unit")
    lines = difference(before, whole(row))
    check(not lines, f"a dry run changed {lines}")
    return a["text"]


def cell_applied(row, info):
    row.prepare()
    params, before = row.params(), row.look()
    a = attempt(row.action, params)
    check(a["phase"] == "done" and a["ran"], brief(a))
    wait_applied(row, before, f"said '{a['text']}', and outside")
    row.last = params, before
    return a["text"]


def cell_repeat(row, info):
    if not row.last:
        cell_applied(row, info)
    params, before = row.last
    row.last, first = None, row.look()
    a = attempt(row.action, params)
    check(a["phase"] == row.repeat_phase and row.repeats in a["text"], f"again: {brief(a)}")
    wait_applied(row, before, "after the second")
    if row.repeats == "nothing to do":
        check(row.look() == first and not a["ran"], "it was done again")
    return a["text"]


def cell_refused(row, info):
    row.prepare()
    params, before = row.params(), row.look()
    named = [p for p in info["params"] if p["required"]]
    wrong = [dict(bad) if callable(getattr(bad, "items", None)) else bad for bad in row.bad]
    wrong += [{"no_such_parameter": "1"}]
    wrong += [{p["name"]: None} for p in named] + [{p["name"]: "../../etc/passwd\n"} for p in named]
    said = set()
    for more in wrong:
        given = {k: v for k, v in {**params, **more}.items() if v is not None}
        a = attempt(row.action, given)
        check(a["phase"] in ("denied", "failed") and not a["ran"], f"{more}: {brief(a)}")
        said.add(a.get("status", a["phase"]))
    check(row.look() == before, f"refused, and changed: it was {before}, it is {row.look()}"[:600])
    return f"{len(wrong)} of {len(wrong)}: {', '.join(map(str, sorted(said, key=str)))}"


def failing(row, make_hooks, phase):
    """An attempt that fails at PHASE for a reason of the host's, and what must be true after it."""
    params, before, records = row.params(), row.look(), undo_records()
    try:
        a = attempt(row.action, params, hooks=make_hooks() or {"applying": lambda: None})
    finally:
        row.mend()
    check(phase in a["seen"] and (phase == "applied" or "applied" not in a["seen"]),
          f"it failed elsewhere: {a['seen']}: {brief(a)}")
    return a, before, records


def cell_fails(row, make_hooks, phase):
    row.prepare()
    a, before, records = failing(row, make_hooks, phase)
    check(a["phase"] == "failed", f"it was to fail: {brief(a)}")
    check(a["text"].startswith("undone: "), f"not undone: {brief(a)}")
    wait_same(row, before, f"undone, it said: '{a['text']}'")
    check(undo_records() == records, "the undo record is still there")
    return a["text"]


def none_said(row, info):
    """There is no undo, and who approves it was told: in the list, before; and in the attempt itself."""
    check(info["revertible"] is False and info["undo"] == "none", f"{info['undo']}")
    if not row.undo_told:
        row.prepare()
        row.undo_told = attempt(row.action, row.params(), dry=True)["undo"]
    check(row.undo_told == "none", row.undo_told)
    return None


def cell_apply_fails(row, info):
    return cell_fails(row, row.apply_fails, "applying") if info["revertible"] else none_said(row, info)


def cell_verify_fails(row, info):
    return cell_fails(row, row.verify_fails, "applied") if info["revertible"] else none_said(row, info)


def kill_once(row, info, phase):
    """True if it was killed there; the step may have been quicker."""
    row.prepare()
    params, before, records = row.params(), row.look(), undo_records()
    a = attempt(row.action, params, hooks={phase: None})
    check(a["phase"] != "denied", brief(a))
    if not a["killed"] or a["seen"][-1] != phase and "reverting" not in a["seen"] and "killed" not in a["text"]:
        return None
    said = f"killed at {phase}: {brief(a)}"
    if a["phase"] == "done":
        wait_applied(row, before, said)
    elif a["phase"] == "failed":
        wait_same(row, before, said)
        check(undo_records() == records, f"{said}: its undo record is still there")
    else:
        check(a["phase"] == "unknown" and not info["revertible"], said)
        end_s = time.monotonic() + SAME_S
        while row.is_half(before, row.look()):
            check(time.monotonic() < end_s, f"{said}: half done: {row.look()}"[:600])
            time.sleep(0.2)
    check(not members(a["key"]), f"{said}: something of it runs")
    return a["phase"]


def cell_killed(row, info):
    seen = []
    for phase in KILLED_AT:
        for _ in range(TRIES):
            end = kill_once(row, info, phase)
            if end:
                seen.append(f"{phase} -> {end}")
                break
        else:
            raise Failed(f"killed at {phase}: in {TRIES} tries the step was always quicker")
    return ", ".join(seen)


CELLS = {"dry run": cell_dry, "applied": cell_applied, "repeated": cell_repeat, "refused": cell_refused,
         "apply fails": cell_apply_fails, "verify fails": cell_verify_fails, "killed": cell_killed}


def action_info(name):
    status, answer = ask("GET", "/v1/actions")
    check(status == 200, f"/v1/actions: {status}")
    found = [one for one in answer["actions"] if one["name"] == name]
    check(found, f"/v1/actions has no {name}")
    return found[0]


def run(row, cells):
    """Cell by cell, a line of JSON each; the first that fails is the last, as what it left is not known."""
    info = action_info(row.action)
    for cell in cells:
        began_s = time.monotonic()
        try:
            proof, ok = CELLS[cell](row, info), True
            proof = proof if proof is not None else "none, said before"
        except Exception as error:
            proof, ok = f"{type(error).__name__}: {error}", False
        print(json.dumps({"cell": cell, "ok": ok, "proof": proof,
                          "took_s": round(time.monotonic() - began_s, 1)}), flush=True)
        if not ok:
            return
