# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host-state digest seen from outside: send it in, run it, compare two of them."""

import io
import json
import pathlib
import zipfile

import volatile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = "/run/vmtest/digest.pyz"
UNDO_FOLDER = "/run/aiops/undo/"


def program():
    """digest.py and volatile.py as one file that python3 runs."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("__main__.py", (HERE / "digest.py").read_text())
        archive.writestr("volatile.py", (HERE / "volatile.py").read_text())
    return raw.getvalue()


def send(guest):
    guest.run(["mkdir", "-p", str(pathlib.PurePath(PROGRAM).parent)])
    guest.write(PROGRAM, program())


def take(guest):
    return guest.json(["python3", "-ISB", PROGRAM], timeout_s=120)


def undoable(guest):
    """Paths of the undo records that may be there: of what is done for good and may be undone by a
    person later. What was for a time must have taken its record along, and so must all else."""
    code, out, _ = guest.run(["curl", "-sS", "--max-time", "6", "--unix-socket",
                              "/run/aiops/approve.sock", "http://localhost/v1/attempts"],
                             check=False)
    attempts = json.loads(out)["attempts"] if code == 0 else []
    return [f"{UNDO_FOLDER}{one['key']}" for one in attempts
            if one["op"] == "apply" and one["phase"] in ("done", "unknown")
            and one["revertible"] and "duration" not in one["params"]]


def without_undoable(lines, guest):
    if not any(UNDO_FOLDER in line for line in lines):
        return lines
    allowed = [f"file: + {path} " for path in undoable(guest)]
    return [line for line in lines if not f"{line} ".startswith(tuple(allowed))]


def diff(before, after):
    """Readable lines, one for each difference that volatile.py does not allow; empty is clean."""
    lines = []
    for section in sorted(set(before) | set(after)):
        old, new = before.get(section, {}), after.get(section, {})
        lines += [f"{section}: - {key}{_short(old[key])}" for key in sorted(set(old) - set(new))]
        if section not in volatile.GROWING:
            added = sorted(set(new) - set(old))
            lines += [f"{section}: + {key}{_short(new[key])}" for key in added]
        for key in sorted(set(old) & set(new)):
            lines += [f"{section}: ~ {key}{change}" for change in _changes(old[key], new[key])]
    return lines


def _short(value):
    return "" if isinstance(value, dict) or value == "x1" else f" {value}"


def _changes(old, new):
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f": {old} -> {new}"]
    return [f" {name}: {old.get(name, '(none)')} -> {new.get(name, '(none)')}"
            for name in sorted(set(old) | set(new)) if old.get(name) != new.get(name)]
