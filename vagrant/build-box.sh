#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian 12 image of the lab nodes: root file system (raw, sparse, no partition table), kernel and initrd for
# direct boot, the test guest inside it, and the key that logs in. Nothing is mounted, so it also runs in containers.
#
#   build-box.sh             build unless an image of the same inputs is there; prints its directory
#   build-box.sh --vagrant   also make mcv-lab.box for vagrant-libvirt
#   build-box.sh --print     only print the directory the inputs lead to
#
# Needs root to build (files of many owners, chroot), and mmdebstrap e2fsprogs gcc libc6-dev binutils cpio python3
# openssh-client util-linux (and qemu-utils for --vagrant).
# Environment: LAB_BOX_DIR (default: box/ beside this script), LAB_KEY_DIR (default: $XDG_CACHE_HOME/mcv-lab, else
# LAB_BOX_DIR), LAB_ROOT_PASSWORD (default lab-root), LAB_MIRROR (default: mmdebstrap's own).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
box=${LAB_BOX_DIR:-$here/box}
key_dir=${LAB_KEY_DIR:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/mcv-lab}}
key_dir=${key_dir:-$box}
root_password=${LAB_ROOT_PASSWORD:-lab-root}
suite=bookworm
disk_gib=6

say() { echo "build-box: $*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/sbin/$1" ] || fail "$1 is missing; install package $2"; }

mkdir -p "$box" "$key_dir"
key=$key_dir/id_ed25519
if [ ! -f "$key" ]; then
    have ssh-keygen openssh-client
    # Two runs may start together: the first to link its key wins.
    ssh-keygen -q -t ed25519 -N '' -C mcv-lab -f "$key.$$"
    if ln "$key.$$" "$key" 2>/dev/null; then mv "$key.$$.pub" "$key.pub"; else rm -f "$key.$$.pub"; fi
    rm -f "$key.$$"
fi

packages=$(sed 's/#.*//' "$here/packages.list" | tr -s ' \t\n' ',' | sed 's/^,//; s/,$//')
inputs_hash=$({ cat "$0" "$here/packages.list" "$here/provision.sh" "$here"/image/* "$here/lab/extract-vmlinux.py" "$key.pub"
                find "$top/tests/lab/guest" -type f | sort | xargs cat
                echo "$root_password ${LAB_MIRROR:-}"; } | sha256sum | cut -c1-16)
out=$box/$inputs_hash

vagrant_box() {
    [ -f "$out/mcv-lab.box" ] && return
    have qemu-img qemu-utils
    say "packing mcv-lab.box"
    pack=$(mktemp -d "$box/.box.XXXXXX")
    qemu-img convert -c -O qcow2 "$out/root.img" "$pack/box.img"
    printf '{"provider":"libvirt","format":"qcow2","virtual_size":%d}\n' "$disk_gib" >"$pack/metadata.json"
    printf 'Vagrant.configure("2") { |config| }\n' >"$pack/Vagrantfile"
    tar -C "$pack" -cf - metadata.json Vagrantfile box.img | gzip -1 >"$pack/mcv-lab.box"
    mv "$pack/mcv-lab.box" "$out/mcv-lab.box"
    rm -rf "$pack"
}

finish() {
    ln -sfn "$inputs_hash" "$box/current.$$" && mv -T "$box/current.$$" "$box/current"
    [ "$want" = --vagrant ] && vagrant_box
    echo "$out"
}

want=${1:-}
case $want in
    '' | --vagrant) ;;
    --print) echo "$out"; exit 0 ;;
    *) fail "unknown option $want" ;;
esac
exec 9>"$box/.lock" # one build at a time; the next one finds its result
flock 9
if [ -f "$out/complete" ]; then
    finish
    exit 0
fi

have mmdebstrap mmdebstrap
have mkfs.ext4 e2fsprogs
have gcc gcc
have cpio cpio
have python3 python3
[ "$(id -u)" = 0 ] || fail "no image for these inputs in $box, and building one needs root: sudo $0"

started=$(date +%s)
work=$(mktemp -d "$box/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say "building $out"
gcc -std=c17 -Os -Wall -Wextra -Werror -static -s -o "$work/kvm-hold" "$here/image/kvm-hold.c"

# The packages alone are kept too: most changes of the image leave them as they are.
base=$box/base-$({ cat "$here/packages.list" "$here/image/before-packages.sh"; echo "${LAB_MIRROR:-}"; } | sha256sum | cut -c1-16).tar
if [ ! -f "$base" ]; then
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --include="$packages" \
        --essential-hook="sh '$here/image/before-packages.sh' \"\$1\"" \
        "$suite" "$work/base.tar" ${LAB_MIRROR:+"$LAB_MIRROR"} >"$work/mmdebstrap.log" 2>&1 ||
        { cat "$work/mmdebstrap.log" >&2; fail "mmdebstrap failed"; }
    mv "$work/base.tar" "$base"
    say "packages done after $(($(date +%s) - started)) s"
fi
mkdir "$work/root"
tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='*' -xpf "$base"

install -D -m 755 "$work/kvm-hold" "$work/root/usr/local/sbin/kvm-hold"
sh "$here/image/configure.sh" "$work/root" "$key.pub" "$root_password"
install -D -m 755 "$here/provision.sh" "$work/root/usr/local/sbin/mcv-lab-provision"
install -D -m 644 "$here/packages.list" "$work/root/usr/share/mcv-lab/packages.list"
sh "$top/tests/lab/guest/build.sh" "$work/root" "$work/root/usr/share/mcv-lab/guest"

mkdir "$work/out"
cp "$work"/root/boot/vmlinuz-* "$work/out/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/out/initrd.img"
cp "$work/root/usr/share/mcv-lab/guest/vmlinux" "$work/out/vmlinux"
cp -r "$work/root/usr/share/mcv-lab/guest" "$work/out/guest"
chroot "$work/root" dpkg-query -W >"$work/out/packages.txt"
truncate -s "${disk_gib}G" "$work/out/root.img"
mkfs.ext4 -q -F -L root -m 0 -E lazy_itable_init=0,lazy_journal_init=0 -d "$work/root" "$work/out/root.img"
fallocate --dig-holes "$work/out/root.img" 2>/dev/null || true
cp "$key.pub" "$work/out/key.pub"
cp "$key" "$work/out/key"
chmod 600 "$work/out/key"
echo "$root_password" >"$work/out/root-password"
touch "$work/out/complete"
rm -rf "$out"
mv "$work/out" "$out"
say "done in $(($(date +%s) - started)) s: $(du -sh "$out" | cut -f1)"
say "login: ssh key $out/key (root, vagrant); root's password on the console: $root_password"
finish
