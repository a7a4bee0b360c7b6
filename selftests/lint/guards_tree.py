# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guards over scripts, units, the catalog and what was built."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

LICENCES = ["LGPL-2.1-or-later"]
BPF_LICENCES = ["GPL-2.0-only OR BSD-2-Clause", "(GPL-2.0-only OR BSD-2-Clause)"]
# Formats without a comment, texts, and what is compared byte by byte.
NO_SPDX = re.compile(r"LICENSE|.*\.(md|json|jsonl|txt|trace|csv|svg|png|patch|expected|conf)$"
                     r"|.*/(corpus|data|guest-files)/.*|packaging/deb/(changelog|copyright|source/|.*\.dirs$"
                     r"|.*lintian-overrides$).*|.*\.gitignore|.*\.catalog")

# systemd-analyze's exposure times ten. A fault is root that breaks things by design: signals, netem,
# BPF, the control group tree and the host's network are its work, and what is left of the score.
# A step that writes other users' files and asks health endpoints has that in its score, as has what
# keeps copies of such files; one that changes the network has the network, one that restores a database
# sees every directory and asks endpoints.
EXPOSURE = {"aiops-fault@.service": 25, "aiops-step-files@.service": 30,
            "aiops-step-database@.service": 25, "aiops-expire-database@.service": 25,
            "aiops-step-net@.service": 20, "aiops-expire-files@.service": 30,
            "aiops-expire-net@.service": 20, "aiops-keep.service": 25}
EXPOSURE_DEFAULT = 15

# What `verify` says about a host on which we are not installed.
NOT_HERE = re.compile(r"is not executable: No such file|Failed to add dependency on .*man|"
                      r"Unit (dbus|systemd-[\w-]+)\.\w+ not found|^$")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def spdx(tree):
    for path in tree.files:
        name = tree.name(path)
        if NO_SPDX.match(name) or name.startswith("LICENSES/"):
            continue
        head = path.read_bytes()[:600]
        if not head or b"\0" in head:
            continue
        wanted = BPF_LICENCES if name.startswith("bpf/") else LICENCES
        top = "\n".join(head.decode(errors="replace").split("\n")[:6])
        if not any(f"SPDX-License-Identifier: {w}" in top for w in wanted):
            yield f"{name}:1: no `SPDX-License-Identifier: {wanted[0]}`"


def shell(tree):
    scripts = tree.scripts("bash", "/sh")
    if scripts:
        out = run("shellcheck", "-x", "-f", "gcc", *map(tree.name, scripts), cwd=tree.root)
        yield from out.stdout.splitlines()


def python(tree):
    for path in [*tree.select(".py"), *tree.scripts("python3")]:
        try:
            compile(path.read_text(), tree.name(path), "exec")
        except SyntaxError as e:
            yield f"{tree.name(path)}:{e.lineno}: {e.msg}"


def symbols(tree):
    """The part that decides holds no code that acts or breaks."""
    agent = tree.build / "bin/aiops-agent"
    if not agent.exists():
        return
    forbidden = {f"{kind}_{p.stem}" for kind in ("action", "fault")
                 for p in tree.select(".c", under=kind + "s/")} | {"action_registry", "fault_registry"}
    for line in run("nm", "--defined-only", str(agent)).stdout.splitlines():
        if line.split()[-1] in forbidden:
            yield f"{agent}: contains {line.split()[-1]}"


def unit_files(tree):
    """Those of the tree, and the profiles of steps that are made of them."""
    return [*tree.select(".service", ".socket", ".slice", ".target", ".path",
                         under="units/"),
            *sorted((tree.build / "units").glob("*.service"))]


def exposure(tree):
    for path in unit_files(tree):
        if path.suffix != ".service":
            continue
        limit = EXPOSURE.get(path.name, EXPOSURE_DEFAULT)
        out = run("systemd-analyze", "security", "--offline=yes", f"--threshold={limit}", str(path))
        if out.returncode != 0:
            said = (out.stdout + out.stderr).strip().splitlines()
            yield f"{tree.name(path)}:1: over {limit / 10}: {said[-1] if said else 'no answer'}"


