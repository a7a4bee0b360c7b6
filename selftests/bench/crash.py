# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the death of a service to the incident, in the guest, by the guest's own clock."""

import json
import pathlib
import statistics
import subprocess

import family

REPEATS = 5
SCRIPT = r"""
import json, os, subprocess, time
def show(what): return subprocess.run(["systemctl", "show", "-P", what, "aiops-target-api"],
                                      capture_output=True, text=True).stdout.strip()
pid = int(show("MainPID"))
begin_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
os.kill(pid, 9)
deadline = time.monotonic() + 20
found = []
while not found and time.monotonic() < deadline:
    time.sleep(0.5)
    out = subprocess.run(["aiopsctl", "incidents", "--json=short"], capture_output=True).stdout
    found = json.loads(out or b"{}").get("incidents", [])
detected_ns = found[0]["incident"]["detected_ns"] if found else 0
print(json.dumps({"ms": (detected_ns - begin_ns) / 1e6 if found else None}))
"""


def run(report):
    report.heading("Crash of a unit to incident, in the guest")
    machine = family.TOP / "selftests" / "vm" / "run"
    script = family.BUILD / "bench-crash.py"
    script.write_text(SCRIPT)
    results = []
    for _ in range(REPEATS):
        out = subprocess.run([machine, "--put", f"{script}:/root/crash.py", "--exec",
                              "python3 /root/crash.py"], capture_output=True, text=True).stdout
        lines = [line for line in out.splitlines() if line.startswith("{")]
        results.append(json.loads(lines[-1])["ms"] if lines else None)
    pathlib.Path(script).unlink()
    seen = [ms for ms in results if ms is not None]
    report.text("each in a guest restored anew: "
                + ", ".join("not seen" if ms is None else f"{ms:.0f} ms" for ms in results))
    report.claim(len(seen) == REPEATS, f"all {REPEATS} crashes became incidents")
    if seen:
        report.text(f"median {statistics.median(seen):.0f} ms; without KVM the guest is 10 to 20 times "
                    "slower than metal")
