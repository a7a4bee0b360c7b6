# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit trail is a chain: what was done is in it, and a changed byte is named."""

import product

TAGS = {"quick"}
SUMMARY = "what was done is in the audit chain, and one flipped byte is found and named"
FLIP = """
import sys
path, at = sys.argv[1], int(sys.argv[2])
raw = bytearray(open(path, "rb").read())
raw[at] ^= 1
open(path, "r+b").write(raw)
"""


def run(vm):
    product.wait_ready(vm)
    vm.run(["aiopsctl", "do", "unit.restart", f"unit={product.TARGET}", "--yes"])
    report = vm.wait_for(lambda: verified(vm), 20, "an audit trail")
    assert report["unbroken"] and report["lines_count"] >= 2, report
    trail = vm.out("cat /var/lib/aiops/audit/*")
    assert "unit.restart" in trail and product.TARGET in trail and '"finish"' in trail, trail
    files = vm.out("ls /var/lib/aiops/audit/* | head -1").split()
    middle = len(vm.read(files[0])) // 2
    vm.run(["python3", "-c", FLIP, files[0], str(middle)])
    code, out, err = vm.run(["aiopsctl", "audit", "verify"], check=False)
    name = files[0].rsplit("/", 1)[1]
    assert code and f"{name}:" in out + err, f"exit {code}: {out + err}"
    vm.note((out + err).strip().splitlines()[0][:140])


def verified(vm):
    code, out, _ = vm.run(["aiopsctl", "audit", "verify", "--json"], check=False)
    return code == 0 and product.json.loads(out)
