# SPDX-License-Identifier: Apache-2.0
"""Connections, servers and datagrams that are led elsewhere, or out of a network of their own."""

import errno
import fcntl
import os
import socket
import subprocess
import threading

import harness
from greeter import BROKER, PYTHON, Case, Greeter, tcp_greeter

# Turns to argv[2:], each KIND:ADDRESS, and prints who answered from where.
LED = """
import os, socket, sys
for word in sys.argv[1:]:
    kind, host, port = word.split(',')
    family = {'4': socket.AF_INET, '6': socket.AF_INET6, 'u': socket.AF_UNIX}[kind]
    with socket.socket(family) as s:
        s.settimeout(10)
        s.connect(host if kind == 'u' else (host, int(port)))
        with socket.socket(fileno=os.dup(s.fileno())) as as_it_is:
            peer = as_it_is.getpeername()
        print(peer if isinstance(peer, str) else f'{peer[0]} {peer[1]}', s.recv(100).decode())
"""

# Binds all addresses at argv[1], if that is a port, and tells where it is; one client is served.
PUBLISH = """
import socket, sys
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.argv[1] != 'none':
        s.bind(('', int(sys.argv[1])))
    s.listen()
    print(*s.getsockname(), flush=True)
    s.settimeout(20)
    s.accept()[0].sendall(b'published')
"""

# A datagram to argv[1]:argv[2] without connect, from a socket that asyncio watches already.
DATAGRAMS = """
import asyncio, sys

class Protocol(asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        answer.set_result((data.decode(), address[0]))
    def error_received(self, error):
        answer.set_result((error, ''))

async def main():
    global answer
    answer = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Protocol, local_addr=('0.0.0.0', 0))
    transport.sendto(b'question', (sys.argv[1], int(sys.argv[2])))
    print(*await asyncio.wait_for(answer, 10))
    transport.close()

asyncio.run(main())
"""

# One thread waits for answers before another asks argv[1]:argv[2].
READERS = """
import socket, sys, threading, time
def read(s):
    while not answers.get(s):
        answers[s] = s.recv(100)
def is_waiting(thread):
    with open(f'/proc/self/task/{thread.native_id}/syscall') as file:
        return file.read().startswith('45 ')  # recvfrom
answers = {}
for host in '', '127.0.0.1', '::':
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((host, 0))
        thread = threading.Thread(target=read, args=(s,), daemon=True)
        thread.start()
        while not is_waiting(thread):
            time.sleep(0.01)
        s.sendto(b'question', ('::ffff:' * (':' in host) + sys.argv[1], int(sys.argv[2])))
        thread.join(10)
        print(answers.get(s))
"""


