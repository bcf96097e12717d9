#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a Debian 12 machine a lab node; may be run again at any time. Knows no hypervisor or provider.
#
#   provision.sh NODE ID IP [PEER=IP…]        (as root, in the machine)
#
# The data disk becomes volume group vg0. A .deb of mcv is installed when LAB_DEB names one, or one lies in
# /var/lib/mcv-lab/ or /vagrant/deb/.
set -eu

node=$1 id=$2 ip=$3
shift 3
say() { echo "provision $node: $*"; }
fail() { echo "provision $node: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must run as root"

# Packages: the lab image has them all; any other box needs a mirror.
list=/usr/share/mcv-lab/packages.list
[ -f "$list" ] || list=/vagrant/packages.list
if [ ! -f /usr/share/mcv-lab/image ] && [ -f "$list" ]; then
    missing=
    for package in $(sed 's/#.*//' "$list"); do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        say "installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q
        # shellcheck disable=SC2086 # a list of words
        apt-get install -q -y --no-install-recommends $missing
        systemctl disable --now corosync.service kea-dhcp4-server.service kea-dhcp6-server.service \
            kea-ctrl-agent.service 2>/dev/null || true
        systemctl mask drbd.service
    fi
fi

# Name and peers. DRBD wants `uname -n` to be the node's name and addresses that do not come from 127.*.
[ "$(uname -n)" = "$node" ] || hostname "$node"
[ "$(cat /etc/hostname)" = "$node" ] || echo "$node" >/etc/hostname
hosts=$(mktemp)
{
    sed -e '/# mcv-lab$/d' -e '/^127\.0\.[12]\.1[[:space:]]/d' /etc/hosts
    for pair in "$node=$ip" "$@"; do echo "${pair#*=} ${pair%%=*} # mcv-lab"; done
} >"$hosts"
cmp -s "$hosts" /etc/hosts || cat "$hosts" >/etc/hosts
rm -f "$hosts"

# Links, in the order of the network cards after the one that lets us in: cluster, DRBD, management, guest LAN.
# An interface that already has an address belongs to whoever configured it.
interfaces=/etc/network/interfaces.d/mcv-lab
mkdir -p /etc/network/interfaces.d
number=0
for device in $(ls -v /sys/class/net); do
    [ -e "/sys/class/net/$device/device" ] || continue
    number=$((number + 1))
    case $number in
        2) address=$ip ;;
        3) address=10.77.1.$((10 + id)) ;;
        4) address=10.77.2.$((10 + id)) ;;
        5) address= ;;
        *) continue ;;
    esac
    grep -qsw "$device" "$interfaces" && continue
    if [ -n "$address" ]; then
        ip -o -4 addr show dev "$device" | grep -q . && continue
        printf 'auto %s\niface %s inet static\n    address %s/24\n' "$device" "$device" "$address" >>"$interfaces"
    else
        # The guest LAN's card carries no address: it becomes a port of a bridge.
        printf 'auto %s\niface %s inet manual\n    up ip link set %s up\n' "$device" "$device" "$device" >>"$interfaces"
    fi
    ifup "$device"
done

modprobe drbd
modprobe dm_thin_pool
if grep -qw svm /proc/cpuinfo; then modprobe kvm_amd; elif grep -qw vmx /proc/cpuinfo; then modprobe kvm_intel; fi
if [ -e /sys/module/kvm/parameters/tsc_tolerance_ppm ]; then echo 5000 >/sys/module/kvm/parameters/tsc_tolerance_ppm; fi
[ -e /dev/kvm ] || say "no /dev/kvm: KVM guests cannot run here"

# The data disk: known by its serial, else the only whole disk that carries nothing.
if ! vgs vg0 >/dev/null 2>&1; then
    disk=/dev/disk/by-id/virtio-labdata
    if [ ! -e "$disk" ]; then
        disk=
        for name in $(lsblk -dnro NAME,TYPE | awk '$2 == "disk" { print $1 }'); do
            [ -z "$(lsblk -nro FSTYPE,MOUNTPOINT,PTTYPE "/dev/$name" | tr -d ' \n')" ] || continue
            [ "$(lsblk -nro NAME "/dev/$name" | wc -l)" = 1 ] || continue
            [ -z "$disk" ] || fail "two empty disks, $disk and /dev/$name: cannot tell which one is for data"
            disk=/dev/$name
        done
        [ -n "$disk" ] || fail "no empty disk for volume group vg0"
    fi
    vgcreate -qq vg0 "$(readlink -f "$disk")"
fi

for deb in "${LAB_DEB:-}" /var/lib/mcv-lab/*.deb /vagrant/deb/*.deb; do
    [ -f "$deb" ] || continue
    say "installing $deb"
    DEBIAN_FRONTEND=noninteractive dpkg -i "$deb"
    break
done
say "ready: $(vgs --noheadings -o vg_name,vg_size vg0 | xargs), drbd $(cat /sys/module/drbd/version)"
