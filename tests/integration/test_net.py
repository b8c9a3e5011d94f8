# SPDX-License-Identifier: Apache-2.0
"""Programs in a network of their own: what is in it, what of outside can be reached, and what the
way into it leaves of rights. Each refusal has a twin that works.
"""

import errno
import os
import socket
import subprocess
import unittest

import harness
from greeter import BROKER, PYTHON, Case, Greeter, tcp_greeter

# Gives up its capabilities, but may have them again.
WITHOUT_RIGHTS = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
header = ctypes.create_string_buffer(struct.pack('=Ii', 0x20080522, 0), 8)
rights = ctypes.create_string_buffer(24)
assert libc.capget(header, rights) == 0
effective, permitted, _, effective1, permitted1, _ = struct.unpack('=6I', rights.raw)
assert effective and libc.capset(header, struct.pack('=6I', 0, permitted, 0, 0, permitted1, 0)) == 0
"""

# Connects to argv[1]:argv[2] and prints what came of it.
CONNECT = """
import errno, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
with socket.socket(family) as s:
    s.settimeout(10)
    error = s.connect_ex((sys.argv[1], int(sys.argv[2])))
    print(errno.errorcode.get(error, error) if error else s.recv(100).decode())
"""

# A server on the loopback and a client of it, in one program.
INSIDE = """
import socket
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        with socket.create_connection(server.getsockname()[:2]) as client:
            server.accept()[0].sendall(b'inside')
            print(client.recv(10).decode(), client.getpeername()[0])
