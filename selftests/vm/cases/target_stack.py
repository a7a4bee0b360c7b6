# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole application in a real guest: as units, then in containers, with the same data."""

import json

TAGS = {"stack"}
SUMMARY = "the whole application is healthy as units and in containers, and says so when a part is lost"
TIMEOUT_S = 600
LOAD = "/usr/libexec/aiops-target/aiops-target-load --seed 1 --rate 5 --duration 10s --slow-ms 3000 --json"
PARTS = ["db", "upstream", "fallback", "api", "web"]


def ask(vm, path):
    code, out, _ = vm.run(["curl", "-s", "-m", "15", f"http://127.0.0.1:8088{path}"], check=False)
    return json.loads(out) if code == 0 and out.startswith("{") else {}


def is_ready(vm):
    return ask(vm, "/ready").get("ready") is True


def healthy_pct(vm, words):
    seen = json.loads(vm.out(LOAD))
    vm.note(f"{words}: healthy {seen['healthy_pct']:.0f} %, errors {seen['error_pct']:.0f} %, "
            f"p50 {seen['p50_us'] // 1000} ms, p99 {seen['p99_us'] // 1000} ms")
    return seen["healthy_pct"]


def lose_database(vm, stop, start, words):
    vm.run(stop)
    assert not is_ready(vm), f"{words}: ready without a database"
    assert ask(vm, "/v1/lists")["error"]["code"] == "database-unavailable", ask(vm, "/v1/lists")
    vm.run(start)
    vm.wait_for(lambda: is_ready(vm), 60, f"{words}: ready again by itself")


def run(vm):
    vm.run("systemctl stop aiops-agent.service aiops-executor.service")  # nobody heals here
    vm.wait_for(lambda: is_ready(vm), 60, "the application is ready")
    for part in PARTS:
        assert vm.unit_state(f"aiops-target-{part}.service") == "active", part
    assert healthy_pct(vm, "units") > 95
    lose_database(vm, "systemctl kill -s KILL aiops-target-db", "systemctl start aiops-target-db", "units")
    again = vm.out("aiops-target up --units", timeout_s=120)
    assert "Ready:" in again, again
    lists = len(ask(vm, "/v1/lists")["lists"])
    vm.run("aiops-target up --containers", timeout_s=300)
    assert len(ask(vm, "/v1/lists")["lists"]) == lists, "the data came along"
    running = vm.out("docker ps --format '{{.Names}}'").split()
    assert sorted(running) == sorted(f"aiops-target-{part}" for part in PARTS), running
    assert healthy_pct(vm, "containers") > 95
    lose_database(vm, "docker kill aiops-target-db", "docker start aiops-target-db", "containers")
    vm.run("aiops-target down", timeout_s=120)
    assert vm.out("docker ps -aq") == "", "a container is left"
