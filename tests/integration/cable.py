#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cable.py DEVICE DEVICE: what goes into one device comes out of the other, as late as the address
on the far side says. So a test has slow hosts, such as never answer, and such as cannot be reached,
on any kernel.

An address of the far side is one of 10.80.0.0/12, or fd79::KIND:NUMBER. Of the former the lower half
of the second byte is its kind and the rest its number.

    DELAYED      each way takes NUMBER milliseconds
    GATED        waits until a datagram goes to its port 9; open from then on
    SILENT       is lost
    LOSSY        of each connection the first packet is lost
    STREAMS      datagrams are lost
    UNREACHABLE  is answered by a router that knows no way
    PROHIBITED   by one that knows it and does not let through
    NARROW       by one whose next link is narrow, where it is longer than NARROW_BYTES

Everything else goes through at once. Frames are passed on with what the kernel says of their
checksums, so that nothing has to be turned off at the ends.
"""

import heapq
import itertools
import select
import socket
import struct
import sys
import time

DELAYED, GATED, SILENT, STREAMS, LOSSY, UNREACHABLE, PROHIBITED, NARROW = range(8)
GATE_PORT, NARROW_BYTES = 9, 1300
ROUTER, ROUTER6 = '10.77.0.2', 'fd77::2'

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
BEFORE = 10  # struct virtio_net_hdr
TCP, UDP = 6, 17

# Of ICMP and ICMPv6: type, code, and what else is said.
REFUSALS = {
    (UNREACHABLE, 4): (3, 1, 0), (UNREACHABLE, 6): (1, 3, 0),
    (PROHIBITED, 4): (3, 13, 0), (PROHIBITED, 6): (1, 1, 0),
    (NARROW, 4): (3, 4, NARROW_BYTES), (NARROW, 6): (2, 0, NARROW_BYTES),
}


def checksum(data):
    words = struct.unpack(f'!{(len(data) + 1) // 2}H', data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('!H', ~total & 0xffff)


def refusal4(packet, kind, code, value):
    message = struct.pack('!BBHI', kind, code, 0, value) + packet[:548]
    message = message[:2] + checksum(message) + message[4:]
    header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0)
    header += socket.inet_aton(ROUTER) + packet[12:16]
    return header[:10] + checksum(header) + header[12:] + message


def refusal6(packet, kind, code, value):
    message = struct.pack('!BBHI', kind, code, 0, value) + packet[:1232]
    names = socket.inet_pton(socket.AF_INET6, ROUTER6) + packet[8:24]
    covered = names + struct.pack('!II', len(message), 58) + message
    message = message[:2] + checksum(covered) + message[4:]
    return struct.pack('!IHBB', 6 << 28, len(message), 58, 64) + names + message


def far_of_four(address):
    if address[0] == 10 and address[1] & 0xf0 == 80:
        return address[1] & 15, int.from_bytes(address[2:], 'big')
    return None


def far_of_six(address):
    if address[:2] == b'\xfd\x79':
        return int.from_bytes(address[12:14], 'big'), int.from_bytes(address[14:], 'big')
    return None


class Frame:
    """What has to be known of one; kind is None for what is not of such an address."""

    def __init__(self, data):
        self.kind = self.number = self.host = None
        self.ethernet, packet = data[BEFORE:BEFORE + 14], data[BEFORE + 14:]
        if self.ethernet[12:] == b'\x86\xdd':
            self.version, self.protocol, ports = 6, packet[6], 40
            source, target = far_of_six(packet[8:24]), far_of_six(packet[24:40])
        elif self.ethernet[12:] == b'\x08\x00':
            self.version, self.protocol, ports = 4, packet[9], (packet[0] & 15) * 4
            source, target = far_of_four(packet[12:16]), far_of_four(packet[16:20])
        else:
            return
        self.packet, self.is_outward = packet, target is not None
        if target or source:
            self.kind, self.number = target or source
            self.host = self.version, self.number
        self.flow = packet[ports:ports + 4]

    def opens(self):
        return (self.kind == GATED and self.is_outward and self.protocol == UDP and
                int.from_bytes(self.flow[2:], 'big') == GATE_PORT)

    def is_counted(self):
        return self.kind == LOSSY and self.is_outward and self.protocol == TCP

    def is_lost(self):
        return self.kind == SILENT or (self.kind == STREAMS and self.protocol == UDP)

    def refusal(self):
        """The frame by which it is answered; None if it gets through."""
        words = REFUSALS.get((self.kind, self.version)) if self.kind is not None else None
        if not words or not self.is_outward or len(self.packet) <= words[2]:
            return None
        make = refusal4 if self.version == 4 else refusal6
        ethernet = self.ethernet[6:12] + self.ethernet[:6] + self.ethernet[12:]
        return bytes(BEFORE) + ethernet + make(self.packet, *words)


class Cable:
    def __init__(self, names):
        self.ends = [self.end(name) for name in names]
        self.later, self.order = [], itertools.count()  # (when, which, end, frame)
        self.open, self.waiting, self.begun = set(), {}, set()

    @staticmethod
    def end(name):
        result = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        result.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        result.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        result.bind((name, 3))
        return result

    def send(self, end, data, milliseconds=0):
        heapq.heappush(self.later, (time.monotonic() + milliseconds / 1000, next(self.order), end,
                                    data))

    def take(self, data, end, back):
        """One frame on its way to `end`."""
        frame = Frame(data)
        if frame.is_lost():
            return
        if frame.is_counted() and (frame.host, frame.flow) not in self.begun:
            self.begun.add((frame.host, frame.flow))
        elif refusal := frame.refusal():
            self.send(back, refusal)
        elif frame.opens():
            self.open.add(frame.host)
            for each in self.waiting.pop(frame.host, ()):
                self.send(*each)
        elif frame.kind == GATED and frame.host not in self.open:
            self.waiting.setdefault(frame.host, []).append((end, data))
        else:
            self.send(end, data, frame.number if frame.kind == DELAYED else 0)

    def run(self):
        while True:
            wait = max(0, self.later[0][0] - time.monotonic()) if self.later else None
            for ready in select.select(self.ends, [], [], wait)[0]:
                other = self.ends[1 - self.ends.index(ready)]
                self.take(ready.recv(1 << 17), other, ready)
            while self.later and self.later[0][0] <= time.monotonic():
                _, _, end, data = heapq.heappop(self.later)
                try:
                    end.send(data)
                except OSError:
                    pass  # as a cable does with what is too much


if __name__ == '__main__':
    Cable(sys.argv[1:]).run()
