#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the guest suite with real VMMs and real guests inside a lab node:
#
#   run-in-node.sh BINARY NODE [TEST ARGUMENTS…]
#
# BINARY is hv_contract_test. Environment: LAB (qemu-lab.sh, default the repository's), LAB_DIR as for qemu-lab.sh,
# MCV_GUEST (folder with vmlinux, initramfs and records, when the image has none), MCV_CLOUD_HYPERVISOR (a binary on this
# machine, copied to the node; without it that driver is skipped, loudly), LAB_SLOW (a factor on what the suite waits for at
# most, for a busy machine).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lab=${LAB:-$here/../../../vagrant/qemu-lab.sh}
binary=$1 node=$2
shift 2
guest=/usr/share/mcv-lab/guest
vmm=/opt/mcv-contract/cloud-hypervisor

"$lab" ssh "$node" "mkdir -p /opt/mcv-contract $guest"
"$lab" push "$node" "$binary" /opt/mcv-contract/hv_contract_test
if [ -n "${MCV_GUEST:-}" ]; then
    for file in vmlinux initramfs records; do "$lab" push "$node" "$MCV_GUEST/$file" "$guest/$file"; done
fi
if [ -n "${MCV_CLOUD_HYPERVISOR:-}" ]; then
    "$lab" push "$node" "$MCV_CLOUD_HYPERVISOR" "$vmm"
fi
"$lab" ssh "$node" "set -e
getent passwd mcv-guest >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin mcv-guest
modprobe tun
for n in 0 1; do
    [ -e /dev/vg0/hvcontract\$n ] || lvcreate --quiet --yes --size 16M --name hvcontract\$n vg0
    ip link show mcvt\$n >/dev/null 2>&1 || ip tuntap add dev mcvt\$n mode tap user mcv-guest vnet_hdr
    ip link set mcvt\$n up
done
chmod 755 /opt/mcv-contract/* $guest/records"
quoted=
for word in "$@"; do quoted="$quoted '$word'"; done
# A unit of its own, so that the suite is no child of the ssh session.
"$lab" ssh "$node" "systemd-run --quiet --wait --pipe --collect --unit=mcv-hv-contract \
    --setenv=MCV_NODE_DISK0=/dev/vg0/hvcontract0 --setenv=MCV_NODE_DISK1=/dev/vg0/hvcontract1 --setenv=MCV_CLOUD_HYPERVISOR=$vmm \
    --setenv=LAB_SLOW=${LAB_SLOW:-1} \
    /opt/mcv-contract/hv_contract_test$quoted"
