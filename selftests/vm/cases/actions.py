# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every action, on the application as units and in containers: does it do what it says, does it change nothing when
it should not, and what becomes of it when the world gets in its way. The rows are in actions/, what a cell means
is in acting.py; both run in the guest, next to what they watch.

AIOPS_ACTIONS="unit.st* service.restart@containers" runs some, AIOPS_CELLS="killed,verify fails" some cells."""

import fnmatch
import io
import json
import os
import pathlib
import re
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "actions"))
import excused  # noqa: E402

TAGS = {"stack", "long"}
SUMMARY = "every action: applied, dry, repeated, refused, failing in two places and killed, as units and in containers"
SABOTAGE = {"verify-says-yes", "revert-does-nothing"}
TIMEOUT_S = 3600
TOP = HERE.parent.parent
PROGRAM = "/run/vmtest/actions.pyz"
DEPLOYMENTS = ("units", "containers")
CELLS = ("dry run", "applied", "repeated", "refused", "apply fails", "verify fails", "killed")
FAMILIES = ("unit", "container", "service", "db", "host")
# With a product that lies, a few cells must tell; the whole table would be the same again.
FEW = {"unit.stop@units": ("verify fails",), "service.switch_upstream@units": ("apply fails",)}
ROW_TIMEOUT_S = 900
POLICY = """mode: auto
allow:
{allow}
limits:
  per_entity_per_hour: 60
  per_host_per_hour: 600
  cooldown_s: 0