"""

STATUS = """
fields = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(*(fields[name].strip() for name in ('CapPrm', 'CapEff', 'CapInh', 'CapAmb')))
import os
print(os.getuid(), os.getgid())
"""

NETLESS = '[policy]\nnet = none\n'
UNIX = NETLESS + '[network]\ndefault = deny\nallow connect = unix {}/** tcp 127.0.0.0/8:*\n'


# What sockets to the hypervisor say; it is called only where the policy forbids it.
VSOCK = """
import errno, socket, sys
def word(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
s = word(socket.socket, socket.AF_VSOCK)
if isinstance(s, str):
    print(s)
else:
    if sys.argv[1:]:
        print(word(s.connect, (socket.VMADDR_CID_HOST, 9)))
    print(word(s.bind, (socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY)))
    print(word(s.bind, (socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY)))
    print(word(s.listen))
"""


@harness.both_modes
class Empty(Case):
    def test_outside(self, mode):
        """net = none: this machine's loopback is not the program's"""
        with tcp_greeter('outside') as greeter:
            port = greeter.listener.getsockname()[1]
            host, none = harness.policy('[policy]\nnet = host\n'), harness.policy(NETLESS)
            self.assertEqual(self.python(mode, CONNECT, '127.0.0.1', port, policy=host),
                             ['outside'])
            self.assertEqual(self.python(mode, CONNECT, '127.0.0.1', port, policy=none),
                             ['ECONNREFUSED'])
            self.assertEqual(self.python(mode, CONNECT, '192.0.2.1', port, policy=none),
                             ['ENETUNREACH'])

    def test_inside(self, mode):
        """net = none: the loopback inside is up, for both families"""
        self.assertEqual(self.python(mode, INSIDE, policy=harness.policy(NETLESS)),
                         ['inside 127.0.0.1', 'inside ::1'])

    def test_option(self, mode):
        """--net=none narrows a policy that says nothing"""
        policy = harness.policy('[syscalls]\ndefault = allow\n')
        self.assertEqual(self.python(mode, CONNECT, '192.0.2.1', 9, policy=policy,
                                     options=['--net=none']), ['ENETUNREACH'])

    def test_wider(self, mode):
        """--net=host is refused where the policy says none"""
        result = harness.run(['true'], mode, policy=harness.policy(NETLESS),
                             options=['--net=host'])
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"nobody can widen to 'host'", result.stderr)

    def test_hypervisor(self, mode):
        """vsock: as natively, by rule, and not at all in an empty network unless it is named"""
        native = subprocess.run([PYTHON, '-c', VSOCK], stdout=subprocess.PIPE, check=True)
        native = native.stdout.decode().split('\n')[:-1]
        none = '[policy]\nnet = none\n'
        for text, expected in (
                ('[network]\ndefault = allow\n', native),
                ('[network]\ndefault = deny\nallow all = any\n', native),
                (none, ['EAFNOSUPPORT']),
                ('[policy]\nnet = broker\n[network]\ndefault = allow\n', ['EAFNOSUPPORT']),
                (none + '[sockets]\nallow = vsock unix inet\n', native)):
            with self.subTest(text):
                self.assertEqual(self.python(mode, VSOCK, policy=harness.policy(text)), expected)
        denied = harness.policy('[network]\ndefault = deny\nallow all = tcp *:*\n')
        self.assertEqual(self.python(mode, VSOCK, 'connect', policy=denied), native if len(native) == 1
                         else ['ECONNREFUSED', 'EACCES', 'EACCES', 'EACCES'])

    def test_unix(self, mode):
        """net = none: unix sockets outside are there by rule, others are not"""
        place, other = harness.workdir('unix'), harness.workdir('other')
        policy = harness.policy(UNIX.format(place))
        program = ('import errno, socket, sys\ns = socket.socket(socket.AF_UNIX)\n'
                   'e = s.connect_ex(sys.argv[1])\n'
                   'print(errno.errorcode[e] if e else s.recv(10).decode())\n')
        for directory, expected in ((place, 'outside'), (other, 'ECONNREFUSED')):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(directory / 'socket'))
            with Greeter(listener, 'outside'):
                self.assertEqual(
                    self.python(mode, program, directory / 'socket', policy=policy), [expected])

    def test_rights(self, mode):
        """The way into the network leaves ids and capabilities as they were, but for CAP_NET_ADMIN"""
        native = subprocess.run([PYTHON, '-c', STATUS], stdout=subprocess.PIPE, check=True)
        rights, ids = native.stdout.decode().split('\n')[:-1]
        kept = ' '.join(f'{int(word, 16) & ~(1 << 12):016x}' for word in rights.split())
        for policy in (NETLESS, UNIX.format('/run')):
            self.assertEqual(self.python(mode, STATUS, policy=harness.policy(policy)), [kept, ids])

    @unittest.skipUnless(os.getuid() == 0, 'nobody else may lay one')
    def test_cable(self, mode):
        """root lays no cable out of the empty network, into that of a process outside"""
        with subprocess.Popen(['unshare', '-n', 'sleep', 'infinity']) as outside:
            try:
                own = os.stat('/proc/self/ns/net').st_ino
                harness.wait_until(lambda: os.stat(f'/proc/{outside.pid}/ns/net').st_ino != own, 'it is made')
                lay = ['ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns']
                for kind in 'none', 'broker':
                    result = harness.run(
                        [*lay, outside.pid], mode,
                        policy=harness.policy(f'[policy]\nnet = {kind}\n[network]\ndefault = allow\n'))
                    self.assertIn(b'Operation not permitted', result.stderr)
                    self.assertEqual(result.returncode, 2)
                subprocess.run(['unshare', '-n', *lay, str(outside.pid)], check=True)
            finally:
                outside.kill()

    def test_way_back(self, mode):
        """Nobody inside can join the network of this machine again"""
        program = ('import ctypes, errno, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n'
                   'fd = int(sys.argv[1])\n'
                   'for kind in 0, 0x40000000:\n'
                   '    libc.setns(fd, kind)\n'
                   '    print(errno.errorcode.get(ctypes.get_errno()))\n')
        fd = os.open('/proc/self/ns/net', os.O_RDONLY)
        try:
            result = harness.run([PYTHON, '-c', program, fd], mode, pass_fds=[fd],
                                 policy=harness.policy(NETLESS))
        finally:
            os.close(fd)
        self.assertEqual(result.stdout.decode().split(), ['EPERM', 'EPERM'], result.stderr)

    def test_files(self, mode):
        """Files are opened as without: by the broker, with the program's rights"""
        place = harness.workdir('files')
        policy = harness.policy(NETLESS + '[files]\ndefault = allow\n'
                                f'deny EACCES all = {place}/denied\naudit allow read = {place}/**\n')
        (place / 'allowed').write_text('allowed')
        (place / 'denied').write_text('denied')
        program = ('import os, sys\nos.chdir(sys.argv[1])\nprint(open("allowed").read())\n'
                   'open("new", "w").write("x")\nprint(os.stat("new").st_uid == os.getuid())\n'
                   'try:\n    open("denied")\nexcept OSError as e:\n    print(e.errno)\n')
        self.assertEqual(self.python(mode, program, place, policy=policy),
                         ['allowed', 'True', str(errno.EACCES)])


# Watches a socket by epoll before it is connected, as nginx and netty do, and changes the watch.
EPOLL = """
import errno, fcntl, select, socket, sys
s = socket.socket()
s.setblocking(False)
poll = select.epoll()
poll.register(s, select.EPOLLOUT | select.EPOLLET)
error = s.connect_ex((sys.argv[1], int(sys.argv[2])))
assert error in (0, errno.EINPROGRESS), error
events = poll.poll(5)
print(len(events), events[0][0] == s.fileno(), events[0][1] == select.EPOLLOUT,
      s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
poll.modify(s, select.EPOLLIN)
print(poll.poll(5)[0][1] & select.EPOLLIN, s.recv(100).decode())
poll.unregister(s)
"""

# What was set before the connection is still set behind it: what is usual, and then what is not, of
# which the broker is told.
OPTIONS = """
import fcntl, os, socket, struct, sys
usual = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
         (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77), (socket.IPPROTO_TCP, socket.TCP_CORK, 1)]
told = [(socket.IPPROTO_IP, socket.IP_TOS, 16), (socket.IPPROTO_IP, socket.IP_TTL, 33),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4321), (socket.SOL_SOCKET, socket.SO_PRIORITY, 5),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), (socket.IPPROTO_IP, 10, 2), # IP_MTU_DISCOVER
        (socket.SOL_SOCKET, socket.SO_RCVBUF, 54321), (socket.SOL_SOCKET, socket.SO_SNDBUF, 5432)]
SNDTIMEO_NEW = 67
s = socket.socket()
keep = os.dup(s.fileno())
fcntl.fcntl(s, fcntl.F_SETFD, int(sys.argv[3]))
values = usual + (told if sys.argv[4] == 'told' else [])
for level, name, value in values:
    s.setsockopt(level, name, value)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('qq', 4, 500000))
s.setsockopt(socket.SOL_SOCKET, SNDTIMEO_NEW, struct.pack('qq', 5, 0))
before = [s.getsockopt(level, name) for level, name, _ in values]
number = s.fileno()
s.connect((sys.argv[1], int(sys.argv[2])))
print(s.fileno() == number, before == [s.getsockopt(level, name) for level, name, _ in values],
      struct.unpack('ii', s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
      struct.unpack('qq', s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)),
      struct.unpack('qq', s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)),
      fcntl.fcntl(s, fcntl.F_GETFD), fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK,
      s.getpeername() == (sys.argv[1], int(sys.argv[2])), s.recv(100).decode())
"""

# One socket after the other to the same address, from many threads, and what they leave open.
MANY = """
import os, socket, sys, threading
address = (sys.argv[1], int(sys.argv[2]))
failures = []
def work():
    for _ in range(625):
        with socket.create_connection(address) as s:
            if s.recv(100) != b'outside':
                failures.append(s)
threads = [threading.Thread(target=work) for _ in range(16)]
before = len(os.listdir('/proc/self/fd'))
[t.start() for t in threads]
[t.join() for t in threads]
print(len(failures), len(os.listdir('/proc/self/fd')) - before)
"""

# Connects to argv[3] until nobody answers there any more: first with a time limit, then without one,
# until a second thread that connects to argv[2] meanwhile says that it could.
SILENT = """
import errno, os, signal, socket, struct, sys, threading, time
address, silent = (sys.argv[1], int(sys.argv[2])), (sys.argv[1], int(sys.argv[3]))
class Enough(Exception):
    pass
def enough(*_):
    raise Enough
signal.signal(signal.SIGUSR1, enough)
def limited():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('qq', 0, 200000))
    return s, s.connect_ex(silent)
held = []
while not held or held[-1][1] == 0:
    held.append(limited())
print(len(held) > 2, errno.errorcode[held[-1][1]])
main, entry = threading.main_thread(), f'/proc/self/task/{os.getpid()}/syscall'
def others():
    while not open(entry).read().startswith('42 '): # connect
        time.sleep(0.001)
    for _ in range(20):
        with socket.create_connection(address) as s:
            s.recv(100)
    signal.pthread_kill(main.ident, signal.SIGUSR1)
threading.Thread(target=others).start()
s = socket.socket()
try:
    s.connect(silent)
except Enough:
    s.setblocking(False)
    print('interrupted', errno.errorcode[s.connect_ex(silent)])
"""

# A socket that has gone out (the first address) is turned to the loopback that no rule names.
TURNED = """
import errno, socket, sys
out, target = (sys.argv[1], int(sys.argv[3])), (sys.argv[1], int(sys.argv[2]))
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    with socket.socket(socket.AF_INET, kind) as s:
        first = s.connect_ex(out)
        if kind == socket.SOCK_DGRAM:
            s.connect_ex(('', 0))
        print(errno.errorcode.get(first, first), errno.errorcode.get(s.connect_ex(target)))
"""

# Copies of a descriptor, made before it is connected to argv[1]:argv[2]: whose is connected? And what
# an epoll tells that watches an epoll that watches it.
COPIES = """
import errno, os, select, socket, sys
target = sys.argv[1], int(sys.argv[2])
def state(s):
    try:
        return s.getpeername()[0]
    except OSError as error:
        return errno.errorcode[error.errno]
with socket.socket() as s, s.dup() as copy:
    s.connect(target)
    print(state(s), state(copy), flush=True)
with socket.socket() as s:
    if os.fork() == 0:
        s.connect(target)
        print(state(s), end=' ', flush=True)
        os._exit(0)
    os.wait()
    print(state(s))
one, other = socket.socketpair()
with socket.socket() as s:
    socket.send_fds(one, [b'x'], [s.fileno()])
    s.connect(target)
    print(state(s), state(socket.socket(fileno=socket.recv_fds(other, 1, 1)[1][0])))
with socket.socket() as s, select.epoll() as inner, select.epoll() as outer:
    inner.register(s, select.EPOLLOUT)
    outer.register(inner, select.EPOLLIN)
    s.connect(target)
    print(len(outer.poll(10)), len(inner.poll(0)))
"""


@harness.both_modes
class Broker(Case):
    def connect(self, mode, policy, *arguments, program=CONNECT):
        with tcp_greeter('outside') as greeter:
            port = greeter.listener.getsockname()[1]
            rules = policy.format(port=port)
            return self.python(mode, program, '127.0.0.1', port, *arguments,
                               policy=harness.policy(rules))

    def test_by_rule(self, mode):
        """A rule that names the loopback leads to this machine's"""
        self.assertEqual(self.connect(mode, BROKER + 'allow connect = tcp 127.0.0.1:{port}\n'),
                         ['outside'])

    def test_denied(self, mode):
        """A rule that names the loopback and denies it is heard"""
        self.assertEqual(self.connect(mode, BROKER + 'deny EPERM connect = tcp 127.0.0.1:{port}\n'),
                         ['EPERM'])

    def test_private(self, mode):
        """Rules that do not name the loopback leave it to the program: nobody is there"""
        for rules in ('', 'allow connect = any\n', 'allow connect = tcp *:{port}\n',
                      'allow connect = tcp 0.0.0.0/0:*\n'):
            self.assertEqual(self.connect(mode, BROKER + rules), ['ECONNREFUSED'])

    def test_default(self, mode):
        """Other addresses get the default's answer, and ENETUNREACH where there are no rules"""
        for rules, expected in ((BROKER, 'EHOSTUNREACH'),
                                ('[policy]\nnet = broker\n', 'ENETUNREACH')):
            self.assertEqual(self.python(mode, CONNECT, '192.0.2.1', 9,
                                         policy=harness.policy(rules)), [expected])

    def test_inside(self, mode):
        """The loopback inside is the program's own, whatever rules say"""
        self.assertEqual(self.python(mode, INSIDE, policy=harness.policy(BROKER)),
                         ['inside 127.0.0.1', 'inside ::1'])

    def test_epoll(self, mode):
        """What epoll watched before connect it watches afterwards"""
        self.assertEqual(self.connect(mode, BROKER + 'allow connect = tcp 127.0.0.1:{port}\n',
                                      program=EPOLL), ['1 True True 0', '1 outside'])

    def test_options(self, mode):
        """Options and flags of a socket stay what they were"""
        for cloexec, which in (0, 'told'), (1, 'usual'):
            self.assertEqual(
                self.connect(mode, BROKER + 'allow connect = tcp 127.0.0.1:{port}\n', cloexec,
                             which, program=OPTIONS),
                [f'True True (1, 3) (4, 500000) (5, 0) {cloexec} 0 True outside'])

    def test_silent(self, mode):
        """Where nobody answers any more who did, time limits and signals hold, and others go on"""
        for net in 'broker', 'host':
            with socket.create_server(('127.0.0.1', 0), backlog=4) as full:
                silent = full.getsockname()[1]
                rules = (BROKER.replace('broker', net) + 'allow connect = tcp 127.0.0.1:{port} '
                         f'tcp 127.0.0.1:{silent}\n')
                self.assertEqual(self.connect(mode, rules, silent, program=SILENT),
                                 ['True EINPROGRESS', 'interrupted EALREADY'])

    def test_copies(self, mode):
        """Copies that were made before keep the socket inside; an epoll in an epoll sees the other"""
        for network, copy in ('host', '127.0.0.1'), ('broker', 'ENOTCONN'):
            with tcp_greeter('outside') as greeter:
                port = greeter.listener.getsockname()[1]
                rules = f'[network]\ndefault = deny\nallow connect = tcp 127.0.0.1:{port}\n'
                self.assertEqual(
                    self.python(mode, COPIES, '127.0.0.1', port, policy=harness.policy(rules),
                                options=[f'--net={network}']),
                    [f'127.0.0.1 {copy}'] * 3 + ['1 1'])

    @unittest.skipUnless(os.getuid() == 0, 'only root has rights to give up')
    def test_without_rights(self, mode):
        """Who has given up his rights for now gets out, and what epoll watches is carried over"""
        rules = BROKER + 'allow connect = tcp 127.0.0.1:{port}\n'
        self.assertEqual(self.connect(mode, rules, program=WITHOUT_RIGHTS + CONNECT), ['outside'])
        self.assertEqual(self.connect(mode, rules, program=WITHOUT_RIGHTS + EPOLL),
                         ['1 True True 0', '1 outside'])

    def test_turned(self, mode):
        """A socket that has gone out does not reach this machine's loopback where inside is meant"""
        with socket.socket() as nobody:  # who listens
            nobody.bind(('127.0.0.1', 0))
            closed = nobody.getsockname()[1]
            rules = f'allow connect = tcp 127.0.0.1:{closed} udp 127.0.0.1:{closed}\n'
            self.assertEqual(self.connect(mode, BROKER + rules, closed, program=TURNED),
                             ['ECONNREFUSED ENETUNREACH', '0 ENETUNREACH'])

    def test_many(self, mode):
        """Sixteen threads connect ten thousand times, and nothing is left open"""
        self.assertEqual(self.connect(mode, BROKER + 'allow connect = tcp 127.0.0.1:{port}\n',
                                      program=MANY), ['0 0'])
