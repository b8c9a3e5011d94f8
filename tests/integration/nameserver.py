# SPDX-License-Identifier: Apache-2.0
"""A nameserver for the tests, in a network of the tests' own.

`enter()` starts the test program again in new network and mount namespaces, with a resolv.conf and a
hosts file of their own: so the broker's resolver needs no back door to be led to a server of ours,
and no question leaves the machine. An ordinary user gets there by a user namespace with his own id,
and what is started from here has none of the rights that this needs.
"""

import ctypes
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

SERVER = '198.51.100.53'
ADDRESSES = ['198.51.100.1', '198.51.100.2', '198.51.100.3', SERVER]
ADDRESSES6 = ['2001:db8::1', '2001:db8::2']
A, CNAME, SOA, MX, TXT, AAAA, SRV = 1, 5, 6, 15, 16, 28, 33
NXDOMAIN = 3

HOSTS = """\
127.0.0.1 localhost
198.51.100.3 written.test.example alias.test.example # as the administrator says
127.0.0.1 local.host.example
198.51.100.3 other.example
"""


def enter():
    """Returns in the new namespaces."""
    if 'USHER_TEST_NETWORK' in os.environ:
        # Names for what is started; the rights stay with this program alone.
        ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL
        return
    how = ['--net', '--mount']
    if os.getuid() != 0:
        how += ['--map-current-user', '--keep-caps']
    os.environ['USHER_TEST_NETWORK'] = '1'
    os.execvp('unshare', ['unshare', *how, '--', *sys.orig_argv])


def cover(path, text):
    """Puts a file with this text over one of the system's."""
    with tempfile.NamedTemporaryFile('w', prefix='usher-', delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    subprocess.run(['mount', '--bind', file.name, path], check=True)
    return Path(file.name)


def set_up():
    """Addresses, and the files that say where to ask. The hosts file, which may be written."""
    with_rights()
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    for address in ADDRESSES:
        subprocess.run(['ip', 'address', 'add', f'{address}/32', 'dev', 'lo'], check=True)
    for address in ADDRESSES6:
        subprocess.run(['ip', 'address', 'add', f'{address}/128', 'dev', 'lo', 'nodad'], check=True)
    cover('/etc/resolv.conf', f'nameserver {SERVER}\noptions timeout:3 attempts:1\n')
    hosts = cover('/etc/hosts', HOSTS)
    without_rights()
    return hosts


def each_right(action):
    libc = ctypes.CDLL(None)
    for right in (12, 21):  # CAP_NET_ADMIN, CAP_SYS_ADMIN
        libc.prctl(47, action, right, 0, 0)


def with_rights():
    if os.getuid() != 0:
        each_right(2)  # PR_CAP_AMBIENT_RAISE


def without_rights():
    if os.getuid() != 0:
        each_right(3)  # PR_CAP_AMBIENT_LOWER


def encode(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.') if label) + b'\0'


def decode(message, offset):
    labels = []
    while message[offset]:
        labels.append(message[offset + 1:offset + 1 + message[offset]].decode('latin-1'))
        offset += 1 + message[offset]
    return '.'.join(labels), offset + 1


def question(name, kind=A, number=7):
    """A question as bytes; `name` may be bytes in the form of the wire."""
    wire = name if isinstance(name, bytes) else encode(name)
    return struct.pack('>HHHHHH', number, 0x100, 1, 0, 0, 0) + wire + struct.pack('>HH', kind, 1)


def record(name, kind, ttl, data):
    return encode(name) + struct.pack('>HHIH', kind, 1, ttl, len(data)) + data


def packed(address):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    return (AAAA if ':' in address else A), socket.inet_pton(family, address)


class Nameserver:
    """`zone` has for each name a list of addresses, or the name that it is an alias of, or None for
    one that is never answered; `others` for a name and a type the data of its records. `asked` are
    the names that somebody wanted to know."""

    def __init__(self, zone, others=None):
        self.zone, self.others, self.asked, self.lock = zone, others or {}, [], threading.Lock()
        outer = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                answer = outer.answer(self.request[0])
                if answer and len(answer) > 512:
                    answer = answer[:2] + b'\x87\x80' + answer[4:6] + bytes(6) + self.request[0][12:]
                if answer:
                    self.request[1].sendto(answer, self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def handle(self):
                size = self.rfile.read(2)
                while len(size) == 2:
                    answer = outer.answer(self.rfile.read(int.from_bytes(size, 'big')))
                    self.wfile.write(len(answer).to_bytes(2, 'big') + answer)
                    size = self.rfile.read(2)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        for kind, handler in ((socketserver.ThreadingUDPServer, Datagram),
                              (socketserver.ThreadingTCPServer, Stream)):
            server = kind((SERVER, 53), handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, message):
        name, end = decode(message, 12)
        kind = int.from_bytes(message[end:end + 2], 'big')
        with self.lock:
            self.asked.append(name.lower())
        records, code = b'', 0
        aliases, owner = [], name.lower()
        while isinstance(self.zone.get(owner), str) and owner not in aliases:
            records += record(owner, CNAME, 60, encode(self.zone[owner]))
            aliases.append(owner)
            owner = self.zone[owner]
        count = len(aliases)
        if owner not in self.zone:
            code = NXDOMAIN
        elif self.zone[owner] is None:
            return None
        for address in () if owner in aliases else self.zone.get(owner, ()):
            family, data = packed(address)
            if family == kind:
                records, count = records + record(owner, A if kind == A else AAAA, 60, data), count + 1
        for data in self.others.get((owner, kind), ()):
            records, count, code = records + record(owner, kind, 60, data), count + 1, 0
        return (message[:2] + struct.pack('>HHHHH', 0x8580 | code, 1, count, 0, 0) +
                message[12:end + 4] + records)

    def was_asked(self, name):
        with self.lock:
            return name in self.asked


class Greeter:
    """Says to everyone who connects to `port` which address he has reached."""

    def __init__(self, port):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                host = self.request.getsockname()[0].encode()
                if port == 80:
                    self.request.recv(4096)
                    host = b'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n' + host
                self.request.sendall(host)

        class Server(socketserver.ThreadingTCPServer):
            address_family = socket.AF_INET6
            allow_reuse_address = daemon_threads = True
            request_queue_size = 64

        threading.Thread(target=Server(('::', port), Handler).serve_forever, daemon=True).start()


def missing():
    return [name for name in ('ip', 'unshare', 'mount') if not shutil.which(name)]
