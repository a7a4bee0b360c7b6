# SPDX-License-Identifier: LGPL-2.1-or-later
"""journalctl -x explains whatever we say with a MESSAGE_ID."""

import product

TAGS = {"quick"}
SUMMARY = "journalctl -x explains every kind of message that an incident makes"


def run(vm):
    incident = product.heal(vm, "unit.kill", f"unit={product.TARGET}")
    product.inject(vm, "net.delay", f"unit={product.TARGET}", "delay_ms=800", for_s=60)
    product.wait_incident(vm, {"escalated"}, 60, known={incident["id"]})
    product.recover(vm)
    product.wait_incident(vm, {"cleared"}, 60, known={incident["id"]})
    text = vm.out(["journalctl", "-b", "-o", "json"] +
                  [word for name in product.SERVICES for word in ("-t", name)])
    entries = [product.json.loads(line) for line in text.splitlines()]
    said = {one["MESSAGE_ID"]: one["MESSAGE"] for one in entries if "MESSAGE_ID" in one}
    known = vm.out(["journalctl", "--list-catalog"])
    missing = {key: said[key] for key in said if key not in known}
    assert not missing, f"not explained: {missing}"
    assert len(said) >= 5, said
    told = vm.out(["journalctl", "-b", "-x", "-o", "short", f"AIOPS_INCIDENT={incident['id']}"])
    assert told.count(" Subject: ") >= 3, told
    vm.note(f"{len(said)} kinds of messages, all explained")
