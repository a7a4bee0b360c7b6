# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person breaks, one thing after the other, on the whole application; each is repaired by one action, which
an operator asks for by its path and another person approves. How well it is, a load generator says: before,
broken, and after.

AIOPS_BREAKAGES="wrong-password" runs some of them."""

import json
import os
import re

import product

TAGS = {"stack", "long"}
SUMMARY = "ten manual breakages, each felt and each repaired by one action, with the health number before and after"
TIMEOUT_S = 1800
LOAD = "/usr/libexec/aiops-target/aiops-target-load --seed 7 --rate 6 --duration 6s --slow-ms 3000 --json"
ENV = "/etc/aiops-target/.env"
FULL = "/var/cache/apt/archives/vmtest_1_all.deb"
GOOD = "/var/lib/aiops-good/api"
OWNER = ("PGPASSFILE=/run/pgpass PGHOST=/run/aiops-target/db PGPORT=5442 PGUSER=aiops_target_owner "
         "PGDATABASE=aiops_target")
SQL = "psql -XAtq -v ON_ERROR_STOP=1 -h /run/aiops-target/db -p 5442 -U postgres aiops_target"
POLICY = """mode: auto
allow:
  - {action: service.restart, on: managed, autonomy: approve}
  - {action: service.clear_cache, on: managed, autonomy: approve}
  - {action: service.regenerate_env, on: managed, autonomy: approve}
  - {action: service.rollback_config, on: managed, autonomy: approve}
  - {action: service.run_migrations, on: managed, autonomy: approve}
  - {action: service.restore_db, on: managed, autonomy: approve}
  - {action: service.switch_upstream, on: managed, autonomy: approve}
  - {action: unit.start, on: managed, autonomy: approve}
  - {action: container.unpause, on: managed, autonomy: approve}
  - {action: disk.free_space, on: host, autonomy: approve}
