# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests' disks: Debian made by mmdebstrap, without a loop device, cached by their inputs."""

import collections
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SUITE = "bookworm"
KEPT_IMAGES = 2
# Guests that differ in what is installed. packages: files with Debian's names; debs: ours; setup:
# scripts that run after them.
Flavour = collections.namedtuple("Flavour", "name packages debs setup memory_mib disk_bytes")
BASE = Flavour("base", ["guest-packages"], ["aiops-agent", "aiops-target"], ["setup"], 1024, 4 << 30)
STACK = Flavour("stack", ["guest-packages", "guest-packages-stack"],
                [*BASE.debs, "aiops-target-stack"], ["setup", "setup-stack"], 2048, 8 << 30)
# mmdebstrap leaves it "uninitialized", which would make the first boot a first boot.
MACHINE_ID = "a105" * 8
# What fires on its own and would show up as a difference that nobody made.
MASKED_UNITS = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    logrotate.timer systemd-tmpfiles-clean.timer systemd-timesyncd.service cron.service
    e2scrub_reap.service getty@tty1.service serial-getty@ttyS0.service
    systemd-networkd-wait-online.service
""".split()
# The modules that the faults need must be in this kernel.
NEEDED_MODULES = ["sch_netem", "ifb", "act_mirred", "cls_fw", "cls_bpf", "sch_ingress", "dummy"]


def packages(flavour):
    lines = [line.split("#")[0].strip() for name in flavour.packages
             for line in (HERE / name).read_text().splitlines()]
    return [line for line in lines if line]


def input_hash(flavour):
    digest = hashlib.sha256()
    files = [HERE / "image.py", *(HERE / name for name in flavour.packages)]
    files += sorted(p for p in (HERE / "guest-files").rglob("*") if p.is_file())
    for path in files:
        digest.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def apt_sources():
    """The host's own Debian sources, whichever format they are written in."""
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
             "Created-By: Packages", "Origin: Debian"]
    lines = subprocess.run(query, check=True, text=True, capture_output=True).stdout.split("\n")
    sources = [f"deb {line}" for line in dict.fromkeys(lines) if f" {SUITE}" in line]
    if not sources:
        raise RuntimeError(f"find apt sources of {SUITE}: none known, run apt-get update first")
    return "\n".join(sources) + "\n"


def apt_options():
    """How the host reaches its mirrors (proxies, certificates, archive dates)."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], check=True, text=True,
                          capture_output=True).stdout
    wanted = re.compile(r'Acquire::(https?::(?!User-Agent)|Check-Valid-Until |Check-Date )')
    return [line for line in dump.splitlines() if wanted.match(line) and '""' not in line]


def mmdebstrap_argv(flavour, root, sources):
    argv = ["mmdebstrap", "--verbose", "--variant=important",
            f"--include={','.join(packages(flavour))}",
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f'--essential-hook=cp -rT {HERE}/guest-files "$1"',
            '--customize-hook=rm -f "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
            '--customize-hook=systemctl --root="$1" -q enable systemd-networkd',
            f'--customize-hook=systemctl --root="$1" -q mask {" ".join(MASKED_UNITS)}']
    argv += [f"--aptopt={option}" for option in apt_options()]
    return argv + [SUITE, str(root), str(sources)]


def run_logged(argv, log, progress):
    with open(log, "a") as out:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, text=True, errors="replace")
        for line in process.stdout:
            out.write(line)
            progress.note(line.strip())
        if process.wait():
            raise RuntimeError(f"run '{argv[0]}': exit {process.returncode}, see {log}")


def check_modules(root):
    present = {p.name.split(".")[0] for p in root.glob("usr/lib/modules/**/*.ko*")}
    present |= {p.name.split(".")[0] for p in root.glob("lib/modules/**/*.ko*")}
    for order in root.glob("lib/modules/*/modules.builtin"):
        present |= {pathlib.Path(line).stem for line in order.read_text().split()}
    missing = [name for name in NEEDED_MODULES if name not in present]
    if missing:
        raise RuntimeError(f"check guest kernel: modules {', '.join(missing)} are missing")


def build(flavour, into, progress):
    work = into.with_name(into.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    root, sources, log = work / "root", work / "sources.list", work / "build.log"
    sources.write_text(apt_sources())
    with progress.step(f"debian ({flavour.name}): download and unpack"):
        run_logged(mmdebstrap_argv(flavour, root, sources), log, progress)
    check_modules(root)
    with progress.step(f"debian ({flavour.name}): make the disk"):
        (root / "etc/machine-id").write_text(MACHINE_ID + "\n")
        shutil.copy(next(root.glob("boot/vmlinuz-*")), work / "vmlinuz")
        shutil.copy(next(root.glob("boot/initrd.img-*")), work / "initrd")
        with open(work / "root.raw", "wb") as disk:
            disk.truncate(flavour.disk_bytes)
        run_logged(["/sbin/mkfs.ext4", "-q", "-F", "-L", "root", "-d", str(root),
                    str(work / "root.raw")], log, progress)
        shutil.rmtree(root)
    work.rename(into)


def prune(cache, flavour):
    images = [p for p in cache.glob(f"{flavour.name}-*") if p.is_dir()]
    images.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for old in images[KEPT_IMAGES:]:
        shutil.rmtree(old, ignore_errors=True)


def ensure(cache, flavour, progress):
    """The folder with root.raw, vmlinuz and initrd; built if its inputs changed."""
    into = cache / f"{flavour.name}-{input_hash(flavour)}"
    if not (into / "root.raw").exists():
        cache.mkdir(parents=True, exist_ok=True)
        build(flavour, into, progress)
    os.utime(into)
    prune(cache, flavour)
    return into
