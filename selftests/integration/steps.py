# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps by hand: a record as the executor writes it, aiops-step itself, and what it leaves."""

import os
import subprocess
import uuid

from rig import BUILD, check, tool


class Steps:
    """A host of the test's own: a root with policy and services, and a runtime directory."""

    def __init__(self, root, run, allow, services=(), more="", unit="aiops-step", program="bin/aiops-step"):
        self.root, self.run, self.unit, self.program = root, run, unit, program
        for d in (run / "steps", run / "undo"):
            d.mkdir(parents=True)
        self.write("policy.d/10-test.yaml", "mode: auto\nallow:\n" + "".join(
            f"  - {{action: {a}, on: {on}, autonomy: auto}}\n" for a, on in allow)
            + "limits: {per_entity_per_hour: 60, per_host_per_hour: 600, cooldown_s: 0}\n" + more)
        for name, text in services:
            self.write(f"services.d/{name}.yaml", text)

    def write(self, name, text):
        path = self.root / "etc/aiops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for p in (self.root, *[d for d in path.parents if self.root in d.parents]):
            p.chmod(0o755)
        path.write_text(text)
        path.chmod(0o644)

    def record(self, verb, action, **params):
        """Returns the key."""
        key = uuid.uuid4().hex
        tool("steprecord", verb, self.run / "steps", key, action, *[f"{k}={v}" for k, v in params.items()])
        return key

    def argv(self, verb, key):
        return [str(BUILD / self.program), "--unit", self.unit, "--root", str(self.root),
                "--runtime-dir", str(self.run), verb, key]

    def step(self, verb, key, env=None):
        out = subprocess.run(self.argv(verb, key), capture_output=True, text=True, cwd=self.run,
                             env={**os.environ, **(env or {})})
        check(out.returncode == 0, f"{verb}: exit {out.returncode}: {out.stderr}")

    def result(self, key):
        """(phase, was it reverted, was it settled, text)"""
        phase, reverted, settled, text = tool("steprecord", "result", self.run / "steps", key).split(" ", 3)
        return phase, reverted == "1", settled == "1", text.strip()

    def has_undo(self, key):
        return (self.run / "undo" / key).exists()

    def do(self, action, verb="ask", env=None, **params):
        """One action from end to end; returns its key and its result. verb "person": a person asks."""
        key = self.record(verb, action, **params)
        self.step("run", key, env)
        self.step("settle", key, env)  # as ExecStopPost= does: nothing to settle
        return key, self.result(key)

    def done(self, action, verb="ask", env=None, **params):
        key, (phase, _, _, text) = self.do(action, verb, env, **params)
        check(phase == "done", f"{action} {params}: {phase}: {text}")
        return key, text

    def refused(self, action, wanted, verb="ask", env=None, **params):
        """Failed, with nothing changed and nothing to undo."""
        key, (phase, reverted, _, text) = self.do(action, verb, env, **params)
        check(phase == "failed" and not reverted and wanted in text, f"{action} {params}: {phase}: {text}")
        check(not self.has_undo(key), f"{action}: no undo record")

    def failed(self, action, wanted, verb="ask", env=None, **params):
        """Begun, failed, and put back."""
        _, (phase, reverted, _, text) = self.do(action, verb, env, **params)
        check(phase == "failed" and reverted and wanted in text,
              f"{action} {params}: {phase} (reverted {reverted}): {text}")

    def revert(self, key, env=None):
        undo = uuid.uuid4().hex
        tool("steprecord", "revert", self.run / "steps", undo, key)
        self.step("run", undo, env)
        phase, _, _, text = self.result(undo)
        return phase, text

    def reverted(self, key, env=None):
        phase, text = self.revert(key, env)
        check(phase == "done", f"undo: {phase}: {text}")
        check(not self.has_undo(key), "and its record is gone")
        return text
