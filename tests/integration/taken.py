#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A broker that somebody has taken over: started in place of usher-broker, it becomes who it should,
says that it is ready, and then does what the file `deed` beside it names (test_taken.py).
"""

import array
import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import random
import signal
import socket
import struct
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
sys.path.insert(0, (HERE / 'modules').read_text())
import handover  # noqa: E402

CLONE_FILES = 0x400
SYS_CLONE = 56
DECISION = 8


def become(arguments):
    if arguments:
        uid, gid, groups, _ = arguments[1].split(':')
        os.setgroups([int(group) for group in groups.split(',') if group])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))


def decision(record):
    return handover.packet(DECISION, struct.pack('=II', len(record) + 1, 0) + record + b'\0')


def note(name, value=''):
    (HERE / 'notes' / (name + '.new')).write_text(str(value))
    os.rename(HERE / 'notes' / (name + '.new'), HERE / 'notes' / name)


def wait_for(name):
    while not (HERE / 'notes' / name).exists():
        time.sleep(0.01)


def is_over():
    return not (HERE / 'deed').exists() or (HERE / 'notes/over').exists()


def rest():
    """Until the test is over."""
    while not is_over():
        time.sleep(0.02)


def sharing_descriptors(act):
    """A process that has our very table of descriptors."""
    pid = handover.libc.syscall(SYS_CLONE, CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        act()
        os._exit(0)
    return pid


def lock(control, memory):
    """The lock outlives who took it, and its number becomes another's."""
    sharing_descriptors(rest)
    locker = sharing_descriptors(lambda: fcntl.lockf(memory, fcntl.LOCK_EX | fcntl.LOCK_NB))
    os.waitpid(locker, 0)
    note('locker', locker)
    wait_for('go')


def lingering(control):
    """A socket whose close waits for its peer, which another process has, that reads nothing."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        if os.fork() == 0:
            control.close()
            with server.accept()[0]:
                rest()
            os._exit(0)
        one = socket.create_connection(server.getsockname())
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(65536))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3600))
    return one


def linger(control, memory):
    """What usherd has not read when it hangs up holds descriptors whose close waits for us."""
    one = lingering(control)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [one.fileno()] * 100))]
    with contextlib.suppress(OSError):
        control.send(b'garbage')
        for _ in range(3):
            control.sendmsg([b'more'], rights)
    os._exit(0)  # which waits for nobody


def idle(control, memory):
    """Serves nobody."""
    rest()


def chatter(control, memory):
    """Says without end what went wrong."""
    text = b'x' * 900 + b'\0'
    packet = handover.packet(handover.REFUSED, struct.pack('=iI', -5, len(text)) + text)
    for _ in range(20000):
        control.send(packet)
    note('said')
    rest()


def scribble(control, memory):
    """Writes anything anywhere into the session's memory."""
    size = os.fstat(memory).st_size
    mapped = mmap.mmap(memory, size)
    seed = random.Random(1)
    note('begun')
    while not is_over():
        at = seed.randrange(0, size - 4096)
        mapped[at:at + 4096] = seed.randbytes(4096) if seed.random() < 0.7 else b'\xff' * 4096
        mapped[0:2048] = seed.choice([b'\xff' * 2048, bytes(2048), seed.randbytes(2048)])


def records():
    """Records of decisions as no broker makes them."""
    yield from (b'', b'{', b'[]', b'null', b'"' + b'\xff' * 19000 + b'"', b'[' * 20000,
                b'{"verdict":"deny","asked":"' + b'\xff\xfe\x1b[2J' * 2000 + b'"}',
                b'{"verdict":"deny","pid":1e999,"asked":1,"rule":{}}',
                b'{"verdict":"allow","verdict":"deny","operation":"' + b'read ' * 3000 + b'"}',
                b'{"verdict":"deny","asked":"' + b'a -> ' * 3900 + b'"}')
    for _ in range(200):
        yield json.dumps({'verdict': 'deny', 'asked': 'a' * 19000}).encode()


def embellish(control, memory):
    """Tells of a decision, of which each part does something to the terminal that shows it."""
    keys = ('time', 'program', 'call', 'operation', 'asked', 'resolved', 'errno', 'rule')
    record = {'verdict': 'deny', 'pid': 1, **{key: 'T\x1b]0;x\a\n\x9b' for key in keys}}
    while not is_over():
        control.send(decision(json.dumps(record).encode()))
        time.sleep(0.05)


def decide(control, memory):
    """Tells decisions that were never made."""
    wait_for('go')
    for record in records():
        control.send(decision(record))
    note('told')
    rest()


def main():
    deed = (HERE / 'deed').read_text()
    control = socket.socket(fileno=3)
    start, fds, _, _ = socket.recv_fds(control, 65536, 16)
    become(sys.argv[1:])
    if is_over():
        return
    session, = struct.unpack_from('=Q', start, handover.HEADER.size)
    control.send(handover.packet(handover.READY, struct.pack('=Q', session)))
    globals()[deed](control, fds[1])


main()
