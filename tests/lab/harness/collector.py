# SPDX-License-Identifier: Apache-2.0
"""A machine outside the nodes that hears the test guests: an address on the guest LAN, answered by this process.

It is a port of the lab's network like a node's card (so it can be cut as `collector`), and needs no root and no tap:
it answers ARP for its address and takes UDP datagrams `mcv-guest VM BOOT COUNTER RECORDS` off the Ethernet frames.
"""

import dataclasses
import os
import pathlib
import socket
import struct
import threading
import time

MAC = bytes.fromhex("525400770463")
ADDRESS, PORT = "10.77.3.1", 9999
TARGET = f"{ADDRESS}:{PORT}"  # for the guest's mcv.collector= option
ETHERTYPE_IP, ETHERTYPE_ARP = 0x0800, 0x0806


@dataclasses.dataclass(frozen=True)
class Report:
    at: float  # host's monotonic clock, seconds
    vm: str
    boot: str
    counter: int
    records: int
    mac: str


def arp_reply(frame, address):
    """The answer to a frame that asks for our address, else None."""
    if len(frame) < 42 or frame[12:14] != struct.pack("!H", ETHERTYPE_ARP) or frame[20:22] != b"\x00\x01":
        return None
    if frame[38:42] != address:
        return None
    asker_mac, asker_ip = frame[22:28], frame[28:32]
    head = asker_mac + MAC + struct.pack("!HHHBBH", ETHERTYPE_ARP, 1, ETHERTYPE_IP, 6, 4, 2)
    return head + MAC + address + asker_mac + asker_ip


def udp_payload(frame, address, port):
    """The payload of a frame that carries UDP to our address and port, else None."""
    if len(frame) < 42 or frame[12:14] != struct.pack("!H", ETHERTYPE_IP) or frame[23] != 17 or frame[30:34] != address:
        return None
    start = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < start + 8 or struct.unpack("!H", frame[start + 2 : start + 4])[0] != port:
        return None
    length = struct.unpack("!H", frame[start + 4 : start + 6])[0]
    return frame[start + 8 : start + length]


def parse_report(payload, at, mac):
    words = payload.decode("ascii", "replace").split()
    if len(words) != 5 or words[0] != "mcv-guest":
        return None
    return Report(at, words[1], words[2], int(words[3]), int(words[4]), mac)


class Collector:
    """Collects reports from now until close(). Thread-safe to read."""

    def __init__(self, lab, address=ADDRESS, port=PORT, link="lan"):
        self.address, self.port = address, port
        self.reports = []
        self._raw_address = socket.inet_aton(address)
        # Paths of unix sockets are short (108 bytes), a lab's directory may not be: go by a descriptor of it.
        self._directory = os.open(lab.directory, os.O_RDONLY | os.O_DIRECTORY)
        base = f"/proc/self/fd/{self._directory}"
        ours = pathlib.Path(base, "collector", link)
        ours.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(ours))
        self._socket.settimeout(0.5)
        self._theirs = f"{base}/net/collector.{link}"
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def target(self):
        """For the guest's mcv.collector= option."""
        return f"{self.address}:{self.port}"

    def of(self, vm):
        return [report for report in list(self.reports) if report.vm == vm]

    def close(self):
        self._open = False
        self._thread.join()
        self._socket.close()
        os.close(self._directory)

    def _run(self):
        while self._open:
            try:
                frame = self._socket.recv(65536)
            except socket.timeout:
                continue
            reply = arp_reply(frame, self._raw_address)
            if reply:
                self._socket.sendto(reply, self._theirs)
                continue
            payload = udp_payload(frame, self._raw_address, self.port)
            report = payload and parse_report(payload, time.monotonic(), frame[6:12].hex(":"))
            if report:
                self.reports.append(report)
