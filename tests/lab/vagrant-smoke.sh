#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `vagrant up` for real: two emulated nodes by Vagrant and libvirt, on a machine without systemd, without /dev/kvm and
# without touching its network (all in a network namespace of its own). Needs root; prints the time of each step.
#
#   apt-get install --no-install-recommends vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients dnsmasq-base rsync
#   tests/lab/vagrant-smoke.sh          5 to 20 minutes, by the machine's load
#
# Everything it started is gone afterwards. Do not run it where libvirtd already runs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vagrant_dir=$(dirname "$(dirname "$here")")/vagrant
[ "$(id -u)" = 0 ] || { echo "vagrant-smoke: needs root"; exit 1; }
for tool in vagrant libvirtd virtlogd virsh ip; do
    command -v "$tool" >/dev/null || { echo "vagrant-smoke: $tool is missing"; exit 77; }
done
if virsh -c qemu:///system version >/dev/null 2>&1; then
    echo "vagrant-smoke: libvirtd already runs here; stop it or run 'LAB_TCG=1 vagrant up' by hand"
    exit 77
fi

work=$(mktemp -d /var/tmp/mcv-vagrant.XXXXXX)
chmod 711 "$work"
space=mcv-lab-vagrant
export VAGRANT_HOME="$work/home" VAGRANT_DOTFILE_PATH="$work/dot" VAGRANT_CHECKPOINT_DISABLE=1
export VAGRANT_DEFAULT_PROVIDER=libvirt LAB_TCG=1
libvirtd_pid= virtlogd_pid=

step() { # NAME COMMAND…: runs it and tells how long it took
    name=$1
    shift
    began=$(date +%s)
    "$@" >"$work/log" 2>&1 </dev/null || { tr '\r' '\n' <"$work/log" | grep -v Progress | tail -n 40; echo "failed: $name"; exit 1; }
    echo "$(($(date +%s) - began)) s: $name"
}
inside() { ip netns exec "$space" "$@"; }
end() { # PID: ends a daemon of ours and waits until it is gone
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || return 0
    while kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; do sleep 0.1; done
}
clean() {
    cd "$vagrant_dir"
    if [ -n "$libvirtd_pid" ]; then
        inside vagrant destroy -f >/dev/null 2>&1 || true
        # Only a destroyed network ends its dnsmasq.
        for network in vagrant-libvirt mcv-lab-cluster mcv-lab-drbd mcv-lab-mgmt mcv-lab-lan; do
            virsh -c qemu:///system net-destroy "$network" >/dev/null 2>&1 || true
            virsh -c qemu:///system net-undefine "$network" >/dev/null 2>&1 || true
        done
        for volume in $(virsh -c qemu:///system vol-list default 2>/dev/null | awk '/mcv-lab/ { print $1 }'); do
            virsh -c qemu:///system vol-delete "$volume" default >/dev/null 2>&1 || true
        done
    fi
    end "$libvirtd_pid"
    end "$virtlogd_pid"
    ip netns del "$space" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

wait_for() { # SECONDS COMMAND…
    deadline=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || { echo "time is up: $*"; exit 1; }
        sleep 0.2
    done
}

cd "$vagrant_dir"
step "build-box.sh --vagrant" ./build-box.sh --vagrant
ip netns add "$space"
ip -n "$space" link set lo up
# Not by the function: $! would be a shell around the daemon, and ending that leaves the daemon behind.
ip netns exec "$space" virtlogd >"$work/virtlogd.log" 2>&1 &
virtlogd_pid=$!
ip netns exec "$space" libvirtd >"$work/libvirtd.log" 2>&1 &
libvirtd_pid=$!
wait_for 60 virsh -c qemu:///system version

step "vagrant box add" vagrant box add --name mcv-lab --provider libvirt box/current/mcv-lab.box
step "vagrant up A B (parallel, with provisioning)" inside vagrant up
inside vagrant ssh-config >"$work/ssh" 2>/dev/null
on() { node=$1; shift; inside ssh -n -F "$work/ssh" "$node" "$@"; }
for node in A B; do
    step "$node: name, vg0, drbd, /dev/kvm" on "$node" \
        "test \$(uname -n) = $node && sudo vgs vg0 && grep 8.4 /sys/module/drbd/version && test -c /dev/kvm"
done
step "A reaches B on the cluster, DRBD and management links" on A "ping -c1 10.77.0.12 && ping -c1 10.77.1.12 && ping -c1 10.77.2.12"
step "a KVM guest runs in A" on A "sudo timeout 300 qemu-system-x86_64 -nodefaults -nographic -no-reboot -accel kvm -cpu host -m 128 \
    -serial stdio -kernel /usr/share/mcv-lab/guest/vmlinux -initrd /usr/share/mcv-lab/guest/initramfs \
    -append 'console=ttyS0 quiet mcv.probe' </dev/null | grep mcv-guest"
step "vagrant provision A (again: changes nothing)" inside vagrant provision A
step "vagrant halt B" inside vagrant halt B
step "vagrant up B (boots again)" inside vagrant up B
inside vagrant ssh-config >"$work/ssh" 2>/dev/null
step "B is itself again" on B "sudo vgs vg0 && grep 8.4 /sys/module/drbd/version"
step "vagrant destroy" inside vagrant destroy -f
echo "vagrant smoke passed"
