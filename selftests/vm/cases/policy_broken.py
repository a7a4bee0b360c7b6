# SPDX-License-Identifier: LGPL-2.1-or-later
"""Without a policy that can be read and trusted nothing is done, and where it is wrong is said."""

import product

TAGS = {"quick"}
SUMMARY = "a policy that is missing, unreadable, malformed or not root's means: nothing is done"
FOLDER = "/etc/aiops/policy.d"
FILE = f"{FOLDER}/60-mine.yaml"
SPOILT = {
    "malformed": (f"printf 'mode: auto\\nallow:\\n  - action: unit.start\\n    autonomy: yes\\n'"
                  f" >{FILE}", f"{FILE}:"),
    "unknown key": (f"printf 'mode: auto\\nalow: []\\n' >{FILE}", f"{FILE}:2:"),
    "writable by others": (f"printf 'mode: auto\\n' >{FILE} && chmod 666 {FILE}", FILE),
    "unreadable": (f"printf 'mode: auto\\n' >{FILE} && chmod 000 {FILE}", FILE),
    "missing": (f"ln -s /dev/null {FOLDER}/00-default.yaml && "
                f"ln -s /dev/null {FOLDER}/50-aiops-target.yaml", ""),
}


def spoil(vm, name, line, says):
    vm.run(f"rm -rf {FOLDER} && mkdir -p {FOLDER} && {line}")
    vm.run("systemctl reload aiops-executor", check=False)
    answer = vm.wait_for(lambda: not (one := product.get(vm, "approve", "/v1/status"))["policy"]
                         ["loaded"] and one, 10, f"{name}: no policy in force")
    error = answer["policy"]["error"]
    assert says.lstrip("/") in error, f"{name}: {error}"
    code, out, err = vm.run(["aiopsctl", "do", "unit.restart", f"unit={product.TARGET}", "--yes"],
                            check=False)
    assert code and "policy" in out + err, f"{name}: exit {code}: {out + err}"
    vm.note(f"{name}: {error[:110]}")


def run(vm):
    product.wait_ready(vm)
    before = product.started_by(vm)
    for name, (line, says) in SPOILT.items():
        spoil(vm, name, line, says)
    product.assert_no_action(vm)
    assert product.started_by(vm) == before
    # The agent sees, thinks and says; it may just not act.
    vm.run(f"systemctl kill -s KILL {product.TARGET}")
    incident = product.wait_incident(vm, {"escalated"}, 40)
    assert incident["cause"] == "service-crashed", product.brief([incident])
    product.assert_no_action(vm)
    vm.run(f"rm -rf {FOLDER} && systemctl reload aiops-executor && systemctl start {product.TARGET}")
    product.wait_incident(vm, {"cleared", "resolved"}, 40)
    vm.assert_nothing_left(allow=["/etc/aiops"])
