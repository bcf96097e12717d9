#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lab by plain QEMU: the nodes of nodes.conf on the image of build-box.sh, joined by a network of its own whose every
# port can be cut. Needs no root, no bridge and no service; all state is in LAB_DIR, so labs run side by side.
#
#   qemu-lab.sh up [NODE…]              build the image if needed, boot, wait until ready (default: all nodes)
#   qemu-lab.sh ssh NODE [COMMAND…]     as root
#   qemu-lab.sh push NODE FILE DEST     qemu-lab.sh pull NODE FILE DEST
#   qemu-lab.sh install DEB [NODE…]     copy and install a package
#   qemu-lab.sh kill NODE               cut the power          qemu-lab.sh start NODE    and give it back; waits until ready
#   qemu-lab.sh pause|resume NODE       freeze and thaw        qemu-lab.sh powerbutton NODE
#   qemu-lab.sh cut|heal NODE LINK [in|out]    LINK: cluster drbd mgmt lan all; out = only what NODE sends
#   qemu-lab.sh slow NODE LINK MS       delay in each direction; 0 ends it      qemu-lab.sh lose NODE LINK PERCENT
#   qemu-lab.sh reset                   heal all, resume paused nodes, start dead ones
#   qemu-lab.sh status | console NODE | dir | down
#
# Environment:
#   LAB_DIR        this lab's state; one lab a directory (default .lab beside this script)
#   LAB_BOX_DIR    images (default box beside this script)      LAB_NODES   the nodes (default nodes.conf)
#   LAB_ACCEL      auto, tcg or kvm; auto (default) takes KVM only when a guest was seen booting with it
#   LAB_CACHE      QEMU's cache mode of the disks: unsafe (default), writeback, …
#   LAB_SNAPSHOT   0: boot for real, and keep no ready node for later labs
#   LAB_MEM        MiB a node                 LAB_APPEND   more kernel options
#   LAB_TIMEOUT    seconds a boot may take (default 900)
#   LAB_TAP        1 (root): a tap device mcvt-LINK on every link, in the caller's network namespace
# Needs: qemu-system-x86 qemu-utils openssh-client gcc python3, and what build-box.sh needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
lab=${LAB_DIR:-$here/.lab}
conf=${LAB_NODES:-$here/nodes.conf}
box_dir=${LAB_BOX_DIR:-$here/box}
links="cluster drbd mgmt lan"
timeout=${LAB_TIMEOUT:-900}

say() { echo "lab: $*" >&2; }
fail() { say "$*"; exit 1; }

all_nodes() { awk '!/^#/ && NF { print $1 }' "$conf"; }
# field NODE NUMBER: a column of nodes.conf (2 id, 3 ip, 4 memory, 5 cpus, 6 disk)
field() { awk -v node="$1" -v n="$2" '$1 == node { print $n }' "$conf"; }
known() { [ -n "${1:-}" ] && [ -n "$(field "$1" 2)" ] || fail "no node '${1:-}' in $conf"; }
in_lab() { [ -d "$lab" ] || fail "no lab in $lab; start one: $0 up"; }

