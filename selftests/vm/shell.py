# SPDX-License-Identifier: LGPL-2.1-or-later
"""Try things by hand in the ready guest: one line, or one after the other."""

import pathlib
import sys

LINE_TIMEOUT_S = 600


def one(vm, line):
    code, out, err = vm.run(line, check=False, timeout_s=LINE_TIMEOUT_S)
    sys.stdout.write(out)
    sys.stdout.flush()
    sys.stderr.write(err)
    return code


def put(vm, pair):
    """FILE:PATH or FILE, which goes to /root."""
    source, _, target = pair.partition(":")
    path = pathlib.Path(source)
    mode = path.stat().st_mode & 0o777
    vm.write(target or f"/root/{path.name}", path.read_bytes(), mode)


def prompt(vm):
    if sys.stdin.isatty():
        print(f"Guest port 8080 is http://127.0.0.1:{vm.http_port}/ here. Lines run as root in /; "
              "'!restore' goes back to the start, end with Ctrl-D.")
    while True:
        try:
            line = input("guest# ") if sys.stdin.isatty() else input()
        except EOFError:
            return 0
        if line.strip() == "!restore":
            vm.restore()
        elif line.strip():
            code = one(vm, line)
            if code:
                print(f"[exit {code}]", file=sys.stderr)


def run(vm, line, files):
    for pair in files:
        put(vm, pair)
    return one(vm, line) if line is not None else prompt(vm)
