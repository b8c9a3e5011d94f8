# SPDX-License-Identifier: Apache-2.0
"""Hosts that are slow, that cannot be reached, and that never answer: what programs are told, in this
machine's network under rules and in `net = broker`, is what they are told natively.
"""

import atexit
import functools
import itertools
import json
import subprocess
import unittest

import cable
import harness
import nameserver
import world

world.enter('-m')

FAR, FAR6 = world.FAR, world.FAR6
SILENT, SILENT6 = (world.host(cable.SILENT, 1, family) for family in (4, 6))

PYTHON = '/usr/bin/python3'
PROGRAMS = harness.SOURCE / 'tests/integration/programs'
GREETER, ECHO, UDP, DOOR_AT = 8000, 8001, 9000, 9001

POLICY = """\
[network]
default = deny ECONNABORTED
allow connect = tcp 10.0.0.0/8:* udp 10.0.0.0/8:* tcp [fd00::/8]:* udp [fd00::/8]:*
allow connect = tcp 203.0.113.0/24:* udp 203.0.113.0/24:*
allow connect = tcp [2001:db8::/32]:* udp [2001:db8::/32]:*
"""

BY_NAME = """\
[network]
default = deny ECONNABORTED
allow connect = tcp *.test:*
"""

ZONE = {
    'both.test': [FAR, FAR6],
    'four.test': [FAR, SILENT6],
    'six.test': [SILENT, FAR6],
}
NAMESERVER = world.host(cable.DELAYED, 50)
# The first nameserver never answers, the second takes its time.
RESOLV = f'nameserver {SILENT}\nnameserver {NAMESERVER}\noptions timeout:1 attempts:1\n'
ALIVE = f'nameserver {NAMESERVER}\n'
STREAMS = world.host(cable.STREAMS, 1)
BY_STREAMS = f'nameserver {STREAMS}\noptions use-vc timeout:5\n'

# Connects to whichever address of argv[2:] is there first, and prints which that was.
EYEBALLS = """
import asyncio, sys
async def reach(name):
    try:
        reader, writer = await asyncio.open_connection(name, sys.argv[1], happy_eyeballs_delay=0.1)
    except OSError as error:
        return type(error).__name__
    writer.close()
    return writer.get_extra_info('peername')[0]
async def main():
    print(*await asyncio.gather(*map(reach, sys.argv[2:])))
asyncio.run(main())
"""

# Says a word to everyone who connects to the first port, and repeats what it hears at the others.
SERVERS = """
import socket, sys, threading
def listen(port, serve):
    with socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True,
                              backlog=512) as server:
        while True:
            threading.Thread(target=serve, args=server.accept()).start()
def greet(s, peer):
    s.sendall(b'hello')
    while s.recv(100):
        pass
def echo(s, peer):
    while data := s.recv(1000):
        if data.startswith(b'GET '):
            return s.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')
        s.sendall(data)
for port, serve in zip(map(int, sys.argv[1:]), (greet, echo)):
    threading.Thread(target=listen, args=(port, serve)).start()
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', int(sys.argv[3])))
while True:
    data, peer = s.recvfrom(65536)
    s.sendto(data, peer)
"""


# Nearby, told a port for the first time, it opens that to one connection, then to all; and says so.
DOOR = """
import socket, sys, threading
def accept(listener):
    while True:
        listener.accept()[0].close()
listeners = {}
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind((sys.argv[1], int(sys.argv[2])))
print('ready')
while True:
    port, peer = door.recvfrom(9)
    if port in listeners:
        threading.Thread(target=accept, args=(listeners[port],)).start()
    else:
        listeners[port] = socket.create_server((sys.argv[1], int(port)), backlog=0)
    door.sendto(b'x', peer)
"""


@functools.cache
def far():
    result = world.World(delay=None, with_cable=True)
    result.serve(PYTHON, '-c', SERVERS, GREETER, ECHO, UDP)
    door = subprocess.Popen([PYTHON, '-uc', DOOR, world.HERE, str(DOOR_AT)],
                            stdout=subprocess.PIPE)
    atexit.register(harness.end, door)
    door.stdout.readline()
    for port in GREETER, ECHO:
        harness.wait_until(lambda port=port: world.is_open(port), f'port {port} is open')
    return result


@functools.cache
def names():
    """The nameserver of the far side, and the file that says where to ask."""
    zone = harness.workdir('zone') / 'zone'
    zone.write_text(json.dumps(ZONE))
    for address in NAMESERVER, STREAMS:
        far().serve(PYTHON, PROGRAMS / 'slow_names.py', address, zone, env=program_environment())
    result = nameserver.cover('/etc/resolv.conf', RESOLV)
    # It opens its stream last.
    for address in NAMESERVER, STREAMS:
        harness.wait_until(lambda address=address: world.is_open(53, address),
                           'the nameserver answers')
    return result


def program_environment():
    return dict(harness.environment(), PYTHONPATH=str(harness.SOURCE / 'tests/integration'),
                PYTHONDONTWRITEBYTECODE='1')


rounds = itertools.count()


def calls(mode, policy=None, options=()):
    """What slow_calls.py prints."""
    command = [PYTHON, PROGRAMS / 'slow_calls.py', next(rounds)]
    result = harness.run(command, mode, policy, options, env=program_environment())
    return result.stdout.decode().splitlines() + result.stderr.decode().splitlines()


@functools.cache
def natively():
    far()
    return calls('native')


@harness.both_modes
class Slow(unittest.TestCase):
    maxDiff = None

    def test_calls(self, mode):
        """Slow, silent and unreachable hosts: each call as natively"""
        policy = harness.policy(POLICY)
        self.assertGreater(len(natively()), 50)
        for network in 'host', 'broker':
            with self.subTest(network=network):
                self.assertEqual(calls(mode, policy, [f'--net={network}']), natively())

    def by_name(self, mode, *command, resolv=RESOLV):
        """What it prints in either network."""
        names().write_text(resolv)
        for network in 'host', 'broker':
            result = harness.run(command, mode, harness.policy(BY_NAME), [f'--net={network}'])
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            yield result.stdout.decode().strip()

    def test_asyncio(self, mode):
        """Happy eyeballs: one of a name's addresses never answers, by a nameserver that is slow"""
        for said in self.by_name(mode, PYTHON, '-c', EYEBALLS, GREETER, 'both.test', 'four.test',
                                 'six.test', 'not.known'):
            both, *others = said.split()
            self.assertIn(both, (FAR, FAR6))
            self.assertEqual(others, [FAR, FAR6, 'gaierror'])

    def test_curl(self, mode):
        """curl gets to whichever address answers"""
        get = ('curl', '-sS', '-m', '20', '-o', '/dev/null', '-w', '%{remote_ip}')
        for name, expected in ('four.test', FAR), ('six.test', FAR6):
            for said in self.by_name(mode, *get, f'http://{name}:{ECHO}/', resolv=ALIVE):
                self.assertEqual(said, expected)

    def test_streams(self, mode):
        """A nameserver that answers by streams alone, asked for a family that the machine has"""
        for database, expected in ('ahostsv4', FAR), ('ahostsv6', FAR6):
            for said in self.by_name(mode, 'getent', database, 'both.test', resolv=BY_STREAMS):
                self.assertEqual(said.split()[0], expected)


if __name__ == '__main__':
    unittest.main()
