# SPDX-License-Identifier: Apache-2.0
"""A file system with one file, whose server answers everything but the close of a descriptor (FLUSH).

silent.py DIRECTORY SOCKET [MORE...]: mounts it, and passes descriptors of the file to each socket of
usherd's, COUNT to each, and one as the log of a session that it begins. Says 'sent', and ends with its
standard input; then the file system is gone, too.
"""

import ctypes
import os
import socket
import struct
import sys
import threading

import handover

LOOKUP, FORGET, GETATTR, OPEN, FLUSH, INIT, OPENDIR = 1, 2, 3, 14, 25, 26, 27
ENOSYS = 38
MNT_FORCE, MNT_DETACH = 1, 2
COUNT = 200
HEADER, ANSWER = struct.Struct('<IIQQIIII'), struct.Struct('<IiQ')
libc = ctypes.CDLL(None, use_errno=True)


def attributes(inode):
    mode = 0o40777 if inode == 1 else 0o100666
    return struct.pack('<6Q10I', inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer_of(operation, inode):
    """The answer's bytes, or None where there is no such operation."""
    return {INIT: struct.pack('<IIIIHHIIHHII', 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0, 0) + bytes(24),
            LOOKUP: struct.pack('<QQQQII', 2, 0, 0, 0, 0, 0) + attributes(2),
            GETATTR: struct.pack('<QII', 0, 0, 0) + attributes(inode),
            OPEN: struct.pack('<QII', 1, 0, 0),
            OPENDIR: struct.pack('<QII', 1, 0, 0)}.get(operation)


def serve(device):
    while True:
        try:
            _, operation, number, inode, *_ = HEADER.unpack_from(os.read(device, 1 << 20))
        except OSError:
            return  # it is gone
        if operation not in (FLUSH, FORGET):
            answer = answer_of(operation, inode)
            os.write(device, ANSWER.pack(ANSWER.size + len(answer or b''),
                                         0 if answer else -ENOSYS, number) + (answer or b''))


def mount(directory):
    device = os.open('/dev/fuse', os.O_RDWR)
    options = f'fd={device},rootmode=40000,user_id={os.getuid()},group_id=0'
    if libc.mount(b'silent', directory.encode(), b'fuse', 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), 'mount')
    threading.Thread(target=serve, args=(device,), daemon=True).start()


def main(directory, *paths):
    mount(directory)
    connections, clients = [], []
    for path in paths:
        kind = socket.SOCK_STREAM if path.endswith('.control') else socket.SOCK_SEQPACKET
        connections.append(socket.socket(socket.AF_UNIX, kind))
        connections[-1].connect(path)
        file = os.open(directory + '/file', os.O_WRONLY)
        socket.send_fds(connections[-1], [b'garbage\n'], [file] * COUNT)
        if kind == socket.SOCK_SEQPACKET:
            clients.append(handover.Client(path))
            clients[-1].filter(fds=[file], flags=handover.HELLO_LOG)
    print('sent', flush=True)
    sys.stdin.read()
    libc.umount2(directory.encode(), MNT_FORCE)
    libc.umount2(directory.encode(), MNT_DETACH)
    os._exit(0)  # its own copies would be closed slowly


if __name__ == '__main__':
    main(*sys.argv[1:])
