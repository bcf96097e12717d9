#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""extract-vmlinux.py BZIMAGE VMLINUX: unpacks the ELF kernel inside a bzImage.

Unpacking costs an emulated CPU 5 to 12 seconds at every boot; QEMU and cloud-hypervisor boot the ELF file directly (PVH).
"""

import lzma
import sys
import zlib

FORMATS = (
    (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor()),
    (b"\x1f\x8b\x08", lambda: zlib.decompressobj(31)),
)


def unpack(image):
    for magic, decompressor in FORMATS:
        at = image.find(magic)
        while at >= 0:
            try:
                kernel = decompressor().decompress(image[at:])
                if kernel.startswith(b"\x7fELF"):
                    return kernel
            except (lzma.LZMAError, zlib.error):
                pass  # these bytes only looked like a header
            at = image.find(magic, at + 1)
    raise SystemExit("extract-vmlinux: no xz or gzip kernel inside")


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as packed, open(sys.argv[2], "wb") as unpacked:
        unpacked.write(unpack(packed.read()))
