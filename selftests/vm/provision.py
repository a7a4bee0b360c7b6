# SPDX-License-Identifier: LGPL-2.1-or-later
"""From an image to the snapshot that each case starts from: boot, install, settle; all cached."""

import fcntl
import hashlib
import json
import os
import pathlib
import time

import image
import state
from guest import Guest
from machine import Machine, acceleration

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LOGS = TOP / "build" / "vm" / "logs"
LOCK = pathlib.Path("/run/lock/aiops-vm")
KEPT_READY = 4
DEB_FOLDER = "/var/cache/vmtest"


def cache_folder():
    return pathlib.Path(os.environ.get("AIOPS_VM_CACHE") or TOP / "build" / "vm").resolve()


def lock(progress):
    """One machine at a time on this host: whoever comes second waits."""
    file = open(LOCK, "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        with progress.step(f"wait for the machine (pid {file.read().strip() or '?'})"):
            fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def hash_of(*parts):
    digest = hashlib.sha256()
    for part in parts:
        raw = part.read_bytes() if isinstance(part, pathlib.Path) else part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:12]


def booted_snapshot(machine, progress):
    """Name of the snapshot of the bare, booted guest."""
    name = f"booted-{hash_of(HERE / 'machine.py')}"
    if name in machine.snapshots():
        return name
    machine.new_disk()
    with progress.step("guest: boot"):
        machine.start()
        Guest(machine).settle()
    with progress.step("guest: save"):
        machine.save(name)
    return name


def install(guest, debs):
    guest.run(["mkdir", "-p", DEB_FOLDER])
    names = []
    for deb in debs:
        names.append(f"{DEB_FOLDER}/{deb.name}")
        guest.write(names[-1], deb.read_bytes())
    guest.run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y",
               "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io", *names],
              timeout_s=300)
    guest.run(["rm", "-r", DEB_FOLDER])
    guest.run(["sync"])


def make_ready(machine, booted, name, debs, scripts, progress):
    guest = Guest(machine)
    machine.restore(booted)
    guest.run(["date", "-s", f"@{time.time():.0f}"])
    if debs:
        with progress.step(f"guest: install {', '.join(deb.name for deb in debs)}"[:60]):
            install(guest, debs)
    with progress.step("guest: set up and settle"):
        for script in scripts:
            guest.run(["/bin/sh", "-s"], stdin=(HERE / script).read_bytes(), timeout_s=300)
        state.send(guest)
        guest.settle()
    machine.save(name)
    note_of(machine, name).write_text("null")


def note_of(machine, name):
    """The digest of the state in a snapshot, null until needed; its mtime is the last use."""
    return machine.image / f"{name}.json"


def baseline(machine, name, progress):
    """What the host state of a case is compared with."""
    note = note_of(machine, name)
    known = json.loads(note.read_text())
    if known is None:
        with progress.step("guest: digest"):
            known = state.take(Guest(machine))
            machine.save(name)  # again: what the digest reads is in the page cache now
        note.write_text(json.dumps(known))
    return known


def prune_ready(machine):
    """Forget the oldest of the prepared guests; runs while no process has the disk open."""
    there = machine.snapshots()
    notes = list(machine.image.glob("ready-*.json"))
    notes.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    kept = [note.stem for note in notes if note.stem in there][: KEPT_READY - 1]
    for note in notes:
        if note.stem not in kept:
            note.unlink()
    machine.drop_snapshots(n for n in there if n.startswith("ready-") and n not in kept)


def explain(machine):
    """Keep the journal of a guest that could not be made ready."""
    folder = LOGS / "ready"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.log").write_text(Guest(machine).journal("-b"))
    return folder / "journal.log"


def ready_guest(flavour, cache, debs, setup, compared, progress):
    """A guest with DEBS installed and, with SETUP, started; restored from its snapshot.
    COMPARED: its state will be compared, so the digest of it is wanted too."""
    folder = image.ensure(cache, flavour, progress)
    machine = Machine(folder, acceleration(cache, folder, progress), flavour.memory_mib)
    scripts = flavour.setup if setup else []
    try:
        booted = booted_snapshot(machine, progress)
        inputs = [HERE / name for name in (*scripts, "digest.py", "volatile.py", "provision.py")]
        name = f"ready-{hash_of(booted, *inputs, *sorted(debs))}"
        note = note_of(machine, name)
        if machine.process or name not in machine.snapshots() or not note.exists():
            machine.kill()
            prune_ready(machine)
            try:
                make_ready(machine, booted, name, debs, scripts, progress)
            except AssertionError as error:
                raise RuntimeError(f"{error}\njournal of the guest: {explain(machine)}") from error
        os.utime(note)
        machine.restore(name)
        return Guest(machine, name, baseline(machine, name, progress) if compared else None)
    except BaseException:
        machine.kill()
        raise
