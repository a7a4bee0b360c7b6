# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kill -9 at a chosen system call, by strace's injection: the call is not carried out. What a program did
before is done, what comes after is not, so all states between two calls are seen."""

import collections
import os
import re
import subprocess

from rig import BUILD, Failure, check

# What changes a file, a lock or a directory. Between two of these nothing can be seen from outside.
CHANGES = ("openat", "write", "linkat", "unlinkat", "renameat", "mkdirat", "fsync", "fchmod", "flock",
           "ftruncate", "sendmsg", "sendto", "bind", "unlink")


def changes_in(trace, everything=False):
    """The (call, n) of strace's output at which something changes, or all of them."""
    seen = collections.Counter()
    found = []
    for line in trace.splitlines():
        m = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if not m:
            continue
        call = m.group(1)
        seen[call] += 1
        # exec comes before we are, nothing comes after the end, and opening changes only what it makes.
        if everything and call in ("execve", "exit_group", "exit"):
            continue
        if not everything and (call not in CHANGES or call == "openat" and "O_CREAT" not in line):
            continue
        found.append((call, seen[call]))
    return found


def points(argv, env=None, everything=False, cwd=None):
    """Runs argv once to its end; every (call, n) at which it can be killed, in the order of the run."""
    log = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/stdout",
                          *([] if everything else ["-e", "trace=" + ",".join(CHANGES)]), *argv],
                         env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         errors="replace")
    check(log.returncode == 0, f"{argv[0]} alone: exit {log.returncode}: {log.stderr[-500:]}")
    return changes_in(log.stdout, everything)


def killed_at(point, argv):
    """argv under strace, to be killed at point."""
    call, n = point
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:signal=KILL:when={n}", *map(str, argv)]


def run_killed(point, argv, cwd=None):
    """True if it was killed, False if it came to its end before the point."""
    out = subprocess.run(killed_at(point, argv), capture_output=True, text=True, errors="replace",
                         cwd=cwd)
    if out.returncode not in (0, -9, 137):
        raise Failure(f"{argv[1:]} killed at {point}: exit {out.returncode}: {out.stderr[-500:]}")
    return out.returncode != 0


def program(name):
    return BUILD / "integration" / name


def policy(root, autonomy="auto"):
    """A host whose policy allows the dummy actions."""
    d = root / "etc/aiops/policy.d"
    d.mkdir(parents=True)
    for p in (root, root / "etc", root / "etc/aiops", d):
        p.chmod(0o755)
    (d / "10-test.yaml").write_text(
        "mode: auto\nallow:\n"
        + "".join(f"  - {{action: {a}, on: any, autonomy: {autonomy}}}\n"
                  for a in ("dummy.count", "dummy.lease", "dummy.mark"))
        + "limits: {per_entity_per_hour: 60, per_host_per_hour: 600, cooldown_s: 0}\n")
    os.chmod(d / "10-test.yaml", 0o644)


def lines(root, name):
    f = root / name
    return f.read_text().splitlines() if f.exists() else []


def effects(root):
    return lines(root, "effects")


def counter(root):
    f = root / "counter"
    return int(f.read_text()) if f.exists() else 0
