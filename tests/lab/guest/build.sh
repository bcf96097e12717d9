#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the test guest from a Debian root: build.sh ROOT OUT puts vmlinux, vmlinuz, initramfs and records into OUT.
# The kernel and its modules are ROOT's; the initramfs is not compressed, because unpacking costs more than loading there.
set -eu
root=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
version=$(ls "$root/lib/modules" | sort -V | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags="-std=c17 -Os -Wall -Wextra -Wshadow -Werror -static -s"
mkdir -p "$out" "$work/tree/modules" "$work/tree/bin" "$work/tree/dev" "$work/tree/proc" "$work/tree/sys"
# shellcheck disable=SC2086 # words
gcc $flags -o "$work/tree/init" "$here/init.c"
# shellcheck disable=SC2086 # words
gcc $flags -o "$out/records" "$here/records.c"
cp "$root/bin/busybox" "$work/tree/bin/busybox"
install -m 755 "$here/dhcp-event" "$work/tree/bin/dhcp-event"

# In the order the kernel must be given them: every module after those it needs.
number=100
for module in virtio_pci virtio_blk virtio_net button evdev; do
    chroot "$root" modprobe -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' >"$work/list"
while read -r file; do
    number=$((number + 1))
    cp "$root$file" "$work/tree/modules/$number-$(basename "$file")"
done <"$work/list"
[ -s "$work/list" ] || { echo "build.sh: no modules for $version" >&2; exit 1; }

(cd "$work/tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) >"$out/initramfs"
cp "$root/boot/vmlinuz-$version" "$out/vmlinuz"
python3 "$here/../../../vagrant/lab/extract-vmlinux.py" "$out/vmlinuz" "$out/vmlinux"
strip --strip-all "$out/vmlinux"
