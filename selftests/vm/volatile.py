# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one list of host state that may differ between two digests, each entry with its reason.

Keep it short: whatever stands here can leak unseen."""

# Processes and cgroups below it are the tests' own hands in the guest.
OWN_SLICE = "/vmtest.slice"

# Sections where more is no leak; less still is a difference.
GROWING = {
    "module": "the kernel loads modules on demand and nothing unloads them",
}

# Properties of units that tell of the run, not of the configuration.
UNIT_PROPERTIES = [
    (r".*Timestamp(Monotonic|USec)?|.*USec(Monotonic|Realtime)", "when something happened"),
    (r"Timers(Monotonic|Calendar)", "when it elapses next; what it was given is in its file"),
    (r"(Main|Control|ExecMain)PID|ExecMain.*|InvocationID|ControlGroupId|UID|GID", "which process"),
    (r"NRestarts|Result|.*Result|StatusText|StatusErrno|NFileDescriptorStore|NAccepted|NRefused|"
     r"NConnections|Job|CleanResult", "what happened to it"),
    (r"CPUUsageNSec|(Memory|Tasks)(Current|Available)|EffectiveCPUs|EffectiveMemoryNodes|"
     r"IO(Read|Write)(Bytes|Operations)|IP(In|E)gress(Bytes|Packets)", "what it used"),
    (r"Before|After|SliceOf|.*By|Conflicts|ConsistsOf|References|Triggers|Propagates.*|"
     r"JoinsNamespaceOf|RequiresMountsFor", "edges come and go with the other units in memory"),
]

# BPF programs in memory; what they are attached to is compared on its own.
BPF = [
    (r"prog \S+ 'sd_\w+'", "PID 1 keeps old copies loaded over the restart of a service"),
]

# Processes: regular expressions over "comm uid cgroup".
PROCESSES = [
    (r"\(udev-worker\) 0 .*", "udev keeps workers as long as there is work"),
]

# Units that systemd or D-Bus starts for somebody and ends when they are idle.
UNITS = [
    (r"systemd-(hostnamed|timedated|localed)\.service", "started on demand, exits when idle"),
    (r"modprobe@.*\.service", "loads one module and is gone"),
]

# Files: shell pattern of the whole path, "all" or "content" (mode and owner still count), reason.
FILES = [
    ("/run/systemd/journal/*", "all", "one stream file for each service that has stdout"),
    ("/run/systemd/units/invocation:*", "content", "a new invocation id at each start"),
    ("/run/systemd/units/log-extra-fields:*", "content", "written anew at each start"),
    ("/run/systemd/netif/*", "content", "networkd's own notes"),
    ("/run/systemd/transient", "all", "made with the first transient unit, stays when it is empty"),
    ("/run/systemd/propagate/*", "content", "mount point of each sandboxed service"),
    ("/run/systemd/sessions/*", "content", "logind's own notes"),
    ("/run/systemd/users/*", "content", "logind's own notes"),
    ("/tmp/systemd-private-*", "all", "PrivateTmp of a service: new name at each start"),
    ("/var/tmp/systemd-private-*", "all", "PrivateTmp of a service: new name at each start"),
    ("/run/aiops/steps/*", "all", "results are kept on purpose, so that nothing is done twice"),
    ("/run/aiops/undo/ledger", "all", "what was done since boot; bounded"),
    ("/run/aiops/undo/ledger.tmp", "all", "of a write that was killed; the next one replaces it"),
    ("/run/aiops/exec/*", "all", "attempts, budgets and the mode outlive the executor; bounded"),
    ("/run/aiops/agent/state", "all", "what the agent knows outlives it"),
    ("/run/aiops/agent/config/*", "all", "copies of the files that a reload has read; bounded"),
    ("/run/aiops/faults/*.result", "all", "what a fault did is kept on purpose"),
    ("/var/lib/aiops/history.db*", "content", "the history grows"),
    ("/var/lib/aiops/audit/*", "all", "the audit grows and is rotated"),
    ("/var/lib/aiops-executor/*", "all", "mode, pause and budget survive a reboot"),
]