# A pid file counts only while that process is the one we started, not a later one with the same number.
pid_of() {
    [ -f "$1" ] || return 1
    pid=$(cat "$1")
    [ -r "/proc/${pid:-none}/cmdline" ] && tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$2" && echo "$pid"
}
node_pid() { pid_of "$lab/$1/pid" "mcv-lab-$1"; }
# A zombie is gone for us; its parent may take its time. But each thread has to be one: while a single one ends, the files, and
# QEMU's locks on its images, are open.
is_alive() { grep -hs '^State:' "/proc/$1"/task/*/status | grep -qv '^State:[[:space:]]*Z'; }
end_process() {
    kill "-$2" "$1" 2>/dev/null || return 0
    tries=0
    while is_alive "$1"; do
        tries=$((tries + 1))
        [ "$tries" -gt 100 ] && kill -9 "$1" 2>/dev/null
        sleep 0.05
    done
}

hub() { (cd "$lab" && ./hub ctl hub.sock "$@"); }
qmp() { node=$1; shift; (cd "$lab" && python3 "$here/lab/qmp.py" "$node/qmp.sock" "$@"); }

# --- ssh: one kept connection a node, so that a command costs milliseconds -----------------------------------------------
write_ssh_config() {
    {
        for host in $(all_nodes); do
            [ -f "$lab/$host/port" ] || continue
            cat <<END
Host $host
  HostName 127.0.0.1
  Port $(cat "$lab/$host/port")
END
        done
        cat <<END
Host *
  User root
  IdentityFile $lab/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 60
  ServerAliveInterval 10
  ServerAliveCountMax 6
  ControlMaster auto
  ControlPersist 600
  ControlPath $(cat "$lab/run")/%n
END
    } >"$lab/ssh_config.new"
    mv "$lab/ssh_config.new" "$lab/ssh_config"
}
to_node() { ssh -F "$lab/ssh_config" "$@"; }
close_ssh() { to_node -O exit "$1" >/dev/null 2>&1 || true; }

# --- image and accelerator -----------------------------------------------------------------------------------------------
qemu=${LAB_QEMU:-qemu-system-x86_64}
tcg="-accel tcg,thread=multi,tb-size=512 -cpu EPYC,+svm,+npt,-vgif,-v-vmsave-vmload,-avic"
kvm="-accel kvm -cpu host"

# KVM counts only when a guest booted with it and it offers nesting; /dev/kvm may exist and not work.
kvm_works() {
    [ -r /dev/kvm ] && [ -w /dev/kvm ] && [ -f "$lab/box/guest/initramfs" ] || return 1
    mark=$box_dir/kvm-$(cat /proc/sys/kernel/random/boot_id)
    if [ ! -f "$mark" ]; then
        # shellcheck disable=SC2086 # words
        timeout -k 1 10 $qemu -nodefaults -no-user-config -nographic -no-reboot $kvm -m 256 -serial stdio \
            -kernel "$lab/box/vmlinux" -initrd "$lab/box/guest/initramfs" -append "console=ttyS0 quiet panic=-1 mcv.probe" \
            </dev/null >"$mark.log" 2>&1 || true
        if grep -Eq 'mcv-guest.*virt=(svm|vmx)' "$mark.log"; then echo yes >"$mark"; else echo no >"$mark"; fi
    fi
    grep -qx yes "$mark"
}
accelerator() {
    case ${LAB_ACCEL:-auto} in
        tcg) echo tcg ;;
        kvm) echo kvm ;;
        auto) if kvm_works; then echo kvm; else echo tcg; fi ;;
        *) fail "LAB_ACCEL=$LAB_ACCEL: use auto, tcg or kvm" ;;
    esac
}

# What the machine is, as its guest sees it.
hardware() {
    if [ "$(cat "$lab/accel")" = kvm ]; then echo "$kvm"; else echo "$tcg"; fi
    id=$(field "$1" 2)
    echo "-machine pc -smp $(field "$1" 5) -m ${LAB_MEM:-$(field "$1" 4)} -rtc base=utc"
    echo "-device virtio-blk-pci,drive=root -device virtio-blk-pci,drive=data,serial=labdata"
    number=0
    for card in access $links; do
        printf -- '-device virtio-net-pci,netdev=%s,mac=52:54:00:77:%02x:%02x,romfile=\n' "$card" "$number" "$id"
        number=$((number + 1))
    done
    echo "-device virtio-rng-pci -device i6300esb -watchdog-action reset -serial chardev:console"
}

# --- nodes ---------------------------------------------------------------------------------------------------------------
make_node() {
    node=$1
    [ -d "$lab/$node" ] && return
    mkdir -p "$lab/$node"
    ready=$(ready_dir)/$node
    if snapshots_wanted && [ -d "$ready" ]; then
        for disk in root data; do
            qemu-img create -q -f qcow2 -F qcow2 -b "$ready/$disk.qcow2" "$lab/$node/$disk.qcow2"
        done
        ln -s "$ready/state" "$lab/$node/restore"
        return
    fi
    qemu-img create -q -f qcow2 -F raw -b "$(readlink -f "$lab/box")/root.img" "$lab/$node/root.qcow2"
    qemu-img create -q -f qcow2 "$lab/$node/data.qcow2" "$(field "$node" 6)G"
}

# --- ready nodes: booting costs an emulated node a minute or more, going on from a snapshot a few seconds -----------------
# Emulated nodes with the usual kernel options only; real KVM boots fast enough.
snapshots_wanted() { [ "${LAB_SNAPSHOT:-1}" = 1 ] && [ -z "${LAB_APPEND:-}" ] && [ "$(cat "$lab/accel")" = tcg ]; }

# One directory for all that decides what such a node is; what provisioning did is part of the image's own hash.
ready_dir() {
    key=$({ for name in $(all_nodes); do hardware "$name"; done; cat "$conf"; $qemu --version; } | sha256sum | cut -c1-16)
    echo "$(readlink -f "$lab/box")/ready-$key"
}

wait_migration() {
    while :; do
        state=$(qmp "$1" query-migrate)
        case $state in
            *'"status": "completed"'*) return ;;
            *'"status": "failed"'*) fail "snapshot of $1 failed: $state" ;;
        esac
        sleep 0.1
    done
}

# Keeps a node that was just provisioned for later labs; the node itself goes on.
keep_ready() {
    node=$1
    ready=$(ready_dir)
    snapshots_wanted && [ ! -d "$ready/$node" ] || return 0
    to_node "$node" 'sync; systemctl is-system-running --wait >/dev/null || true'
    close_ssh "$node"
    mkdir -p "$ready"
    new=$(mktemp -d "$ready/.$node.XXXXXX")
    qmp "$node" migrate-set-parameters '{"max-bandwidth": 4000000000}' stop migrate "{\"uri\": \"exec:cat >$new/state\"}" >/dev/null
    wait_migration "$node"
    cp --sparse=always "$lab/$node/root.qcow2" "$lab/$node/data.qcow2" "$new/"
    qemu-img rebase -u -f qcow2 -F raw -b ../../root.img "$new/root.qcow2"
    qmp "$node" cont >/dev/null
    mv -T "$new" "$ready/$node" 2>/dev/null || rm -rf "$new" # somebody else was faster
}

# A restored node comes up as it was saved: stopped.
go_on() {
    [ -L "$lab/$1/restore" ] || return 0
    while qmp "$1" query-status | grep -q inmigrate; do sleep 0.05; done
    qmp "$1" cont >/dev/null
}

# Starts the node's QEMU; a port another process took meanwhile is the one failure worth another try.
power_on() {
    node=$1
    node_pid "$node" >/dev/null && return
    backends=
    for link in $links; do
        backends="$backends -netdev dgram,id=$link,local.type=unix,local.path=$node/$link,remote.type=unix,remote.path=net/$node.$link"
    done
    attempt=0
    while :; do
        attempt=$((attempt + 1))
        if [ "$attempt" -gt 1 ] || [ ! -f "$lab/$node/port" ]; then
            python3 -c 'import random, sys; print(random.randint(20000, 29999))' >"$lab/$node/port"
            write_ssh_config
        fi
        incoming=
        [ -L "$lab/$node/restore" ] && incoming="-incoming exec:cat<$node/restore"
        rm -f "$lab/$node"/cluster "$lab/$node"/drbd "$lab/$node"/mgmt "$lab/$node"/lan "$lab/$node/qmp.sock"
        # Relative paths: a unix socket's path is short. QEMU stays in this directory because it does not daemonize.
        # shellcheck disable=SC2046,SC2086 # words
        (cd "$lab" && exec setsid $qemu -name "mcv-lab-$node" -nodefaults -no-user-config -display none \
            -kernel box/vmlinux -initrd box/initrd.img \
            -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off no_timer_check quiet${LAB_APPEND:+ $LAB_APPEND}" \
            -drive "file=$node/root.qcow2,if=none,id=root,cache=${LAB_CACHE:-unsafe},discard=unmap" \
            -drive "file=$node/data.qcow2,if=none,id=data,cache=${LAB_CACHE:-unsafe},discard=unmap" \
            -netdev "user,id=access,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:$(cat "$lab/$node/port")-:22" $backends \
            -chardev "file,id=console,path=$node/console.log,append=on" \
            -qmp "unix:$node/qmp.sock,server=on,wait=off" \
            $(hardware "$node") $incoming </dev/null >>"$node/qemu.log" 2>&1) &
        booted=$!
        echo "$booted" >"$lab/$node/pid"
        # Not by its command line: it may not have got to its exec yet.
        while is_alive "$booted" && [ ! -S "$lab/$node/qmp.sock" ]; do sleep 0.05; done
        # The socket appears before the forwarding is set up: an answer means that all arguments were taken.
        if qmp "$node" query-status >/dev/null 2>&1; then
            go_on "$node"
            return
        fi
        [ "$attempt" -lt 5 ] && grep -q 'host forwarding' "$lab/$node/qemu.log" && continue
        tail -n 5 "$lab/$node/qemu.log" >&2
        fail "QEMU of $node does not start"
    done
}

wait_ssh() {
    node=$1
    deadline=$(($(date +%s) + timeout))
    close_ssh "$node"
    until to_node -o ConnectTimeout=4 "$node" true </dev/null >/dev/null 2>&1; do
        node_pid "$node" >/dev/null || { tail -n 20 "$lab/$node/console.log" >&2; fail "$node died while booting"; }
        [ "$(date +%s)" -lt "$deadline" ] || { tail -n 20 "$lab/$node/console.log" >&2; fail "$node: no ssh after $timeout s"; }
        sleep 0.2
    done
}

provision() {
    node=$1
    if [ -L "$lab/$node/restore" ]; then
        rm "$lab/$node/restore" # the next start is a boot
        to_node "$node" date -s "@$(date +%s)" >/dev/null
        echo "provision $node: ready from its snapshot" >&2
        return
    fi
    peers=
    for other in $(all_nodes); do [ "$other" = "$node" ] || peers="$peers $other=$(field "$other" 3)"; done
    # shellcheck disable=SC2086 # words
    to_node "$node" sh -s -- "$node" "$(field "$node" 2)" "$(field "$node" 3)" $peers <"$here/provision.sh" \
        >"$lab/$node/provision.log" 2>&1 || { cat "$lab/$node/provision.log" >&2; fail "provisioning of $node failed"; }
    tail -n 1 "$lab/$node/provision.log" >&2
}

boot_all() {
    for node in "$@"; do power_on "$node"; done
    pids=
    for node in "$@"; do
        (wait_ssh "$node" && provision "$node") &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid" || fail "not all nodes came up"; done
}

start_hub() {
    pid_of "$lab/hub.pid" hub.sock >/dev/null && return
    gcc -std=c17 -O2 -o "$lab/hub" "$here/lab/hub.c"
    ports=
    for node in $(all_nodes) collector; do
        for link in $links; do ports="$ports $link:$node:unix:net/$node.$link:$node/$link"; done
    done
    if [ "${LAB_TAP:-0}" = 1 ]; then
        for link in $links; do ports="$ports $link:host:tap:mcvt-$link"; done
    fi
    # shellcheck disable=SC2086 # words
    (cd "$lab" && exec setsid ./hub run hub.sock $ports </dev/null >>hub.log 2>&1) &
    hub=$!
    echo "$hub" >"$lab/hub.pid"
    while [ ! -S "$lab/hub.sock" ]; do
        # Not by its command line: it may not have got to its exec yet.
        is_alive "$hub" || { cat "$lab/hub.log" >&2; fail "the network process does not start"; }
        sleep 0.02
    done
}

verb_up() {
    started=$(date +%s)
    box=$("$here/build-box.sh")
    mkdir -p "$lab/net" "$lab/collector"
    ln -sfn "$box" "$lab/box"
    install -m 600 "$box/key" "$lab/key"
    [ -f "$lab/run" ] || mktemp -d /tmp/mcv-lab.XXXXXX >"$lab/run"
    [ -f "$lab/accel" ] || accelerator >"$lab/accel"
    # shellcheck disable=SC2046 # words
    [ $# -gt 0 ] || set -- $(all_nodes)
    for node in "$@"; do known "$node"; done
    start_hub
    for node in "$@"; do make_node "$node"; done
    boot_all "$@"
    for node in "$@"; do keep_ready "$node"; done
    say "up after $(($(date +%s) - started)) s ($(cat "$lab/accel")); root's password is $(cat "$lab/box/root-password"); log in: $0 ssh $1"
}

verb_kill() {
    known "$1"
    pid=$(node_pid "$1") || fail "$1 is not running"
    end_process "$pid" 9
    close_ssh "$1"
}

verb_install() {
    deb=$1
    shift
    # shellcheck disable=SC2046 # words
    [ $# -gt 0 ] || set -- $(all_nodes)
    for node in "$@"; do
        node_pid "$node" >/dev/null || continue
        to_node "$node" 'cat >/var/lib/mcv-lab/mcv.deb' <"$deb"
        to_node "$node" 'DEBIAN_FRONTEND=noninteractive dpkg -i /var/lib/mcv-lab/mcv.deb'
    done
}

verb_reset() {
    hub reset
    dead=
    for node in $(all_nodes); do
        [ -d "$lab/$node" ] || continue
        if node_pid "$node" >/dev/null; then qmp "$node" cont >/dev/null; else dead="$dead $node"; fi
    done
    # shellcheck disable=SC2086 # words
    [ -z "$dead" ] || boot_all $dead
}

verb_status() {
    for node in $(all_nodes); do
        [ -d "$lab/$node" ] || continue
        if pid=$(node_pid "$node"); then
            echo "$node $(qmp "$node" query-status | sed 's/.*"status": "\([a-z-]*\)".*/\1/') pid=$pid ssh=127.0.0.1:$(cat "$lab/$node/port")"
        else
            echo "$node off"
        fi
    done
    hub status
}

