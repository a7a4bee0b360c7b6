/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/policy.h"

static void all_protected(const char *const units[])
{
	for (size_t i = 0; units[i]; i++)
		if (!policy_unit_is_protected(units[i]))
			fail_msg("'%s' is not protected", units[i]);
}

static void none_protected(const char *const units[])
{
	for (size_t i = 0; units[i]; i++)
		if (policy_unit_is_protected(units[i]))
			fail_msg("'%s' is protected", units[i]);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void what_is_no_unit_is_protected(void **state)
{
	(void)state;
	assert_true(policy_unit_is_protected(NULL));
	all_protected(LIST("", "nginx", "a/b.service", "a b.service", ".service", "x.service\n",
			   "x.conf", "*.service"));
}

static void types_that_hold_others_up(void **state)
{
	(void)state;
	all_protected(LIST("-.mount", "home.mount", "data.automount", "-.slice", "system.slice",
			   "user.slice", "machine.slice", "aiops.slice", "dev-sda2.swap",
			   "dev-sda.device", "multi-user.target", "reboot.target",
			   "poweroff.target", "rescue.target", "ctrl-alt-del.target"));
}

static void pid_1_and_its_parts(void **state)
{
	(void)state;
	all_protected(LIST("init.scope", "systemd-journald.service", "systemd-journald.socket",
			   "systemd-journald-dev-log.socket", "systemd-logind.service",
			   "systemd-udevd.service", "systemd-udevd-kernel.socket",
			   "systemd-networkd.service", "systemd-resolved.service",
			   "systemd-timesyncd.service", "systemd-oomd.service",
			   "systemd-reboot.service", "systemd-poweroff.service",
			   "systemd-fsck@dev-sda1.service", "systemd-tmpfiles-clean.timer",
			   "systemd-ask-password-console.path", "emergency.service",
			   "rescue.service", "initrd-switch-root.service", "debug-shell.service",
			   "kexec.service", "plymouth-quit.service"));
}

static void the_bus_and_who_may_do_what(void **state)
{
	(void)state;
	all_protected(LIST("dbus.service", "dbus.socket", "dbus-broker.service",
			   "dbus-org.freedesktop.login1.service", "polkit.service",
			   "polkitd.service", "polkit-agent-helper@.service", "sssd.service",
			   "sssd-nss.socket", "nscd.service", "winbind.service"));
}

static void ways_in(void **state)
{
	(void)state;
	all_protected(LIST(
		"ssh.service", "ssh.socket", "sshd.service", "sshd.socket", "ssh@0-1.service",
		"sshd@1.service", "sshd-keygen.service", "dropbear.service", "getty@tty1.service",
		"serial-getty@ttyS0.service", "console-getty.service", "container-getty@1.service",
		"autovt@tty2.service", "user@1000.service", "user-runtime-dir@1000.service",
		"session-3.scope", "session-c1.scope", "gdm.service", "gdm3.service",
		"lightdm.service", "sddm.service", "display-manager.service"));
}

static void the_network(void **state)
{
	(void)state;
	all_protected(LIST("NetworkManager.service", "NetworkManager-dispatcher.service",
			   "NetworkManager-wait-online.service", "networking.service",
			   "network.service", "network-manager.service", "ifup@eth0.service",
			   "wpa_supplicant.service", "wpa_supplicant@wlan0.service", "iwd.service",
			   "connman.service", "wickedd.service", "dhcpcd.service",
			   "dhclient.service", "nftables.service", "iptables.service",
			   "firewalld.service", "ufw.service", "netfilter-persistent.service",
			   "wg-quick@wg0.service", "tailscaled.service", "openvpn@office.service",
			   "strongswan-starter.service", "netplan-wpa-wlan0.service"));
}

static void storage_and_modules(void **state)
{
	(void)state;
	all_protected(LIST("lvm2-monitor.service", "lvm2-lvmpolld.socket", "dm-event.service",
			   "multipathd.service", "iscsid.service", "open-iscsi.service",
			   "mdmonitor.service", "mdadm-grow-continue@md0.service",
			   "zfs-import-cache.service", "udisks2.service", "modprobe@loop.service",
			   "kmod-static-nodes.service", "apparmor.service", "auditd.service",
			   "udev.service"));
}

static void changes_under_way(void **state)
{
	(void)state;
	all_protected(LIST("apt-daily.service", "apt-daily-upgrade.service", "apt-daily.timer",
			   "unattended-upgrades.service", "packagekit.service",
			   "dpkg-db-backup.service", "dnf-makecache.service", "snapd.service",
			   "snapd.socket", "fwupd.service", "fwupd-refresh.timer"));
}

static void what_runs_containers_and_machines(void **state)
{
	(void)state;
	all_protected(LIST("docker.service", "docker.socket", "containerd.service", "crio.service",
			   "kubelet.service", "k3s.service", "k3s-agent.service",
			   "libvirtd.service", "libvirtd.socket", "virtqemud.service",
			   "qemu-guest-agent.service", "cloud-init.service",
			   "cloud-init-local.service", "amazon-ssm-agent.service",
			   "google-guest-agent.service", "walinuxagent.service"));
}

static void the_clock(void **state)
{
	(void)state;
	all_protected(LIST("chrony.service", "chronyd.service", "chronyd-restricted.service",
			   "ntp.service", "ntpd.service", "ntpsec.service", "openntpd.service"));
}

static void our_own_parts_but_not_the_target(void **state)
{
	(void)state;
	all_protected(LIST("aiops-agent.service", "aiops-executor.service", "aiops-executor.socket",
			   "aiops-recorder.service", "aiops-gateway.service", "aiops-chaos.service",
			   "aiops-step@0123456789abcdef0123456789abcdef.service",
			   "aiops-fault@0123456789abcdef0123456789abcdef.service",
			   "aiops-history.socket", "aiops.service", "aiops-new-part.service"));
	none_protected(
		LIST("aiops-target-api.service", "aiops-target.service", "aiopsish.service"));
}

static void what_people_do_ask_to_have_managed(void **state)
{
	(void)state;
	none_protected(LIST("nginx.service", "postgresql@15-main.service", "postgresql.service",
			    "redis-server.service", "cron.service", "rsyslog.service",
			    "docker-compose-app.service", "dockerapp.service", "backup.timer",
			    "backup.path", "web.socket", "run-r1234.scope",
			    "docker-0123456789ab.scope", "machine-qemu.scope", "run-u12.service",
			    "network-exporter.service", "cloud-sql-proxy.service",
			    "my-ssh-tunnel.service", "initialise-db.service", "users.service",
			    "timer-app.service"));
}

static void names_are_compared_as_systemd_does(void **state)
{
	(void)state;
	none_protected(LIST("SSH.service", "Dbus.service")); /* other units: case matters */
	all_protected(LIST("ssh.timer", "dbus.path"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_unit_is_protected),
		cmocka_unit_test(types_that_hold_others_up),
		cmocka_unit_test(pid_1_and_its_parts),
		cmocka_unit_test(the_bus_and_who_may_do_what),
		cmocka_unit_test(ways_in),
		cmocka_unit_test(the_network),
		cmocka_unit_test(storage_and_modules),
		cmocka_unit_test(changes_under_way),
		cmocka_unit_test(what_runs_containers_and_machines),
		cmocka_unit_test(the_clock),
		cmocka_unit_test(our_own_parts_but_not_the_target),
		cmocka_unit_test(what_people_do_ask_to_have_managed),
		cmocka_unit_test(names_are_compared_as_systemd_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
