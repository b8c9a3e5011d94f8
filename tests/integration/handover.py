# SPDX-License-Identifier: Apache-2.0
"""A client of usherd written against include/usher/wire.h alone: the hand-over step by step, so
that a test can do each step wrong. Run as a program it does all of it right and then execs:

    handover.py SOCKET POLICY COMMAND [ARG...]
"""

import array
import ctypes
import os
import re
import socket
import struct
import sys
import threading
from pathlib import Path

WIRE = Path(__file__).resolve().parents[2] / 'include/usher/wire.h'
MAGIC = 0x72687375
VERSION = int(re.search(r'WIRE_VERSION +(\d+)u', WIRE.read_text())[1])
HELLO, FILTER, LISTENER, READY, REFUSED, START, CHILD = range(1, 8)
HEADER = struct.Struct('=IHHII')
PROBE_OPERATION, PROBE_TEXT = 0x72687375, b'usher-probe-v1'
HELLO_LOG, HELLO_VERBOSE = 1, 2

SYS_SECCOMP = 317
SECCOMP_SET_MODE_FILTER, FLAG_NEW_LISTENER = 1, 1 << 3
PR_SET_NO_NEW_PRIVS = 38

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Refused(Exception):
    """The daemon said no. `error` is a positive errno."""

    def __init__(self, error, text):
        super().__init__(text)
        self.error, self.text = error, text


def packet(kind, body=b'', magic=MAGIC, version=VERSION, size=None, reserved=0):
    size = HEADER.size + len(body) if size is None else size
    return HEADER.pack(magic, version, kind, size, reserved) + body


def hello(policy='everything', command='a test', sets=(), flags=0, network=0):
    tail = b''.join(os.fsencode(text) + b'\0' for text in (policy, command, *sets))
    return packet(HELLO, struct.pack('=IIII', flags, len(sets), len(tail), network) + tail)


def listener(tid):
    return packet(LISTENER, struct.pack('=iI', tid, 0))


class Client:
    """One connection. Used as a context manager it is closed at the end."""

    def __init__(self, path, seconds=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(path))
        self.socket.settimeout(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
        self.socket.sendmsg([data], rights)

    def receive(self):
        """The next packet as (type, body). Raises Refused, and EOFError at the end."""
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        magic, version, kind, size, reserved = HEADER.unpack_from(data)
        assert (magic, version, size, reserved) == (MAGIC, VERSION, len(data), 0), data[:32]
        body = data[HEADER.size:]
        if kind == REFUSED:
            error, length = struct.unpack_from('=iI', body)
            text = body[8:]
            assert len(text) == length and text[-1] == 0, text
            raise Refused(-error, text[:-1].decode())
        return kind, body

    def expect(self, kind):
        got, body = self.receive()
        assert got == kind, f'packet {got} instead of {kind}'
        return body

    def filter(self, *arguments, fds=(), **more):
        """Says HELLO; returns the BPF program and the flags for seccomp(2)."""
        self.send(hello(*arguments, **more), fds)
        body = self.expect(FILTER)
        count, flags, execute_count, execute_size = struct.unpack_from('=IIII', body)
        assert len(body) == 36 + 8 * count + execute_size
        assert body[36 + 8 * count:].count(b'\0') == execute_count
        return body[36:36 + 8 * count], flags


def load_filter(program, flags):
    """Loads a filter into this thread; returns its listener."""
    class Program(ctypes.Structure):
        _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]

    loaded = Program(len(program) // 8, program)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'PR_SET_NO_NEW_PRIVS')
    fd = libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, FLAG_NEW_LISTENER | flags,
                      ctypes.byref(loaded))
    if fd < 0:
        raise OSError(ctypes.get_errno(), 'seccomp')
    return fd


def probe():
    libc.syscall(SYS_SECCOMP, PROBE_OPERATION, 0, PROBE_TEXT + b'\0')


def main(path, policy, *command):
    try:
        client = Client(path)
        hand_over(client, client.filter(policy, ' '.join(command)), command)
    except (Refused, EOFError, ConnectionError) as error:
        print(f'refused: {error}', file=sys.stderr)
        sys.stderr.flush()
    os._exit(125)


def hand_over(client, program, command):
    is_loaded, is_ready, got = threading.Event(), threading.Event(), []

    def filtered():
        got.extend([load_filter(*program), threading.get_native_id()])
        is_loaded.set()
        probe()
        is_ready.wait()
        os.execvp(command[0], command)

    thread = threading.Thread(target=filtered, daemon=True)
    thread.start()
    is_loaded.wait()
    client.send(listener(got[1]), [got[0]])
    os.close(got[0])
    client.expect(READY)
    is_ready.set()
    thread.join()


if __name__ == '__main__':
    main(*sys.argv[1:])
