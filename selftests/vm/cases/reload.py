# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad new configuration is refused, the old one kept, and the journal names the place."""

import product

TAGS = {"quick"}
SUMMARY = "a bad configuration is refused with FILE:LINE:COLUMN and the old one stays in force"
FILE = "/etc/aiops/services.d/60-bad.yaml"
BAD = "name: shop\nunit: shop.service\nendpoints:\n  - name: shop-health\n    url: ftp://x/\n"
GOOD = "name: shop\nunit: shop.service\n"


def services(vm):
    return product.get(vm, "control", "/v1/status")["config"]["services_count"]


def run(vm):
    product.wait_ready(vm)
    before = product.pids(vm)
    assert services(vm) == 1
    vm.run(["mkdir", "-p", "/etc/aiops/services.d"])
    vm.write(FILE, BAD)
    vm.run("systemctl reload aiops-agent aiops-gateway aiops-executor", check=False)
    for name in ("aiops-agent", "aiops-gateway", "aiops-executor"):
        vm.wait_for(lambda: f"{FILE}:5:" in vm.journal("-b", "-t", name) or
                    f"{FILE[1:]}:5:" in vm.journal("-b", "-t", name), 10,
                    f"{name} to name the place")
    assert services(vm) == 1
    assert "5:" in product.get(vm, "control", "/v1/status")["config"]["error"]
    code, out, err = vm.run(["aiopsctl", "config", "check"], check=False)
    assert code and ":5:" in out + err, out + err
    vm.write(FILE, GOOD)
    vm.run("systemctl reload aiops-agent aiops-gateway aiops-executor")
    vm.wait_for(lambda: services(vm) == 2, 10, "the good configuration")
    vm.run(["rm", FILE])
    vm.run("systemctl reload aiops-agent aiops-gateway aiops-executor")
    vm.wait_for(lambda: services(vm) == 1, 10, "the first configuration")
    assert product.pids(vm) == before, "something was started anew"
    product.heal(vm, "unit.kill", f"unit={product.TARGET}")
