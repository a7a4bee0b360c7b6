# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the cases, one line each, and keep what is needed to understand a failure."""

import collections
import contextlib
import importlib.util
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import traceback

import leaks
from guest import Skip
from provision import LOGS, TOP
from qmp import ChannelError

HERE = pathlib.Path(__file__).resolve().parent
CASE_TIMEOUT_S = 300
GIST_LINES = 6
SABOTAGE_PATIENCE_S = 5
AGENT_TIMEOUT_S = 10

# word: passed, failed, skipped, or broken (the harness or the case itself, not the product)
Outcome = collections.namedtuple("Outcome", "word gist trace")


class CaseTimeout(AssertionError):
    """A case ran over its time."""


class UsageError(Exception):
    """The command line names something that is not there."""


class Case:
    def __init__(self, path):
        spec = importlib.util.spec_from_file_location(f"case_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.name = path.stem
        self.tags = set(module.TAGS)
        self.summary = module.SUMMARY
        self.timeout_s = getattr(module, "TIMEOUT_S", CASE_TIMEOUT_S)
        self.sabotage = set(getattr(module, "SABOTAGE", ()))
        self.run = module.run


def all_cases():
    return [Case(path) for path in sorted((HERE / "cases").glob("*.py"))]


def choose(names, quick):
    cases = all_cases()
    unknown = set(names) - {case.name for case in cases}
    if unknown:
        raise UsageError(f"no case '{sorted(unknown)[0]}'; see --list")
    if names:
        return [case for case in cases if case.name in names]
    return [case for case in cases if not quick or "quick" in case.tags]


def jobs(cases, sabotage, sabotaged):
    """Pairs of a case and what to spoil for it: SABOTAGE for all, or what each names itself."""
    if sabotaged:
        return [(case, {name}) for case in cases for name in sorted(case.sabotage)]
    return [(case, sabotage) for case in cases]


def allowed_skips():
    lines = (TOP / "selftests" / "skips").read_text().splitlines()
    return {line.split(":")[0] for line in lines if ":" in line and not line.startswith("#")}


def on_alarm(_signal, _frame):
    raise CaseTimeout("the case took too long")


def spoil(vm, name):
    """Make one thing wrong in the guest: a line to run there, or a program that lies."""
    path = leaks.PROGRAMS.get(name)
    if not path:
        vm.run(leaks.SABOTAGE[name])
        return
    vm.write(f"{path}.new", (TOP / "build" / "sabotage" / name).read_bytes(), 0o755)
    vm.run(f"mv {path}.new {path} && systemctl restart aiops-agent")


def build_programs(pairs, progress):
    """The lying programs that are wanted, before the machine is taken for anything."""
    for name in sorted({name for _, spoiled in pairs for name in spoiled} & set(leaks.PROGRAMS)):
        with progress.step(f"sabotage: build {name}"):
            done = subprocess.run([HERE / "sabotage-build", name], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, check=False)
            if done.returncode:
                raise RuntimeError(f"build sabotage '{name}': exit {done.returncode}")


def answers(vm):
    """Whether the guest is there at all: what a case waits for in vain may be the whole machine."""
    try:
        vm.machine.agent.sync(AGENT_TIMEOUT_S)
        return True
    except ChannelError:
        return False


def attempt(case, vm, sabotage, debs):
    """Run one case; never raises what a case can raise."""
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        if not debs and "bare" not in case.tags:
            raise RuntimeError("no package to test: build one or name it with --deb")
        vm.restore()
        for name in sorted(sabotage):
            spoil(vm, name)
        signal.alarm(case.timeout_s)
        case.run(vm)
        return Outcome("passed", "", "")
    except Skip as reason:
        if case.name in allowed_skips():
            return Outcome("skipped", str(reason), "")
        return Outcome("broken", f"skipped, but not listed in selftests/skips: {reason}", "")
    except AssertionError as error:
        signal.alarm(0)
        word = "failed" if answers(vm) else "wedged"
        return Outcome(word, gist(error), traceback.format_exc())
    except ChannelError as error:
        return Outcome("wedged", gist(error), traceback.format_exc())
    except Exception as error:
        return Outcome("broken", gist(error), traceback.format_exc())
    finally:
        signal.alarm(0)
        for observer in vm.observers:
            observer.stop()


def once_more(case, vm, sabotage, debs, first):
    """Rarely an emulated guest stands still: one CPU waits for ever for the other to take a changed
    instruction (text_poke_bp(), as a probe of the scheduler is attached or leaves), or it never wakes
    after a restore. A new machine, and one more try, which is printed."""
    vm.machine.kill()
    vm.observers, vm.last_diff = [], []
    vm.notes = [f"second try, the first guest stood still: {first.gist}"]
    outcome = attempt(case, vm, sabotage, debs)
    return outcome._replace(word="broken") if outcome.word == "wedged" else outcome


def gist(error):
    """The first lines of what an exception says; a bare assert says nothing, so its source."""
    text = str(error).strip()
    if not text:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{frame.line} ({pathlib.Path(frame.filename).name}:{frame.lineno})"
    return "\n".join(f"{text}".splitlines()[:GIST_LINES])


def keep_logs(case, vm, outcome):
    """Everything that helps, each thing on its own: a broken guest gives what it can."""
    folder = LOGS / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "failure.txt").write_text(f"{outcome.word}: {outcome.gist}\n\n{outcome.trace}")
    for number, observer in enumerate(vm.observers):
        (folder / f"observer-{number}.txt").write_text(observer.text())
    with contextlib.suppress(OSError):
        shutil.copy(vm.machine.console, folder / "console.log")
    try:
        vm.machine.agent.sync(AGENT_TIMEOUT_S)
    except ChannelError as error:
        (folder / "guest-is-silent").write_text(f"{error}\n")
        return folder
    sources = {
        "journal.log": lambda: vm.journal("-b"),
        "status.txt": lambda: vm.run("aiopsctl status 2>&1; systemctl --failed; systemctl status "
                                     "'aiops*' 2>&1", check=False)[1],
        "state-diff.txt": lambda: "\n".join(vm.state_diff()) + "\n",
    }
    for name, source in sources.items():
        try:
            content = source()
        except Exception as error:
            content = f"not to be had: {error}\n"
        (folder / name).write_text(content)
    return folder