verb_down() {
    [ -d "$lab" ] || return 0
    for node in $(all_nodes); do
        if pid=$(node_pid "$node"); then end_process "$pid" 9; fi
        if [ -f "$lab/ssh_config" ]; then close_ssh "$node"; fi
    done
    if pid=$(pid_of "$lab/hub.pid" hub.sock); then end_process "$pid" TERM; fi
    [ -f "$lab/run" ] && rm -rf "$(cat "$lab/run")"
    rm -rf "$lab"
}

[ $# -gt 0 ] || { sed -n '3,/^set -eu/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2; }
verb=$1
shift
case $verb in
    up) verb_up "$@" ;;
    down) verb_down ;;
    dir) echo "$lab" ;;
    *) in_lab ;;
esac
case $verb in
    up | down | dir) ;;
    ssh) known "${1:-}"; to_node "$@" ;;
    push) known "$1"; scp -q -F "$lab/ssh_config" -r "$2" "$1:$3" ;;
    pull) known "$1"; scp -q -F "$lab/ssh_config" -r "$1:$2" "$3" ;;
    install) verb_install "$@" ;;
    kill) verb_kill "$1" ;;
    start) known "$1"; make_node "$1"; boot_all "$1" ;;
    pause) known "$1"; qmp "$1" stop >/dev/null ;;
    resume) known "$1"; qmp "$1" cont >/dev/null ;;
    powerbutton) known "$1"; qmp "$1" system_powerdown >/dev/null ;;
    qmp) known "$1"; qmp "$@" ;;
    cut | heal | slow | lose) hub "$verb" "$@" >/dev/null ;;
    reset) verb_reset ;;
    status) verb_status ;;
    console) known "$1"; cat "$lab/$1/console.log" ;;
    *) fail "unknown command '$verb'; run $0 without arguments for help" ;;
esac
