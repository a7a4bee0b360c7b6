/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fnmatch.h>
#include <string.h>

#include "base/str.h"
#include "model/policy.h"

/* What a host must not lose: what would take the machine, its disks, its network or the way in away
 * from the people who could repair our mistake, or stop something half way that must not be stopped.
 * Not here, on purpose: cron, log daemons and databases, which people do ask to have managed. */

/* Types that hold other things up: their stop is the stop of all that. */
static const char *const protected_types[] = { ".mount",  ".automount", ".swap",
					       ".device", ".target",    ".slice" };

static const char *const protected_scopes[] = { "init", "session-*" };

/* Services by name without suffix; a socket, timer or path counts as the service of its name. */
static const char *const protected_services[] = {
	/* PID 1's own parts; the bus; who may do what */
	"init",
	"systemd-*",
	"dbus",
	"dbus-*",
	"polkit",
	"polkitd",
	"polkit-*",
	"emergency",
	"rescue",
	"initrd-*",
	"debug-shell",
	"plymouth*",
	"kexec*",
	"kdump*",
	/* ways in: remote shells, consoles, sessions, who logs in */
	"ssh",
	"ssh@*",
	"sshd",
	"sshd@*",
	"sshd-*",
	"ssh-*",
	"dropbear*",
	"getty@*",
	"*-getty@*",
	"console-getty",
	"autovt@*",
	"user@*",
	"user-runtime-dir@*",
	"display-manager",
	"gdm*",
	"sddm*",
	"lightdm*",
	"sssd*",
	"nslcd",
	"nscd",
	"winbind*",
	"accounts-daemon",
	/* the network and its filters */
	"NetworkManager*",
	"networking",
	"network",
	"network-manager",
	"netplan*",
	"ifup@*",
	"ifupdown*",
	"wpa_supplicant*",
	"iwd",
	"connman*",
	"wicked*",
	"dhcpcd*",
	"dhclient*",
	"ModemManager",
	"nftables",
	"iptables",
	"ip6tables",
	"netfilter-persistent",
	"firewalld",
	"ufw",
	"wg-quick@*",
	"tailscaled",
	"openvpn*",
	"strongswan*",
	"ipsec*",
	/* storage */
	"lvm2*",
	"dm-event*",
	"multipathd*",
	"iscsid*",
	"open-iscsi*",
	"mdmonitor*",
	"mdadm*",
	"dmraid*",
	"zfs*",
	"blk-availability",
	"udisks2",
	/* kernel modules and security modules: starting modprobe@X loads X */
	"modprobe@*",
	"kmod*",
	"module-init-tools",
	"apparmor*",
	"selinux*",
	"auditd*",
	"udev",
	/* package and firmware changes under way */
	"apt-*",
	"unattended-upgrades*",
	"packagekit*",
	"dpkg-*",
	"dnf*",
	"rpm-*",
	"snapd*",
	"fwupd*",
	/* what runs other people's machines and containers; the machine's own keeper */
	"docker",
	"containerd",
	"crio",
	"kubelet",
	"k3s*",
	"libvirtd*",
	"virtqemud",
	"virtlogd",
	"virtlockd",
	"qemu-guest-agent",
	"cloud-init*",
	"cloud-config",
	"cloud-final",
	"amazon-ssm-agent",
	"google-*agent*",
	"walinuxagent",
	/* time: certificates, logs and deadlines hang on it */
	"chrony",
	"chronyd*",
	"ntp",
	"ntpd",
	"ntpsec*",
	"openntpd",

};

static bool matches_any(const char *name, const char *const patterns[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

/* Our own parts; the target is there to be broken and repaired. */
static bool is_ours(const char *stem)
{
	if (strncmp(stem, "aiops-target", strlen("aiops-target")) == 0)
		return false;
	return str_equal(stem, "aiops") || strncmp(stem, "aiops-", strlen("aiops-")) == 0;
}

bool policy_unit_is_protected(const char *unit)
{
	char stem[ENTITY_NAME_MAX] = "";
	const char *type;

	if (!unit || !str_is_unit_name(unit) || str_copy(stem, sizeof(stem), unit) < 0)
		return true;
	type = strrchr(unit, '.');
	stem[type - unit] = '\0';
	for (size_t i = 0; i < ELEMENTSOF(protected_types); i++)
		if (str_equal(type, protected_types[i]))
			return true;
	if (str_equal(type, ".scope"))
		return matches_any(stem, protected_scopes, ELEMENTSOF(protected_scopes));
	return is_ours(stem) ||
	       matches_any(stem, protected_services, ELEMENTSOF(protected_services));
}
