# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tree as the guards see it: its files, and C without comments and strings."""

import functools
import re
import subprocess
from pathlib import Path

_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(match):
    """Keeps the length and the lines, so that positions stay true."""
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[-1]
    return re.sub(r"[^\n]", " ", text)


@functools.lru_cache(maxsize=None)
def code(path):
    return _NOISE.sub(_blank, path.read_text(errors="replace"))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Tree:
    def __init__(self, root, build):
        self.root = Path(root)
        self.build = Path(build)

    @functools.cached_property
    def files(self):
        """Every file that is committed or could be."""
        listing = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True, text=True, check=False)
        if listing.returncode == 0:
            names = listing.stdout.split("\0")
        else:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*")]
        found = (self.root / n for n in sorted(set(names)) if n)
        return [p for p in found if p.is_file() and not p.is_symlink()
                and self.build not in p.parents and ".git" not in p.parts]

    def name(self, path):
        return str(path.relative_to(self.root))

    def select(self, *suffixes, under=""):
        return [p for p in self.files
                if p.suffix in suffixes and self.name(p).startswith(under)]

    @functools.cached_property
    def c_files(self):
        return self.select(".c", ".h")

    def scripts(self, *interpreters):
        """Files whose first line names one of the interpreters."""
        found = []
        for p in self.files:
            with p.open("rb") as f:
                first = f.readline(80)
            if first.startswith(b"#!") and any(i.encode() in first for i in interpreters):
                found.append(p)
        return found

    def at(self, path, text, position, message):
        return f"{self.name(path)}:{line_of(text, position)}: {message}"
