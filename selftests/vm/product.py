# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cases ask of the product in the guest: faults, incidents, attempts, the story it tells."""

import json
import time

from guest import TimedOut

TARGET = "aiops-target-api.service"
SERVICES = ["aiops-agent", "aiops-executor", "aiops-recorder", "aiops-gateway"]
SLOW_S = 0.5  # slow_ms of the target in the guest (setup)
SUSTAIN_S = 5.0
CLOSED = {"resolved", "cleared"}
SETTLED = CLOSED | {"escalated"}
REVERT_S = 20  # for a change that was taken back to be gone: a step, and a daemon-reload


def http(vm, socket, path, method="GET", body=None):
    """(status, answer) of one request to /run/aiops/SOCKET.sock as root; status 0: no answer."""
    line = ["curl", "-sS", "--max-time", "6", "--unix-socket", f"/run/aiops/{socket}.sock",
            "-X", method, "-w", "\n%{http_code}", f"http://localhost{path}"]
    if body is not None:
        line += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    code, out, err = vm.run(line, check=False)
    if code:
        return 0, {"error": {"message": err.strip()}}
    text, status = out.rsplit("\n", 1)
    return int(status), json.loads(text) if text.strip() else None


def get(vm, socket, path):
    status, answer = http(vm, socket, path)
    assert status == 200, f"get {socket} {path}: {status} {answer}"
    return answer


def wait_ready(vm, timeout_s=30):
    """The agent runs, knows the target and has its helpers."""
    vm.wait_for(lambda: http(vm, "control", "/ready")[0] == 200, timeout_s, "a ready agent")


def fault_type(vm, name):
    types = vm.json(["aiopsctl", "faults", "types", "--json"])["types"]
    return next(one for one in types if one["name"] == name)


def inject(vm, fault, *params, for_s=60):
    """Break something; its status once it is in force."""
    return vm.json(["aiopsctl", "faults", "inject", fault, *params, "--for", f"{for_s}s", "--yes",
                    "--json"])


def recover(vm):
    vm.run(["aiopsctl", "faults", "recover", "--all"])


def incidents(vm):
    """Open ones first, then the last closed, each with its id."""
    records = get(vm, "control", "/v1/incidents")["incidents"]
    return [record["incident"] | {"id": record["incident_id"] or record["id"],
                                  "entity": record["entity"]} for record in records]


def wait_incident(vm, states, timeout_s, known=(), never=()):
    """The incident that is not KNOWN, once it is in one of STATES; NEVER are those that it must
    not come to."""
    seen = []

    def found():
        seen[:] = [one for one in incidents(vm) if one["id"] not in known]
        wrong = [one for one in seen if one["state"] in never]
        assert not wrong, brief(wrong)
        return next((one for one in seen if one["state"] in states), None)
    what = f"an incident that is {' or '.join(sorted(states))}"
    try:
        return vm.wait_for(found, timeout_s, what)
    except TimedOut as error:
        raise AssertionError(f"{error}; there is: {brief(seen)}") from error


def brief(seen):
    return "; ".join(f"{one['id']} {one['state']} {one['cause']}: {one['title']}"
                     for one in seen) or "none"


def records(vm, incident, kind):
    """All records of one KIND of an incident, oldest first."""
    answer = get(vm, "control", f"/v1/incidents/{incident}")
    return [record[kind] for record in answer["records"] if record["kind"] == kind]


def attempts(vm):
    """What the executor was asked for, newest first; dry runs and undoing too."""
    return get(vm, "approve", "/v1/attempts")["attempts"]


def acted(vm):
    """Attempts that changed something, or may have."""
    harmless = {"denied", "failed", "proposed", "waiting"}
    return [one for one in attempts(vm) if one["op"] == "apply" and one["phase"] not in harmless]


def assert_no_action(vm):
    done = [f"{one['action']} {one['params']} by {one['actor']}: {one['phase']}"
            for one in acted(vm)]
    assert not done, "it acted: " + "; ".join(done)
    begun = vm.out("ls /run/aiops/steps").split()
    assert not begun, f"steps were begun: {begun}"


def story(vm, *matches):
    """What the agent told in the journal of this boot, oldest first."""
    text = vm.out(["journalctl", "-b", "-o", "json", "-t", "aiops-agent", *matches])
    return [json.loads(line) for line in text.splitlines()]


def told(vm, incident):
    """The messages about one incident."""
    return [entry["MESSAGE"] for entry in story(vm, f"AIOPS_INCIDENT={incident}")]


def wait_told(vm, text, count=1, timeout_s=60):
    """The agent has told TEXT that often in this boot: it looked, and this is what it made of it."""
    vm.wait_for(lambda: sum(text in entry["MESSAGE"] for entry in story(vm)) >= count, timeout_s,
                f"{count} x '{text}' in the story")


def wait_samples(vm, count=150, timeout_s=90):
    """The agent has taken COUNT samples more (some 30 a second): it lives, and had every chance to do what
    it must not."""
    def taken():
        return get(vm, "control", "/v1/status")["engine"]["samples_count"]
    end = taken() + count
    vm.wait_for(lambda: taken() >= end, timeout_s, f"{count} samples more")


