# SPDX-License-Identifier: Apache-2.0
"""socket_options.py HOST HOST6 PORT: sets each option of sockets of tcp and udp that there is, by its
number, connects, and prints what the option is then, a line for each value that can be set. The test
compares that with what is printed natively: nothing that a program has set before may get lost.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys

host, host6, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
SO_GET_FILTER = SO_ATTACH_FILTER = 26
NAMES = {
    socket.SOL_SOCKET: (*range(1, 77), 82),
    socket.IPPROTO_IP: range(1, 52),
    socket.IPPROTO_IPV6: range(1, 79),
    socket.IPPROTO_TCP: range(1, 47),
    socket.IPPROTO_UDP: range(1, 105),
}
VALUES = [struct.pack('=i', value) for value in (1, 2, 64, 5000)] + [
    struct.pack('=qq', 5, 0), struct.pack('=ii', 1, 3), b'reno\0', b'\0']
# What is refused in any network, what changes by itself, what is state of a connection, and devices.
SKIPPED = {
    (socket.SOL_SOCKET, name) for name in (3, 4, 25, 26, 30, 39, 44, 49, 62)} | {
    (socket.IPPROTO_IP, name) for name in (4, 32, 50)} | {
    (socket.IPPROTO_IPV6, name) for name in (1, 6, 17, 30, 54, 55, 59, 76)} | {
    (socket.IPPROTO_TCP, name) for name in (10, 11, 12, 19, 20, 21, 22, 26, 28, 33)}
# Without meaning for others.
FOR_DATAGRAMS = {(socket.SOL_SOCKET, 6), (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)}
FOR_STREAMS = {(socket.SOL_SOCKET, 9), (socket.SOL_SOCKET, 13)}


def read(s, level, name):
    try:
        return s.getsockopt(level, name, 32)
    except OSError:
        return None


def connect(s, family):
    s.setblocking(False)
    s.connect_ex((host if family == socket.AF_INET else host6, port))


def options(family, kind):
    left_out = SKIPPED | (FOR_DATAGRAMS if kind == socket.SOCK_STREAM else FOR_STREAMS)
    for level, names in NAMES.items():
        for name in names:
            seen = set()
            for value in VALUES:
                with socket.socket(family, kind) as s:
                    usual = read(s, level, name)
                    try:
                        s.setsockopt(level, name, value)
                    except OSError:
                        continue
                    told = read(s, level, name)
                    if (level, name) in left_out or told is None or told == usual or told in seen:
                        continue
                    seen.add(told)
                    connect(s, family)
                    print(family.name, kind.name, level, name, told.hex(),
                          read(s, level, name).hex())


def beside():
    """A filter of what comes in, and who gets the signals."""
    instructions = struct.pack('=HBBI', 6, 0, 0, 0xffff) * 3  # BPF_RET
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        text = ctypes.create_string_buffer(instructions)
        s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                     struct.pack('=HxxxxxxQ', 3, ctypes.addressof(text)))
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(s, fcntl.F_SETSIG, signal.SIGUSR1)
        fcntl.fcntl(s, fcntl.F_SETFL, os.O_ASYNC)
        connect(s, socket.AF_INET)
        libc = ctypes.CDLL(None)
        room, count = ctypes.create_string_buffer(80), ctypes.c_uint(10)
        libc.getsockopt(s.fileno(), socket.SOL_SOCKET, SO_GET_FILTER, room, ctypes.byref(count))
        print('filter', count.value, room.raw[:24] == instructions)
        print('owner', fcntl.fcntl(s, fcntl.F_GETOWN) == os.getpid(),
              fcntl.fcntl(s, fcntl.F_GETSIG) == signal.SIGUSR1)


signal.signal(signal.SIGUSR1, signal.SIG_IGN)
for each_family in socket.AF_INET, socket.AF_INET6:
    for each_kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        options(each_family, each_kind)
beside()