@harness.both_modes
class Led(Case):
    """inject connect and inject bind, in this machine's network and in one of the program's own"""

    def test_connect(self, mode):
        """inject connect: to another address, to a unix socket, from one, and to IPv4 from IPv6"""
        place = harness.workdir('led')
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place / 'socket'))
        with tcp_greeter('internet') as greeter, Greeter(listener, 'unix'):
            port = greeter.listener.getsockname()[1]
            rules = ('[network]\ndefault = deny\ninject connect =\n'
                     f' tcp 192.0.2.1:80 -> tcp 127.0.0.1:{port}\n'
                     f' tcp 192.0.2.2:80 -> unix {place}/socket\n'
                     f' unix {place}/none -> tcp 127.0.0.1:{port}\n'
                     f' tcp [2001:db8::1]:80 -> tcp 127.0.0.1:{port}\n')
            for network in 'host', 'broker':
                self.assertEqual(
                    self.python(mode, LED, '4,192.0.2.1,80', '4,192.0.2.2,80',
                                f'u,{place}/none,', '6,2001:db8::1,80',
                                policy=harness.policy(rules), options=[f'--net={network}']),
                    [f'127.0.0.1 {port} internet', f'{place}/socket unix',
                     f'127.0.0.1 {port} internet', f'::ffff:127.0.0.1 {port} internet'])

    def publish(self, mode, rules, port, at, network):
        command = harness.usher_command([PYTHON, '-c', PUBLISH, port], mode,
                                        harness.policy(rules), [f'--net={network}'])
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=harness.environment()) as process:
            name = process.stdout.readline().decode().split()
            with socket.socket() as client:
                error = client.connect_ex(('127.0.0.1', at))
                answer = errno.errorcode.get(error) or client.recv(100).decode()
                process.kill()
        return name, answer

    def test_bind(self, mode):
        """inject bind: a port is published under another"""
        at = harness.free_port()
        rules = f'[network]\ndefault = deny\ninject bind = tcp *:80 -> tcp 127.0.0.1:{at}\n'
        for network in 'host', 'broker':
            self.assertEqual(self.publish(mode, rules, 80, at, network),
                             (['127.0.0.1', str(at)], 'published'))

    def test_listen(self, mode):
        """inject bind: a socket that listens without having been bound is bound there"""
        at = harness.free_port()
        rules = f'[network]\ndefault = deny\ninject bind = tcp *:* -> tcp 127.0.0.1:{at}\n'
        for network in 'host', 'broker':
            self.assertEqual(self.publish(mode, rules, 'none', at, network),
                             (['127.0.0.1', str(at)], 'published'))

    def test_publish(self, mode):
        """net = broker: what a rule lets be bound is bound outside, the rest inside"""
        at = harness.free_port()
        rules = f'[network]\ndefault = deny\nallow bind = tcp *:{at}\n'
        self.assertEqual(self.publish(mode, rules, at, at, 'broker'),
                         (['0.0.0.0', str(at)], 'published'))
        rules = '[network]\ndefault = deny\n'
        self.assertEqual(self.publish(mode, rules, at, at, 'broker'),
                         (['0.0.0.0', str(at)], 'ECONNREFUSED'))

    def test_datagrams(self, mode):
        """net = broker: a datagram that a rule allows gets out, and its answer in"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(('127.0.0.1', 0))
            server.settimeout(20)
            port = server.getsockname()[1]

            def answer():
                server.sendto(b'answer', server.recvfrom(100)[1])

            thread = threading.Thread(target=answer)
            thread.start()
            rules = BROKER + f'allow connect = udp 127.0.0.1:{port}\n'
            self.assertEqual(self.python(mode, DATAGRAMS, '127.0.0.1', port,
                                         policy=harness.policy(rules)), ['answer 127.0.0.1'])
            thread.join()
        self.assertEqual(self.python(mode, DATAGRAMS, '192.0.2.1', 9,
                                     policy=harness.policy(BROKER)),
                         ['[Errno 113] No route to host '])

    def test_readers(self, mode):
        """net = broker: who waits for answers on a socket that is exchanged goes on to wait for them"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(('127.0.0.1', 0))
            server.settimeout(20)

            def answer():
                for _ in range(3):
                    server.sendto(b'answer', server.recvfrom(100)[1])

            thread = threading.Thread(target=answer)
            thread.start()
            port = server.getsockname()[1]
            rules = BROKER + f'allow connect = udp 127.0.0.1:{port}\n'
            self.assertEqual(self.python(mode, READERS, '127.0.0.1', port,
                                         policy=harness.policy(rules)), ["b'answer'"] * 3)
            thread.join()


@harness.both_modes
class Given(Case):
    """inject bind = ADDRESS -> fd NAME"""

    RULES = '[network]\ndefault = deny\ninject bind = tcp *:80 -> fd web\n'

    def test_given(self, mode):
        """A program that binds a port gets the socket of that name, and listens on it"""
        with socket.socket() as listener, socket.socket() as other:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            port = listener.getsockname()[1]
            passed = [fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in (other, listener)]
            for network in 'host', 'broker':
                command = harness.usher_command(
                    [PYTHON, '-c', PUBLISH, 80], mode,
                    harness.policy(self.RULES), [f'--net={network}'])
                # As systemd passes them: from descriptor 3 on, for the process that is started.
                start = ['bash', '-c', f'exec 3<&{passed[0]} 4<&{passed[1]}; '
                         'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=else:web exec "$@"', 'bash']
                with subprocess.Popen([*start, *command], stdout=subprocess.PIPE,
                                      pass_fds=passed, env=harness.environment()) as process:
                    self.assertEqual(process.stdout.readline().decode().split(),
                                     ['127.0.0.1', str(port)])
                    with socket.create_connection(('127.0.0.1', port)) as client:
                        self.assertEqual(client.recv(100), b'published')
            for each in passed:
                os.close(each)

    def test_missing(self, mode):
        """Without a socket of that name nothing is started"""
        result = harness.run(['true'], mode, harness.policy(self.RULES))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"there is none of that name", result.stderr)
