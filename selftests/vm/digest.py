# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the guest: print the state of the host as JSON, {section: {key: text or object}}.

Whatever a repair or a fault can leave behind is in here; what changes by itself is left out as
volatile.py says."""

import collections
import fnmatch
import hashlib
import json
import os
import re
import stat
import subprocess

import volatile

FILE_ROOTS = ["/etc", "/run/aiops", "/run/netns", "/run/systemd", "/tmp", "/var/tmp",
              "/var/lib/aiops", "/var/lib/systemd/linger", "/dev/shm", "/sys/fs/bpf"]
CGROUPS = "/sys/fs/cgroup"
CGROUP_COMMANDS = {"cgroup.procs", "cgroup.threads", "cgroup.kill", "memory.reclaim"}
UNIT_PATTERNS = ["*.service", "*.socket", "*.slice", "*.scope", "*.timer", "*.path"]
UNIT_LISTS = {"Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "Sockets", "Names"}
HASHED_BYTES = 1 << 20
PF_KTHREAD = 0x00200000


def text_of(*argv):
    return subprocess.run(argv, text=True, capture_output=True, errors="replace").stdout


def json_of(*argv):
    return json.loads(text_of(*argv) or "[]")


def without(value, names):
    """A copy of a JSON value with some members left out at every depth."""
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, list):
        return [without(item, names) for item in value]
    return value


def flat(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def counted(lines):
    return {line: f"x{count}" for line, count in collections.Counter(lines).items()}


def matches(entries, text):
    return any(re.fullmatch(entry[0], text) for entry in entries)


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def qdiscs():
    found = {}
    for item in json_of("tc", "-j", "qdisc", "show"):
        parent = item.get("parent", "root")
        key = f"dev {item['dev']} {item['kind']} {item['handle']} parent {parent}"
        found[key] = flat(without(item, {"refcnt"}))
    return found


def filters():
    """Classes and filters of each queueing discipline that can have some."""
    lines = []
    for item in json_of("tc", "-j", "qdisc", "show"):
        dev, handle = item["dev"], item["handle"]
        if item["kind"] in ("clsact", "ingress"):
            places = [["ingress"], ["egress"]]
        elif handle != "0:":
            places = [["parent", handle]]
            classes = text_of("tc", "class", "show", "dev", dev)
            lines += [f"dev {dev} {line}" for line in classes.splitlines()]
        else:
            continue
        for place in places:
            shown = text_of("tc", "filter", "show", "dev", dev, *place)
            lines += [f"dev {dev} {' '.join(place)}: " + re.sub(r" (id|jited|index) \d+", "", line)
                      for line in shown.splitlines()]
    return counted(lines)


def links():
    drop = {"ifindex", "stats", "stats64", "carrier_changes", "id", "link_index"}
    return {item["ifname"]: without(item, drop) for item in json_of("ip", "-j", "-d", "link")}


def routing():
    drop = {"valid_life_time", "preferred_life_time", "expires", "ifindex"}
    lines = []
    for what in (["addr"], ["rule"], ["-6", "rule"], ["route", "show", "table", "all"],
                 ["-6", "route", "show", "table", "all"]):
        lines += [f"{' '.join(what)}: {flat(without(item, drop))}"
                  for item in json_of("ip", "-j", *what) if item.get("type") != "multicast"]
    return counted(lines)


def firewall():
    drop = {"handle", "metainfo", "packets", "bytes", "expires"}
    ruleset = json_of("nft", "-j", "list", "ruleset")["nftables"]
    return counted(flat(without(item, drop)) for item in ruleset if "metainfo" not in item)


def mounts():
    lines = []
    for line in read("/proc/1/mountinfo").splitlines():
        place, kind = line.split(" - ")
        lines.append(f"{place.split()[4]} {kind.split()[0]} {kind.split()[1]} {place.split()[5]}")
    return counted(line for line in lines if not line.startswith("/run/credentials/"))


def cgroups():
    """Every file one can write a limit to, of every cgroup."""
    found = {}
    for folder, _, names in os.walk(CGROUPS):
        path = folder[len(CGROUPS) :] or "/"
        if path.startswith(volatile.OWN_SLICE) or matches(volatile.UNITS, os.path.basename(path)):
            continue
        values = {}
        for name in names:
            if name in CGROUP_COMMANDS or name.endswith(".pressure"):
                continue
            if os.stat(f"{folder}/{name}").st_mode & 0o200:
                values[name] = read(f"{folder}/{name}")
        found[path] = values
    return found


def cgroup_paths():
    folders = [folder for folder, _, _ in os.walk(CGROUPS)]
    return {os.stat(folder).st_ino: folder[len(CGROUPS) :] or "/" for folder in folders}


def bpf():
    """Programs, maps and links by what they are, not by their numbers."""
    names = cgroup_paths()
    lines = [f"prog {x['type']} '{x.get('name', '')}'" for x in json_of("bpftool", "-j", "prog")]
    lines += [f"map {x['type']} '{x.get('name', '')}'" for x in json_of("bpftool", "-j", "map")]
    for item in json_of("bpftool", "-j", "link"):
        if "cgroup_id" in item:
            item["cgroup_id"] = names.get(item["cgroup_id"], "gone")
        lines.append("link " + flat(without(item, {"id", "prog_id", "pids", "target_obj_id",
                                                   "target_btf_id"})))
    for group in json_of("bpftool", "-j", "cgroup", "tree"):
        path = group["cgroup"][len(CGROUPS) :] or "/"
        lines += [f"attached {x['attach_type']} '{x.get('name', '')}' at {path}"
                  for x in group["programs"]]
    return counted(line for line in lines if not matches(volatile.BPF, line))


def process_line(pid):
    stat_text = read(f"/proc/{pid}/stat")
    if ")" not in stat_text:
        return None
    comm = stat_text[stat_text.index("(") + 1 : stat_text.rindex(")")]
    fields = stat_text[stat_text.rindex(")") + 2 :].split()
    cgroup = read(f"/proc/{pid}/cgroup").split("::")[-1]
    if int(fields[6]) & PF_KTHREAD or cgroup.startswith(volatile.OWN_SLICE) or fields[0] == "X":
        return None
    state = {"T": " stopped", "t": " traced", "Z": " zombie"}.get(fields[0], "")
    return f"{comm} {os.stat(f'/proc/{pid}').st_uid} {cgroup}{state}"


def processes():
    lines = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = process_line(pid)
        except OSError:
            continue
        if line and not matches(volatile.PROCESSES, line):
            lines.append(line)
    return counted(lines)


SETS = {"Requires", "Requisite", "Wants", "BindsTo", "Upholds", "PartOf"}


def property_value(key, value):
    if key in SETS:  # systemd lists them in the order of a hash table, anew at each reload
        return " ".join(sorted(value.split()))
    return re.sub(r" ; start_time=.*", "", value)


def in_order(key, value):
    """Lists of units have no order: another one after a daemon-reload is no difference."""
    return " ".join(sorted(value.split())) if key in UNIT_LISTS else value


def units():
    """Configuration and state of every unit that is not simply inactive."""
    found = {}
    is_volatile = re.compile("|".join(entry[0] for entry in volatile.UNIT_PROPERTIES)).fullmatch
    for block in text_of("systemctl", "show", *UNIT_PATTERNS).split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = values.get("Id", "")
        if not name or values.get("ActiveState") == "inactive" or matches(volatile.UNITS, name):
            continue
        found[name] = {key: property_value(key, value) for key, value in values.items()
                       if not is_volatile(key)}
    return found


def describe(path, with_content):
    info = os.lstat(path)
    text = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
    if not with_content:
        return text
    if stat.S_ISLNK(info.st_mode):
        return f"{text} -> {os.readlink(path)}"
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read(HASHED_BYTES)).hexdigest()[:16]
        return f"{text} {info.st_size} bytes sha256 {digest}"
    return text


def files():
    found = {}
    rules = [(re.compile(fnmatch.translate(rule[0])), rule[1]) for rule in volatile.FILES]
    for root in FILE_ROOTS:
        for folder, inner, names in os.walk(root):
            for name in inner + names:
                path = f"{folder}/{name}"
                kinds = {kind for pattern, kind in rules if pattern.match(path)}
                if "all" in kinds:
                    continue
                try:
                    found[path] = describe(path, "content" not in kinds)
                except OSError as error:
                    found[path] = f"unreadable: {error.strerror}"
    return found


def modules():
    return {line.split()[0]: "loaded" for line in read("/proc/modules").splitlines()}


SECTIONS = {
    "qdisc": qdiscs, "filter": filters, "link": links, "routing": routing, "nft": firewall,
    "mount": mounts, "cgroup": cgroups, "bpf": bpf, "process": processes, "unit": units,
    "file": files, "module": modules,
}

if __name__ == "__main__":
    print(json.dumps({name: collect() for name, collect in SECTIONS.items()}))