def units(tree):
    paths = unit_files(tree)
    if not paths:
        return
    out = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, paths),
              env={**os.environ, "SYSTEMD_LOG_COLOR": "0"})
    for line in out.stderr.splitlines():
        if not NOT_HERE.search(line):
            yield line
    for path in paths:
        if re.search(r"^PartOf=", path.read_text(), re.M):
            yield f"{tree.name(path)}:1: PartOf= takes a helper down with a killed agent"


def unit_users(tree):
    """Users and groups in units, sockets and tmpfiles are made by sysusers."""
    made = tree.root / "units/aiops.sysusers"
    known = {"root", "systemd-journal"}
    if made.exists():
        known |= set(re.findall(r"^[ug]\s+(\S+)", made.read_text(), re.M))
    used = r"^(?:User|Group|SupplementaryGroups|SocketUser|SocketGroup)=(\S+)"
    for path in unit_files(tree):
        for m in re.finditer(used, path.read_text(), re.M):
            if m.group(1) not in known:
                yield f"{tree.name(path)}:1: nobody makes '{m.group(1)}'"
    tmpfiles = tree.root / "units/aiops.tmpfiles"
    if tmpfiles.exists():
        for line in tmpfiles.read_text().splitlines():
            fields = line.split()
            for name in fields[3:5] if fields and fields[0] != "#" else []:
                if name not in known:
                    yield f"units/aiops.tmpfiles:1: nobody makes '{name}'"


def catalog(tree):
    """Every MESSAGE_ID is explained, nothing else is, and journalctl accepts the file."""
    header, text = tree.root / "daemon/base/message_id.h", tree.root / "units/aiops.catalog"
    defined = set(re.findall(r'"([0-9a-f]{32})"', header.read_text())) if header.exists() else set()
    explained = set(re.findall(r"^-- ([0-9a-f]{32})", text.read_text(), re.M)) \
        if text.exists() else set()
    for i in sorted(defined - explained):
        yield f"units/aiops.catalog:1: does not explain {i}"
    for i in sorted(explained - defined):
        yield f"units/aiops.catalog:1: explains {i}, which nothing sends"
    if not explained:
        return
    for i, head in re.findall(r"^-- ([0-9a-f]{32})\n((?:.+\n)*)", text.read_text(), re.M):
        if not re.search(r"^Subject: .+\nDefined-By: .+", head):
            yield f"units/aiops.catalog:1: {i} has no Subject: and Defined-By:"
    with tempfile.TemporaryDirectory() as root:
        for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
            Path(root, folder).mkdir(parents=True)
        shutil.copy(text, Path(root, "usr/lib/systemd/catalog/aiops-agent.catalog"))
        out = run("journalctl", "--update-catalog", f"--root={root}")
        if out.returncode != 0 or "fail" in out.stderr.lower():
            yield f"units/aiops.catalog:1: {out.stderr.strip()}"


def can_skip(tree, name):
    """What is wrong with the leave of NAME: TEST/FUNCTION of a unit test, a whole unit test, or a VM case."""
    test, _, function = name.partition("/")
    source = tree.root / "selftests/unit" / f"{test}.c"
    if not source.exists():
        source = tree.root / "selftests/vm/cases" / f"{test}.py"
    if not source.exists():
        return f"there is no test '{test}'"
    text = source.read_text()
    if function:
        body = re.search(rf"^static void {re.escape(function)}\(.*?^}}", text, re.M | re.S)
        if not body:
            return f"'{test}' has no test '{function}'"
        text = body.group(0)
    return "" if re.search(r"\bskip\(|exit\(77\)|return 77;", text) else f"'{name}' does not skip"


def skips(tree):
    """Each leave to skip is one that somebody can take: a stale one would hide the next of its name."""
    path = tree.root / "selftests/skips"
    seen = set()
    for n, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line or line.startswith("#"):
            continue
        name, _, reason = line.partition(":")
        wrong = "" if reason.strip() else "no reason"
        wrong = wrong or (f"'{name}' again" if name in seen else can_skip(tree, name))
        seen.add(name)
        if wrong:
            yield f"selftests/skips:{n}: {wrong}"


GUARDS = [spdx, shell, python, symbols, exposure, units, unit_users, catalog, skips]
