# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seven paths of the README on control.sock, as three users. What became of each is read from the
target: systemd, its files, its database and its own HTTP, never from the product."""

import json

import product

TAGS = {"stack"}
SUMMARY = "each REST path of the README acts for who may, and changes nothing for who may not"
TIMEOUT_S = 1800
SOCKET = "/run/aiops/control.sock"
OPERATOR, APPROVER, READER = "vm-operator", "vm-approver", "vm-reader"
USERS = {OPERATOR: "aiops,aiops-operate", APPROVER: "aiops,aiops-approve", READER: "aiops"}
REFUSED = [READER, "nobody"]
ENV = "/etc/aiops-target/.env"
CACHE = "/var/cache/aiops-target"
MIGRATIONS = "/usr/share/aiops-target/migrations"
FINAL = {"done", "failed", "denied", "unknown", "reverted"}
SQL = "runuser -u postgres -- psql -h /run/aiops-target/db -p 5442 -d aiops_target -Atc"
# Each line is a fact: its name, and how it is learnt.
FACTS = f"""
fact() {{ printf '%s %s\\n' "$1" "$(eval "$2" 2>/dev/null | tr '\\n' ' ')"; }}
fact api 'systemctl show -P InvocationID aiops-target-api.service'
fact db 'systemctl show -P InvocationID aiops-target-db.service'
fact secret 'grep ^DB_PASSWORD= {ENV} | sha256sum'
fact env-mode 'stat -c %a:%U:%G {ENV}'
fact rates 'grep ^RATES_URL= {ENV}'
fact cached 'ls {CACHE} | grep ^planted'
fact cache-mode 'stat -c %a:%U:%G {CACHE}'
fact schema '{SQL} "SELECT max(version) FROM schema_migrations"'
fact lists '{SQL} "SELECT count(*) FROM lists"'
"""
# Path: what the operator's call must change, and may change besides.
PATHS = {
    "restart-api": ({"api"}, set()),
    "restart-db": ({"db"}, {"api"}),
    "regenerate-env": ({"secret"}, {"api"}),
    "clear-cache": ({"cached"}, {"api"}),
    "restore-db": ({"lists"}, {"api"}),
    "run-migrations": ({"schema"}, {"api"}),
    "switch-to-fallback": ({"rates"}, {"api"}),
}


def facts(vm):
    lines = vm.out(FACTS).splitlines()
    return dict((line + " ").split(" ", 1) for line in lines)


def ask(vm, user, *argv, socket=SOCKET):
    """Status and JSON that curl gets as USER; status 0: it was not let in."""
    line = ["runuser", "-u", user, "--", "curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "--unix-socket", socket, *argv]
    code, out, err = vm.run(line, check=False)
    text, _, status = out.rpartition("\n")
    return int(status or 0), json.loads(text) if text.strip() else {"curl": f"{code}: {err.strip()}"}


def is_ready(vm):
    """As a visitor of its web server is told."""
    _, out, _ = vm.run(["curl", "-s", "-m", "15", "http://127.0.0.1:8088/ready"], check=False)
    return out.startswith("{") and json.loads(out).get("ready") is True


def prepare(vm):
    for user, groups in USERS.items():
        vm.run(["useradd", "--no-create-home", "--groups", groups, user])
    vm.run("systemctl stop aiops-agent.service")  # nothing is healed that nobody asked for
    vm.run(["mkdir", "-p", "/etc/aiops/policy.d"])
    limits = "limits: {per_action_per_hour: 60, per_entity_per_hour: 60, per_host_per_hour: 600, cooldown_s: 0}\n"
    vm.write("/etc/aiops/policy.d/90-case.yaml", limits)
    vm.run("systemctl restart aiops-executor.service && systemctl start aiops-agent.service")
    product.wait_ready(vm, 60)
    vm.wait_for(lambda: is_ready(vm), 120, "the application is ready")


def plant(vm, path):
    """What the action needs to find."""
    if path == "clear-cache":
        vm.run(["touch", f"{CACHE}/planted"])
    if path == "restore-db":
        vm.run(f"{SQL} \"INSERT INTO lists (name) VALUES ('after the snapshot')\"")
    if path == "run-migrations":
        vm.write(f"{MIGRATIONS}/0005_case.up.sql", "CREATE TABLE case_table (id integer);\n")
        vm.write(f"{MIGRATIONS}/0005_case.down.sql", "DROP TABLE case_table;\n")
        vm.run("systemctl restart aiops-target-api.service")  # a new version of it, which wants them
        vm.wait_for(lambda: product.unit(vm, "aiops-target-api.service", "ActiveState")["ActiveState"] == "active",
                    60, "the new version runs")
        assert not is_ready(vm), "ready with a migration pending"


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def row(vm, path, user, status, outcome):
    vm.note(f"{'/action/' + path:26} {user:12} {status or '-':>4} {outcome}")


def refuse(vm, path, user, url):
    before = facts(vm)
    status, answer = ask(vm, user, "-X", "POST", url)
    after = facts(vm)
    assert before == after, f"{path} as {user}: changed {changed(before, after)}"
    if user == READER:
        error = answer["error"]
        assert status == 403 and set(error) == {"code", "message", "hint", "record_id"}, f"{status} {answer}"
        assert error["code"] == "refused" and "aiops-operate" in error["hint"], error
        row(vm, path, user, status, f"nothing changed; {error['code']}: {error['message']}: {error['hint']}")
    else:
        assert status == 0, f"{path}: nobody is let in: {status} {answer}"
        row(vm, path, user, status, f"nothing changed; curl {answer['curl']}")


def approve(vm, asked):
    """Another person says yes to what waits, by its hash."""
    key = asked["key"]
    body = json.dumps({"decision": "approve", "hash": asked["hash"]})
    for user in (OPERATOR, READER):
        status, answer = ask(vm, user, "-d", body, f"http://aiops/v1/approvals/{key}")
        assert status == 403, f"{user} may not approve: {status} {answer}"
    status, answer = ask(vm, APPROVER, "-d", body, f"http://aiops/v1/approvals/{key}",
                         socket="/run/aiops/approve.sock")
    assert status == 200, f"approve: {status} {answer}"


def follow(vm, key):
    def over():
        status, answer = ask(vm, OPERATOR, f"http://aiops/v1/attempts/{key}")
        assert status == 200, f"{status} {answer}"
        return answer if answer["phase"] in FINAL else None
    return vm.wait_for(over, 240, f"the end of attempt {key}")


def permit(vm, path, url):
    must, may = PATHS[path]
    plant(vm, path)
    before = facts(vm)
    status, asked = ask(vm, OPERATOR, "-X", "POST", url)
    assert status == 202, f"{path}: {status} {asked}"
    told = "done"
    if asked["phase"] == "waiting":
        assert facts(vm) == before, f"{path}: it waits, and nothing is done"
        approve(vm, asked)
        told = "approved by another, then done"
    end = follow(vm, asked["key"])
    after = facts(vm)
    seen = changed(before, after)
    assert must <= seen <= must | may, f"{path}: changed {seen}, not {must} (and maybe {may}); {end}"
    vm.wait_for(lambda: is_ready(vm), 120, f"{path}: the application is ready")
    if path == "switch-to-fallback":
        assert ":8092" in after["rates"], after["rates"]
    if path == "run-migrations":
        assert after["schema"].strip() == "5", after["schema"]
    row(vm, path, OPERATOR, status, f"{told}; target: {', '.join(sorted(seen))} changed, ready")


def run(vm):
    prepare(vm)
    status, known = ask(vm, READER, "http://aiops/v1/actions")
    assert status == 200, f"{status} {known}"
    aliases = {one["name"] for one in known["aliases"]}
    for path in PATHS:
        url = f"http://aiops/action/{path}"
        for user in REFUSED:
            refuse(vm, path, user, url)
        if path in aliases:
            permit(vm, path, url)
            continue
        before = facts(vm)
        status, answer = ask(vm, OPERATOR, "-X", "POST", url)
        assert status == 404 and facts(vm) == before, f"{path}: {status} {answer}"
        row(vm, path, OPERATOR, status, f"nothing changed; {answer['error']['message']}")
