# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guards over the C sources. Each takes the tree and yields `file:line: what is wrong`."""

import re
import subprocess

from source import code

# Folder -> what it may include. base <- model <- {ops, sys} <- plugins; the engine sees no sys and no
# plugin, so that the brain replays a trace on any laptop. rules are pure.
LAYERS = {
    "base": {"base"},
    "model": {"base", "model"},
    "ops": {"base", "model", "ops"},
    "sys": {"base", "model", "sys", "bpf"},
    "engine": {"base", "model", "ops", "engine"},
    "ipc": {"base", "model", "ipc"},
    "rules": {"base", "model", "ops"},
    "bpf": {"bpf"},
    "ctl": {"base", "model", "ipc", "ops", "sys", "engine", "ctl"},
}
PLUGINS = {"probes", "inspectors", "notifiers", "stores", "actions", "faults"}
PLUGIN_SEES = {"base", "model", "ops", "sys", "bpf"}
SKELETON_USERS = {"sys", "probes", "faults", "agent"}
ALL_LAYERS = set(LAYERS) | PLUGINS

# Kinds whose folder holds plugins: file NAME.c defines KIND_NAME. A plugin that outgrows its file has
# NAME_part.c with a NAME_part.h beside it.
PLUGIN_DIRS = {
    "actions": "action", "faults": "fault", "daemon/probes": "probe", "daemon/rules": "rule",
    "daemon/inspectors": "inspector", "daemon/recorder/inspectors": "inspector",
    "daemon/gateway/inspectors": "inspector", "daemon/gateway/probes": "probe",
    "daemon/notifiers": "notifier",
}

BANNED = ("strcpy strcat strncpy strncat sprintf vsprintf atoi atol strtol gets strtok localtime "
          "system popen alloca signal usleep").split()
SLEEPS = "sleep nanosleep clock_nanosleep".split()

DURATIONS = ("timeout interval limit delay duration period deadline cooldown elapsed latency "
             "ttl age").split()
NUMBER = r"(?:u?int(?:8|16|32|64)?_t|unsigned|int|long|size_t|ssize_t|double|float|time_t)"


def folder(name):
    """daemon/sys/x.c -> sys, daemon/recorder/inspectors/x.c -> recorder, daemon/agent.c -> agent."""
    parts = name.split("/")
    if parts[0] != "daemon":
        return parts[0]
    return parts[1].removesuffix(".c").removesuffix(".h")


def include_fault(name, target):
    own = folder(name)
    if own == "selftests":
        return None
    if "/" not in target:
        if target.endswith(".skel.h"):
            return None if own in SKELETON_USERS else "a skeleton is for sys, probes, faults, agent"
        if target == "vmlinux.h":
            return None if own == "bpf" else "vmlinux.h is for bpf"
        if target.startswith("registry_"):
            return "a plugin table is for a main" if own in ALL_LAYERS - {"ctl"} else None
        return "include our headers from the root"
    other = target.split("/")[0]
    if own in PLUGINS:
        own_file, its_file = (n.rsplit("/", 1)[-1].split(".")[0] for n in (name, target))
        same = other == own and (its_file == own_file or its_file.startswith(own_file + "_"))
        return None if other in PLUGIN_SEES or same else f"a plugin must not see {other}"
    if own in LAYERS:
        same = own == other
        return None if other in LAYERS[own] or same else f"{own} must not see {other}"
    if other in ALL_LAYERS or other == own:
        return None
    return f"{own} must not see {other}"


def layers(tree):
    for path in tree.c_files:
        text = path.read_text(errors="replace")
        for m in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
            fault = include_fault(tree.name(path), m.group(1))
            if fault:
                yield tree.at(path, text, m.start(1), f'"{m.group(1)}": {fault}')


def banned(tree):
    calls = re.compile(r"(?<![.\w>])(" + "|".join(BANNED + SLEEPS) + r")\s*\(")
    for path in tree.c_files:
        text = code(path)
        for m in calls.finditer(text):
            if m.group(1) in SLEEPS and tree.name(path) == "daemon/base/clock.c":
                continue
            yield tree.at(path, text, m.start(), f"{m.group(1)}() is banned")


