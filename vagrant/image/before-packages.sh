#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs after the essential packages and before all others: what their installation must already find. Argument: the root.
set -eu
root=$1

# A small initrd boots in seconds under software emulation. ahci and ata_piix are for other hypervisors.
mkdir -p "$root/etc/initramfs-tools/conf.d"
printf 'MODULES=list\nCOMPRESS=zstd\n' >"$root/etc/initramfs-tools/conf.d/mcv-lab"
printf '%s\n' virtio_pci virtio_blk virtio_net virtio_scsi sd_mod ext4 ahci ata_piix >"$root/etc/initramfs-tools/modules"

# Daemons of the image are started by the node, never by the build.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
