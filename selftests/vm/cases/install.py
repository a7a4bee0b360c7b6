# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package comes and goes without a trace."""

import product

TAGS = {"quick"}
SUMMARY = "removed and purged, the packages leave no process, file, unit or socket behind"
# Users and groups stay, as Debian's packages do: their numbers must not be given to others.
PLACES = "/run/aiops /var/lib/aiops* /usr/lib/aiops /usr/libexec/aiops* /lib/systemd/system/aiops*"


def run(vm):
    product.wait_ready(vm)
    assert vm.out("systemctl is-enabled aiops-agent") == "enabled"
    vm.run("env DEBIAN_FRONTEND=noninteractive apt-get purge -y aiops-target aiops-agent",
           timeout_s=180)
    vm.run("systemctl daemon-reload")
    left = vm.out(f"ls -d {PLACES} 2>/dev/null; pgrep -a aiops; ls /etc/systemd/system/*aiops* "
                  "/etc/systemd/system/*/aiops* 2>/dev/null; "
                  "systemctl list-units --all --no-legend --plain 'aiops*'; true")
    assert not left, left
    programs = vm.out("bpftool link; bpftool prog | grep -i aiops; true")
    assert "runqlat" not in programs and "lifecycle" not in programs, programs