limits: {per_entity_per_hour: 60, per_host_per_hour: 600, cooldown_s: 0}
"""
FELT_HEALTHY_MAX_PCT = 90  # of the load's requests; before and after it is above LIKE_BEFORE
LIKE_BEFORE_MIN_PCT = 95
P99_TIMES = 3  # an emulated CPU, one process in the way of another
P99_FLOOR_MS = 1500

# What a person does, what they then see broken in /ready ("" is nothing), and what repairs it.
KEEP_GOOD = (f"mkdir -p {GOOD} && cp -a {ENV} {GOOD}/$(printf %s {ENV} | sha256sum | cut -c 1-32)@0000000000000001")
UNITS = {
    "stop the database": ("systemctl stop aiops-target-db", "/action/restart-db", {}),
    "delete the cache directory": ("rm -rf /var/cache/aiops-target", "/action/clear-cache", {}),
    "corrupt .env": (f"{KEEP_GOOD} && sed -i 's/^DB_HOST=.*/DB_HOST=nowhere.invalid/; s/^PORT=.*/PORT=eighty/' {ENV} && "
                     "systemctl restart aiops-target-api || true",
                     "/v1/actions/service.rollback_config", {"service": "api"}),
    "drop a table": (f"{SQL} -c 'DROP TABLE items CASCADE'", "/action/restore-db", {}),
    "fill the disk": (f"fallocate -l $(($(stat -f -c '%f * %S' / | sed 's/ //g') - 65536)) {FULL} || true; "
                      f"dd if=/dev/zero of={FULL} oflag=append conv=notrunc bs=4k status=none; "
                      f"touch -d '2 days ago' {FULL}",
                      "/v1/actions/disk.free_space", {"what": "package_cache"}),
    "kill -9 the API": ("systemctl kill -s KILL aiops-target-api", "/action/restart-api", {}),
    "wrong password": (f"{SQL} -c \"ALTER ROLE aiops_target_app PASSWORD 'wrong'\" -c \"SELECT "
                       "pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'aiops_target_app'\"",
                       "/action/regenerate-env", {}),
    "pending migration": (f"umask 077; printf '*:*:*:aiops_target_owner:%s\\n' \"$(cat "
                          f"/etc/aiops/credentials/target-owner)\" >/run/pgpass; {OWNER} "
                          "/usr/libexec/aiops-target/aiops-target-migrate --to 2 /usr/share/aiops-target/migrations",
                          "/action/run-migrations", {}),
    "dead upstream": ("systemctl kill -s KILL aiops-target-upstream", "/action/switch-to-fallback", {}),
}
CONTAINERS = {
    "paused container": ("docker pause aiops-target-api", "/v1/actions/container.unpause",
                         {"container": "aiops-target-api"}),
}


def prepare(vm):
    vm.run("systemctl stop aiops-agent.service && systemctl mask --runtime aiops-agent.service")  # nobody else heals
    vm.run("id operator >/dev/null 2>&1 || useradd -r -G aiops,aiops-operate operator")
    vm.run("mkdir -p /etc/aiops/policy.d")
    vm.write("/etc/aiops/policy.d/90-vmtest.yaml", POLICY)
    vm.run("systemctl reload-or-restart aiops-executor.service")


def ready(vm):
    code, out, _ = vm.run(["curl", "-s", "-m", "12", "http://127.0.0.1:8088/ready"], check=False)
    answer = json.loads(out) if code == 0 and out.startswith("{") else {}
    return answer.get("ready") is True and not answer.get("degraded")


def health(vm):
    """The load's numbers; what it cannot even begin is none of it healthy."""
    code, out, _ = vm.run(LOAD, check=False, timeout_s=120)
    if not out.startswith("{"):
        return {"healthy": 0.0, "errors": 100.0, "good_per_s": 0.0, "p99_ms": None, "ready": ready(vm)}
    seen = json.loads(out)
    return {"healthy": seen["healthy_pct"], "errors": seen["error_pct"], "good_per_s": seen["good_per_s"],
            "p99_ms": seen["p99_us"] // 1000, "ready": ready(vm)}


def line(h):
    p99 = "    -   " if h["p99_ms"] is None else f"{h['p99_ms']:5d} ms"
    return f"{h['good_per_s']:4.1f}/s {h['errors']:5.1f} % {p99} {'ready' if h['ready'] else 'NOT  '}"


def repair(vm, path, params):
    """An operator asks, and may not do it alone; another person says yes. The attempt when it is over."""
    body = json.dumps({"params": params})
    out = vm.out(["runuser", "-u", "operator", "--", "curl", "-sS", "-m", "30", "--unix-socket",
                  "/run/aiops/approve.sock", "-X", "POST", "-H", "Content-Type: application/json", "-d", body,
                  f"http://aiops{path}"])
    asked = json.loads(out)
    assert "key" in asked, f"{path}: {out}"
    key, attempt = asked["key"], asked

    def over(phases):
        nonlocal attempt
        attempt = product.get(vm, "approve", f"/v1/attempts/{key}")
        return attempt["phase"] in phases

    vm.wait_for(lambda: over({"waiting", "done", "failed", "denied"}), 30, f"{path} to wait for a person")
    assert attempt["phase"] == "waiting", f"{path} did not wait for a person: {attempt}"
    vm.run(["aiopsctl", "approve", key, "--yes"], check=False, timeout_s=200)
    vm.wait_for(lambda: over({"done", "failed", "denied", "unknown"}), 200, f"the end of {path}")
    assert attempt["phase"] == "done", f"{path}: {attempt['phase']}: {attempt['text']}"
    return attempt


def is_felt(broken):
    return not broken["ready"] or broken["healthy"] < FELT_HEALTHY_MAX_PCT


def is_like(before, after):
    p99_max_ms = max(before["p99_ms"] * P99_TIMES, P99_FLOOR_MS)
    return after["ready"] and after["healthy"] >= LIKE_BEFORE_MIN_PCT and after["p99_ms"] <= p99_max_ms and \
        after["good_per_s"] >= before["good_per_s"] * 0.8


def one(vm, name, breakage, path, params):
    before = health(vm)
    assert before["ready"] and before["healthy"] >= LIKE_BEFORE_MIN_PCT, f"{name}: not well to begin with: {before}"
    vm.run(breakage, timeout_s=120)
    broken = health(vm)
    attempt = repair(vm, path, params)
    vm.wait_for(lambda: ready(vm), 60, f"{name}: ready again after {attempt['text']}")
    after = health(vm)
    vm.note(f"{name:<27} {line(before)} | {line(broken)} | {line(after)} | {path} ({attempt['action']})")
    assert is_felt(broken), f"{name}: not felt: {broken}"
    assert is_like(before, after), f"{name}: repaired, and not as before: {before} {after}"


def run(vm):
    wanted = os.environ.get("AIOPS_BREAKAGES", "")
    wrong, count = [], 0
    vm.note(f"{'':<27} {'before: good, errors, p99':<31} | {'broken':<31} | {'after':<31} | repaired by")
    for deployment, breakages in (("units", UNITS), ("containers", CONTAINERS)):
        names = [name for name in breakages if re.sub("[ .]+", "-", name) in wanted.split() or not wanted]
        if not names:
            continue
        if deployment == "containers":
            vm.restore()
            vm.run("aiops-target up --containers", timeout_s=400)
        prepare(vm)
        vm.machine.save("case-breakages")
        for name in names:
            count += 1
            try:
                one(vm, name, *breakages[name])
            except AssertionError as error:
                wrong.append(str(error))
                vm.machine.restore("case-breakages")
    vm.machine.monitor.human("delvm case-breakages")
    vm.note(f"{count} breakages, {count - len(wrong)} repaired")
    assert not wrong, "\n".join(wrong)