def unit(vm, name, *properties):
    """Properties of a unit, as texts."""
    text = vm.out(["systemctl", "show", name, "-p", ",".join(properties)])
    return dict(line.split("=", 1) for line in text.splitlines())


def started_by(vm, name=TARGET):
    """What changes with each start."""
    return unit(vm, name, "InvocationID")["InvocationID"]


def starts(vm, name=TARGET):
    """How often systemd started NAME in this boot, by its own words."""
    text = vm.out(["journalctl", "-b", "-o", "cat", "--no-pager", f"UNIT={name}",
                   "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf"])
    return len(text.splitlines())


def pids(vm):
    """Main process of each of ours."""
    return {name: unit(vm, name, "MainPID")["MainPID"] for name in SERVICES}


def approve(vm, timeout_s=40):
    """What a person does: look what waits and say yes. Returns the approval."""
    waiting = vm.wait_for(lambda: get(vm, "approve", "/v1/approvals")["approvals"], timeout_s,
                          "something to approve")[0]
    vm.run(["aiopsctl", "approve", waiting["key"], "--yes"])
    return waiting


def kill_at(vm, identifier, pattern, unit):
    """From now on, once: the main process of UNIT gets SIGKILL as soon as IDENTIFIER logs a line
    that fits PATTERN. In the guest: from outside it would come too late."""
    vm.write("/run/vmtest/kill.sh", f"""
journalctl -f -n0 -o cat -t {identifier} | while read -r line; do
    case "$line" in {pattern}) systemctl kill --kill-who=main -s KILL {unit}; exit;; esac
done
""")
    vm.run("setsid sh /run/vmtest/kill.sh >/dev/null 2>&1 </dev/null & sleep 1")


def assert_as_expected(vm, fault, incident):
    """Cause and action are what the fault's own file says a good diagnosis is."""
    expects = fault_type(vm, fault)
    assert incident["cause"] == expects["expected_cause"], \
        f"{fault}: {incident['cause']} instead of {expects['expected_cause']}: {brief([incident])}"
    actions = {one["action"] for one in acted(vm)}
    assert actions <= set(expects["expected_actions"]), f"{fault}: {actions}"
    assert bool(actions) == bool(expects["expected_actions"]), f"{fault}: acted with {actions}"


def heal(vm, fault, *params, for_s=60, within_s=60, person=False):
    """Break, and see it healed from outside; what the agent says of it must be true, too. Returns
    the incident."""
    watch = vm.observe("/healthz", slow_s=SLOW_S)
    watch.wait_up(20)
    broken_s = time.monotonic()
    status = inject(vm, fault, *params, for_s=for_s)
    assert status["state"] in ("injected", "observed"), status
    injected_s = time.monotonic()
    watch.wait_down(15, broken_s)
    deadline = time.monotonic() + min(within_s, vm.patience_s * 6)
    while person and not watch.healed(SUSTAIN_S, watch.down_since(broken_s)):
        # Asked again where it failed: on a starved host systemd may not answer in time.
        assert time.monotonic() < deadline, "approved, and not healed"
        if get(vm, "approve", "/v1/approvals")["approvals"]:
            approval = approve(vm)
            vm.note(f"a person approved {approval['action']} {approval['params']}")
        time.sleep(1)
    watch.wait_healed(min(within_s, vm.patience_s * 6), SUSTAIN_S, broken_s)
    incident = wait_incident(vm, {"resolved"}, 60)
    assert_as_expected(vm, fault, incident)
    times = watch.report(broken_s, SUSTAIN_S)
    vm.note(f"{incident['cause']}: injected in {injected_s - broken_s:.1f} s, felt after "
            f"{times['felt_after_s']:.1f} s, out for {times['outage_s']:.1f} s")
    verdicts = records(vm, incident["id"], "verdict")
    assert [one["result"] for one in verdicts] == ["improved"], verdicts
    return incident


THROTTLED = "20000 100000"


def cpu_max(vm, name):
    """What the kernel lets a unit of system.slice use; without the controller, which systemd takes
    away when nobody needs it, all there is."""
    return vm.out(f"cat /sys/fs/cgroup/system.slice/{name}/cpu.max 2>/dev/null || echo max 100000")


def uptime(vm):
    return float(vm.read("/proc/uptime").split()[0])


def throttle(vm, name, for_s):
    """A person gives a unit a fifth of a CPU for a time. The key of the attempt."""
    attempt = vm.json(["aiopsctl", "do", "unit.set_cpu_quota", f"unit={name}", "quota_pct=20",
                       f"duration={for_s}s", "--yes", "--json"], timeout_s=90)
    assert attempt["phase"] == "done" and cpu_max(vm, name) == THROTTLED, attempt
    return attempt["key"]


def wait_unthrottled(vm, name, timeout_s):
    """Uptime of the guest when the kernel has no limit any more, as seen in the guest."""
    path = f"/sys/fs/cgroup/system.slice/{name}/cpu.max"
    line = f"while grep -qs '^[0-9]' {path}; do sleep 0.2; done; cat /proc/uptime"
    return float(vm.out(line, timeout_s=timeout_s).split()[0])


def leases(vm):
    """Timers and services that end what is for a time."""
    return vm.out("systemctl list-units --all --plain --no-legend 'aiops-expire*'").splitlines()