def judge(outcome, sabotage):
    """What the outcome counts as, and the word for it."""
    if not sabotage or outcome in ("skipped", "broken"):
        return ("failed" if outcome == "broken" else outcome), outcome
    if outcome == "failed":
        return "passed", "failed as it should"
    return "failed", "passed, but should have failed"


class Report:
    """What is printed: a line for each case, what it has to say below, and the sum."""

    def __init__(self, pairs):
        self.width = max((len(self.title(*pair)) for pair in pairs), default=0)
        self.tty = sys.stdout.isatty()
        self.count = {"passed": 0, "failed": 0, "skipped": 0}

    @staticmethod
    def title(case, spoiled):
        return " ".join([case.name, *sorted(spoiled)])

    def begin(self, pair):
        if self.tty:
            print(f"  {self.title(*pair):<{self.width}}  running", end="", flush=True)

    def end(self, pair, verdict, word, took_s, below):
        self.count[verdict] += 1
        clear = "\r\033[K" if self.tty else ""
        print(f"{clear}  {self.title(*pair):<{self.width}}  {took_s:6.1f} s  {word}")
        for line in below:
            print(line if line.startswith("SKIP ") else f"      {line}")
        sys.stdout.flush()

    def sum(self):
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.count))
        return 1 if self.count["failed"] or not any(self.count.values()) else 0


def run_cases(pairs, vm, debs, report):
    for case, sabotage in pairs:
        report.begin((case, sabotage))
        started = time.monotonic()
        vm.observers, vm.last_diff, vm.notes = [], [], []
        vm.patience_s = SABOTAGE_PATIENCE_S if sabotage else float("inf")
        outcome = attempt(case, vm, sabotage, debs)
        if outcome.word == "wedged":
            outcome = once_more(case, vm, sabotage, debs, outcome)
        verdict, word = judge(outcome.word, sabotage)
        below = vm.notes + outcome.gist.splitlines()
        if verdict == "failed":
            below.append(f"logs: {keep_logs(case, vm, outcome)}")
        elif verdict == "skipped":
            below = [f"SKIP {case.name}: {outcome.gist}"]
        elif not sabotage:
            shutil.rmtree(LOGS / case.name, ignore_errors=True)
        report.end((case, sabotage), verdict, word, time.monotonic() - started, below)