"""
MAIN = """import sys
import importlib
import acting
family, name, deployment, *cells = sys.argv[1:]
row = next(r for r in importlib.import_module("actions." + family).ROWS if r.action == name)()
row.deployment = deployment
acting.run(row, cells)
"""


def sources():
    """Names of all actions, by their files."""
    texts = [path.read_text() for path in sorted((TOP / "actions").glob("*.c"))]
    return [re.search(r'\.name = "([a-z]+\.[a-z_]+)",\n\t\.summary', text)[1] for text in texts]


def rows():
    """(family, action, deployments) of all rows, read from their files as data."""
    found = []
    for family in FAMILIES:
        text = (HERE / "actions" / f"{family}.py").read_text()
        for block in re.split(r"\nclass ", text)[1:]:
            action = re.search(r'\n    action = "([^"]+)"', block)
            if action:
                found.append((family, action[1]))
    return found


def deployments(family, action):
    on = {"container": ("containers",), "service": DEPLOYMENTS, "db": DEPLOYMENTS}.get(family, ("units",))
    return [one for one in on if (action, one) not in excused.ROWS]


def program():
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("__main__.py", MAIN)
        for name in ("acting.py", "digest.py", "volatile.py"):
            archive.writestr(name, (HERE / name).read_text())
        for path in (HERE / "actions").glob("*.py"):
            archive.writestr(f"actions/{path.name}", path.read_text())
    return raw.getvalue()


def is_wanted(action, deployment):
    wanted = os.environ.get("AIOPS_ACTIONS", "*").split()
    return any(fnmatch.fnmatchcase(f"{action}@{deployment}", one if "@" in one else f"{one}@*") for one in wanted)


def prepare(vm):
    """Nobody heals here but the table; the policy lets a person do all of it."""
    vm.run("systemctl stop aiops-agent.service && systemctl mask --runtime aiops-agent.service aiops-keep.timer && "
           "systemctl stop aiops-keep.timer aiops-target-snapshot.timer")
    hosts = ("disk.free_space", "net.", "dns.", "time.")
    allow = "".join(f"  - {{action: {name}, on: {'host' if name.startswith(hosts) else 'any'}, autonomy: approve}}\n"
                    for name in sources())
    vm.run("mkdir -p /etc/aiops/policy.d")
    vm.write("/etc/aiops/policy.d/90-vmtest.yaml", POLICY.format(allow=allow))
    vm.write(PROGRAM, program())
    vm.run("systemctl reload-or-restart aiops-executor.service")


def deploy(vm, deployment):
    """A snapshot of the application in this deployment, at rest."""
    if deployment == "containers":
        vm.run("aiops-target up --containers", timeout_s=400)
    prepare(vm)
    vm.settle()
    name = f"case-{deployment}"
    vm.machine.save(name)
    return name


def run_row(vm, snapshot, family, action, deployment, cells):
    """{cell: (ok, proof, seconds)}; after one that fails the guest is as at first again."""
    found, left = {}, list(cells)
    while left:
        vm.machine.restore(snapshot)
        code, out, err = vm.run(["python3", "-ISB", PROGRAM, family, action, deployment, *left], check=False,
                                timeout_s=ROW_TIMEOUT_S)
        for line in out.splitlines():
            told = json.loads(line)
            found[told["cell"]] = told["ok"], told["proof"], told["took_s"]
        known = [cell for cell in left if cell in found]
        if not known or (len(known) < len(left) and found[known[-1]][0]):
            at = left[len(known)]
            found[at] = False, f"exit {code}: {(err or out).strip()[-600:]}", 0
            known.append(at)
        left = left[len(known):]
    return found


def table(results):
    """Lines of the table, and those of what is wrong."""
    width = max(len(f"{action} ({deployment})") for action, deployment in results)
    lines = [f"{'':<{width}}  " + "  ".join(f"{cell:<12}" for cell in CELLS)]
    wrong, why = [], []
    for (action, deployment), found in results.items():
        cells = []
        for cell in CELLS:
            if cell not in found:
                cells.append("-")
                continue
            ok, proof, took_s = found[cell]
            word = {True: f"yes {took_s:4.1f} s", None: "excused"}.get(ok, "FAILED")
            cells.append("none, said" if ok and proof == "none, said before" else word)
            if ok is False:
                wrong.append(f"{action} ({deployment}): {cell}: {proof}")
            elif ok is None:
                why.append(f"{action} ({deployment}): {cell}: {proof}")
        lines.append(f"{action + f' ({deployment})':<{width}}  " + "  ".join(f"{cell:<12}" for cell in cells))
    return lines, wrong, why


def chosen(vm):
    """(family, action, deployment, cells) of what is to be run, deployment by deployment."""
    named = os.environ.get("AIOPS_CELLS", ",".join(CELLS)).split(",")
    for deployment in DEPLOYMENTS:
        for family, action in rows():
            if deployment not in deployments(family, action) or not is_wanted(action, deployment):
                continue
            cells = [cell for cell in CELLS if cell in named]
            if vm.patience_s != float("inf"):
                cells = list(FEW.get(f"{action}@{deployment}", ()))
            if cells:
                yield family, action, deployment, cells


def assert_complete():
    """No action without a row, no row without an action, nothing excused that is not there."""
    there, known = set(sources()), {action for _, action in rows()}
    assert not there - known, f"actions without a row: {sorted(there - known)}"
    assert not known - there, f"rows of no action: {sorted(known - there)}"
    excuses = {key[0] for key in (*excused.CELLS, *excused.ROWS)}
    assert excuses <= there and {key[2] for key in excused.CELLS} <= set(CELLS), f"excused: {sorted(excuses - there)}"


def run(vm):
    assert_complete()
    results, snapshot, at = {}, None, None
    began_s = time.monotonic()
    try:
        for family, action, deployment, cells in chosen(vm):
            if deployment != at:
                if at:  # the first finds the guest as it was given, with what was planted
                    vm.restore()
                at, snapshot = deployment, deploy(vm, deployment)
                print(f"\n    {deployment}: ready after {time.monotonic() - began_s:.0f} s", file=sys.stderr)
            excuses = {cell: excused.CELLS.get((action, deployment, cell)) for cell in cells}
            found = run_row(vm, snapshot, family, action, deployment, [c for c in cells if not excuses[c]])
            found.update({cell: (None, why, 0) for cell, why in excuses.items() if why})
            results[action, deployment] = found
            print(f"    {action} ({deployment}): " + ", ".join(
                f"{cell} {'ok' if ok else 'excused' if ok is None else 'FAILED: ' + proof}"
                for cell, (ok, proof, _) in found.items()), file=sys.stderr, flush=True)
    finally:
        vm.restore()
        for name in ("case-units", "case-containers"):
            vm.machine.monitor.human(f"delvm {name}")
    lines, wrong, why = table(results)
    vm.notes += lines + [f"excused: {line}" for line in why]
    vm.notes += [f"excused: {action} ({deployment}): {reason}" for (action, deployment), reason in excused.ROWS.items()]
    cells = [ok for found in results.values() for ok, _, _ in found.values()]
    vm.notes.append(f"{len(results)} rows, {len(cells)} cells: {cells.count(True)} proved, {cells.count(None)} excused, "
                    f"{cells.count(False)} failed; {time.monotonic() - began_s:.0f} s")
    assert not wrong, "\n".join(wrong)
