#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Turns a fresh package tree into a lab image. Arguments: root, public key file, root's password.
set -eu
root=$1 public_key=$2 password=$3

rm -f "$root/usr/sbin/policy-rc.d"
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root"/etc/ssh/ssh_host_*
echo mcv-lab >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
printf '/dev/vda / ext4 errors=remount-ro,noatime 0 1\n' >"$root/etc/fstab"
# Lines of this one file are what a mirrorless node can honour.
: >"$root/etc/apt/sources.list"

cat >"$root/etc/network/interfaces" <<'END'
auto lo
iface lo inet loopback
auto eth0
iface eth0 inet dhcp
source /etc/network/interfaces.d/*
END

# sshd keeps Debian's defaults (root: keys only). Host keys are made at first boot, one kind, so that nodes differ.
printf 'UseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/mcv-lab.conf"
cat >"$root/etc/systemd/system/mcv-lab-hostkey.service" <<'END'
[Unit]
Description=Lab: ssh host key of this node
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
[Install]
WantedBy=multi-user.target
END

echo "root:$password" | chroot "$root" chpasswd
chroot "$root" useradd -m -s /bin/bash -G sudo vagrant
echo "vagrant:vagrant" | chroot "$root" chpasswd
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"
install -d -m 700 "$root/root/.ssh"
install -m 600 "$public_key" "$root/root/.ssh/authorized_keys"
install -d -m 700 "$root/home/vagrant/.ssh"
install -m 600 "$public_key" "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant:vagrant /home/vagrant/.ssh

# The TSC of emulated nodes differs from boot to boot; without this a live migration is refused.
printf 'options kvm tsc_tolerance_ppm=5000\noptions kvm_amd nested=0\n' >"$root/etc/modprobe.d/mcv-lab.conf"
echo drbd >"$root/etc/modules-load.d/mcv-lab.conf"
# Kernel messages of a crashing node must reach the console log.
printf 'kernel.panic = 0\nkernel.printk = 4 4 1 7\n' >"$root/etc/sysctl.d/90-mcv-lab.conf"

# Devices of the emulated board that nothing uses cost seconds of boot.
printf 'blacklist %s\n' floppy pcspkr psmouse i2c_piix4 >>"$root/etc/modprobe.d/mcv-lab.conf"

# Keeps emulated nodes from hanging at the start or end of a guest; why: kvm-hold.c.
cat >"$root/etc/systemd/system/mcv-lab-kvm-hold.service" <<'END'
[Unit]
Description=Lab: hold one KVM machine open
DefaultDependencies=no
After=systemd-modules-load.service
Conflicts=shutdown.target
Before=sysinit.target shutdown.target
[Service]
ExecStartPre=-/bin/sh -c 'grep -qw svm /proc/cpuinfo && modprobe kvm_amd || modprobe kvm_intel'
ExecStart=/usr/local/sbin/kvm-hold
[Install]
WantedBy=sysinit.target
END

# The image's own systemctl: the machine that builds may have none.
unit_files() { SYSTEMD_OFFLINE=1 chroot "$root" systemctl --quiet "$@"; }
unit_files enable mcv-lab-hostkey.service mcv-lab-kvm-hold.service
# mcv starts what it manages; timers only disturb measurements.
unit_files disable corosync.service isc-kea-dhcp4-server.service kea-dhcp4-server.service \
    kea-dhcp6-server.service kea-ctrl-agent.service kea-dhcp-ddns-server.service 2>/dev/null || true
unit_files mask drbd.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer dpkg-db-backup.timer man-db.timer systemd-timesyncd.service getty@tty1.service \
    ifupdown-pre.service systemd-binfmt.service modprobe@drm.service modprobe@fuse.service modprobe@loop.service

# provision.sh asks a mirror for nothing on a machine that has this mark.
install -d "$root/usr/share/mcv-lab" "$root/var/lib/mcv-lab"
: >"$root/usr/share/mcv-lab/image"

rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists"
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"