def names(tree):
    bare = re.compile(rf"\b{NUMBER}\s+\**((?:\w+_)?(?:{'|'.join(DURATIONS)}))\s*[;,=)\[]")
    for path in tree.c_files:
        if tree.name(path).startswith("bpf/vmlinux"):
            continue
        text = code(path)
        for m in bare.finditer(text):
            yield tree.at(path, text, m.start(1), f"'{m.group(1)}' does not say its unit")


def cleanup(tree):
    owner = re.compile(r"^(?!\s*#).*\b_cleanup_(?:\w+|\([^)]*\)).*$", re.M)
    for path in tree.c_files:
        text = code(path)
        for m in owner.finditer(text):
            line = m.group(0)
            if "=" not in line and not line.rstrip().endswith("\\"):
                yield tree.at(path, text, m.start(), "_cleanup_ without a value on its line")


def printf(tree):
    """Every variadic function carries format(printf), in its header or, if static, where it is."""
    function = re.compile(r"(?<=[;{}\n])[^;{}#]*?\b(\w+)\s*\([^;{}()]*(?:\([^()]*\)[^;{}()]*)*"
                          r"\.\.\.\s*\)[^;{]*[;{]")
    blessed, bare = set(), []
    for path in tree.c_files:
        text = "\n" + re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                             lambda m: re.sub(r"[^\n]", " ", m.group(0)), code(path), flags=re.M)
        for m in function.finditer(text):
            if "_printf_" in m.group(0) or "format(printf" in m.group(0):
                blessed.add(m.group(1))
            else:
                bare.append((path, text[1:], m.start(1) - 1, m.group(1)))
    for path, text, position, name in bare:
        if name not in blessed:
            yield tree.at(path, text, position, f"{name}() is variadic without format(printf)")


def sizes(tree):
    for path in tree.select(".c", ".h", ".py"):
        lines = path.read_text(errors="replace").count("\n")
        if lines > 800:
            yield f"{tree.name(path)}:1: {lines} lines; stop at 800"
    sources = tree.select(".c")
    if not sources:
        return
    out = subprocess.run(["pmccabe", *map(str, sources)], capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        fields = line.split("\t")
        complexity, length, where, name = int(fields[0]), int(fields[4]), fields[5], fields[-1]
        m = re.match(r"(.*)\((\d+)\): (\w+)", where + ": " + name if ": " not in where else where)
        place = f"{m.group(1).removeprefix(str(tree.root) + '/')}:{m.group(2)}: {m.group(3)}()"
        if complexity > 15:
            yield f"{place} has complexity {complexity}; stop at 15"
        if length > 80:
            yield f"{place} has {length} lines; stop at 80"


def plugins(tree):
    for path in tree.select(".c"):
        name = tree.name(path)
        kind = PLUGIN_DIRS.get(name.rsplit("/", 1)[0])
        if kind and not path.with_suffix(".h").exists() and not re.search(rf"^const struct {kind}_ops {kind}_{path.stem}\b",
                                  path.read_text(), re.M):
            yield f"{name}:1: does not define `const struct {kind}_ops {kind}_{path.stem}`"


def layout(tree):
    """clang-format has the last word."""
    sources = [str(p) for p in tree.c_files]
    workers = [subprocess.Popen(["clang-format", "--dry-run", *sources[i::2]],
                                stderr=subprocess.PIPE, text=True, cwd=tree.root)
               for i in range(2) if sources[i::2]]
    seen = set()
    for worker in workers:
        for line in worker.communicate()[1].splitlines():
            m = re.match(r"(.*?):(\d+):\d+: (?:warning|error)", line)
            if m and m.group(1) not in seen:
                seen.add(m.group(1))
                yield f"{m.group(1).removeprefix(str(tree.root) + '/')}:{m.group(2)}: run make fmt"


GUARDS = [layers, banned, names, cleanup, printf, sizes, plugins, layout]
