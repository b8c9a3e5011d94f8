# SPDX-License-Identifier: Apache-2.0
"""Abuse of usherd and of its brokers: each is met with the message that it deserves, or with
nothing at all, while a bystander's session goes on. The bystander opens a file again and again and
tells how long it took; what it tells is printed. What is wrong in a hand-over is in test_refusals.py.
"""

import collections
import contextlib
import errno
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import handover  # noqa: E402
import harness  # noqa: E402
import silent  # noqa: E402
import usherd  # noqa: E402
from handover import Refused  # noqa: E402
from usherd import Daemon, workdir  # noqa: E402

IS_ROOT = os.geteuid() == 0
WORST_SECONDS = 10  # of a machine that has much else to do; a bystander that hangs is never done

BYSTANDER = """\
import select, sys, time
times = []
print('begun', flush=True)
while not select.select([sys.stdin], [], [], 0.002)[0]:
    began = time.monotonic()
    open('/etc/hostname').close()
    times.append(time.monotonic() - began)
times.sort()
print(len(times), *(f'{seconds * 1e6:.0f}' for seconds in
                    (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])))
"""


@contextlib.contextmanager
def bystander(daemon, name, **more):
    process = daemon.popen('python3', '-c', BYSTANDER, policy='everything', stdin=subprocess.PIPE,
                           **more)
    try:
        assert process.stdout.readline() == 'begun\n', process.stderr.read()
        yield
        time.sleep(0.1)
        out, err = process.communicate('\n', timeout=harness.SECONDS)
        assert process.returncode == 0 and not err, f'the bystander failed: {err}'
        count, median, late, worst = map(int, out.split())
        print(f'# {name}: a bystander opened {count} times: median {median}, '
              f'99% {late}, worst {worst} microseconds', flush=True)
        assert worst < WORST_SECONDS * 1e6, f'the bystander waited for {worst} microseconds'
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# Connects as often as it is told, and holds all; then it tells what each was told first.
FLOOD = """\
import collections, socket, sys
path, kind, count = sys.argv[1], getattr(socket, sys.argv[2]), int(sys.argv[3])
streams = []
for _ in range(count):
    stream = socket.socket(socket.AF_UNIX, kind)
    stream.connect(path)
    stream.settimeout(0.2)
    streams.append(stream)
print('connected', flush=True)
sys.stdin.readline()
told = collections.Counter()
for stream in streams:
    try:
        data = stream.recv(4096)
        told['busy' if b'too many' in data else 'served' if data else 'ended'] += 1
    except TimeoutError:
        told['waits'] += 1
print(*(f'{what}={number}' for what, number in told.items()))
"""
FLOODERS, CONNECTIONS_EACH = 8, 1250


@contextlib.contextmanager
def flood(path, kind):
    """Ten thousand connections at once, of another user where there is one; gives a function that
    ends them and counts what they were told."""
    prefix = usherd.AS_NOBODY if IS_ROOT else []
    flooders = [subprocess.Popen(
        [*prefix, sys.executable, '-c', FLOOD, path, kind, str(CONNECTIONS_EACH)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=harness.environment())
        for _ in range(FLOODERS)]

    def told():
        counts = collections.Counter()
        for flooder in flooders:
            for word in flooder.communicate('\n', timeout=harness.SECONDS)[0].split():
                counts[word.split('=')[0]] += int(word.split('=')[1])
        return counts
    try:
        for flooder in flooders:
            assert flooder.stdout.readline() == 'connected\n', 'a connection was refused'
        yield told
    finally:
        for flooder in flooders:
            if flooder.poll() is None:
                flooder.kill()
                flooder.communicate()


LINGER_SECONDS = 3600


def lingering():
    """A socket whose close waits for its peer, which reads nothing; and that peer."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        one = socket.create_connection(server.getsockname())
        other = server.accept()[0]
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(65536))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, LINGER_SECONDS))
    return one, other


def pass_on(path, kind, packets, descriptors):
    """Sends that to a socket of usherd's, and keeps nothing but the connection."""
    client = socket.socket(socket.AF_UNIX, kind)
    client.connect(str(path))
    for packet in packets:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(client, [packet], descriptors)
    for one in set(descriptors):
        os.close(one)
    return client


class Clients(usherd.Case):
    def test_lingering(self):
        """descriptors whose close waits for somebody are let go of without waiting for him"""
        one, other = lingering()
        closing = threading.Thread(target=one.close)
        closing.start()
        closing.join(0.2)
        self.assertTrue(closing.is_alive(), 'a close does not wait here')
        other.close()
        closing.join()
        ways = {'refused': (True, [b'garbage'], 1),
                'many': (True, [b'garbage'], 200),
                'more': (True, [b'garbage', b'', b'more', b'', b'again'], 1),
                'control': (False, [b'garbage\n'], 1),
                'control, many': (False, [b'gar', b'bage', b'\n'], 200),
                'half': (False, [b'half'], 3)}
        with Daemon() as daemon, bystander(daemon, 'lingering'):
            for name, (is_wire, packets, count) in ways.items():
                with self.subTest(way=name):
                    one, other = lingering()
                    client = pass_on(daemon.socket if is_wire else daemon.control,
                                     socket.SOCK_SEQPACKET if is_wire else socket.SOCK_STREAM,
                                     packets, [one.detach()] * count)
                    self.assertTrue(daemon.is_answering())
                    client.close()
                    self.assertTrue(daemon.is_answering())
                    other.close()

    def test_silent_file(self):
        """files whose server answers no close are let go of without waiting for it"""
        if not IS_ROOT:
            return  # nobody else may mount one here
        with Daemon() as daemon, bystander(daemon, 'silent file'):
            script = Path(__file__).resolve().parent / 'silent.py'
            with subprocess.Popen([sys.executable, script, workdir('silent'), daemon.socket,
                                   daemon.control], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True) as sender:
                self.assertEqual(sender.stdout.readline(), 'sent\n')
                harness.wait_until(lambda: 'refused uid' in daemon.log(), 'it is refused')
                self.assertTrue(daemon.is_answering())
                self.assertEqual(daemon.run('true').returncode, 0)
                self.assertGreater(len(os.listdir(f'/proc/{daemon.pid()}/task')), 2 * silent.COUNT)

    def test_connections(self):
        """ten thousand connections at once: those too many are told so, others are served meanwhile"""
        with Daemon(limits='handshake-timeout = 60') as daemon, many_descriptors(), \
                bystander(daemon, 'connections'):
            with flood(daemon.socket, 'SOCK_SEQPACKET') as told:
                if IS_ROOT:
                    self.assertEqual(daemon.run('true').returncode, 0)
                else:
                    with daemon.client() as client, self.assertRaises(Refused) as caught:
                        client.receive()
                    self.assertEqual(caught.exception.error, errno.EUSERS)
                counts = told()
            self.assertEqual(counts, {'waits': 16, 'busy': FLOODERS * CONNECTIONS_EACH - 16})
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'there is room again')
            self.assertLess(daemon.log().count('too many connections'), 100)

    def test_questions(self):
        """ten thousand who say nothing on the control socket keep no other user from asking"""
        with Daemon() as daemon, many_descriptors(), bystander(daemon, 'questions'):
            with flood(daemon.control, 'SOCK_STREAM') as told:
                done = harness.usher('status', '--socket', str(daemon.socket))
                if IS_ROOT:
                    self.assertEqual((done.returncode, done.stderr), (0, ''))
                else:
                    self.assertEqual((done.returncode, done.stderr), (
                        1, 'usher: usherd refused the request: too many ask at the same time; '
                           'try again\n'))
                counts = told()
            served = 16 if IS_ROOT else 80  # the user that it runs as is an administrator
            self.assertEqual(counts, {'served': served,
                                      'busy': FLOODERS * CONNECTIONS_EACH - served})
            harness.wait_until(daemon.is_answering, 'there is room again')

    def test_listener_of_another(self):
        """the listener of another process, handed over for the own thread, is refused"""
        with Daemon() as daemon, bystander(daemon, 'listener'):
            with daemon.client() as client:
                program = client.filter('plain')
                reader, writer = os.pipe()
                child = os.fork()
                if child == 0:
                    fd = handover.load_filter(*program)
                    os.write(writer, fd.to_bytes(4, 'little'))
                    handover.probe()
                    signal.pause()
                number = int.from_bytes(os.read(reader, 4), 'little')
                pidfd = os.pidfd_open(child)
                fd = handover.libc.syscall(438, pidfd, number, 0)  # pidfd_getfd
                try:
                    client.send(handover.listener(threading.get_native_id()), [fd])
                    with self.assertRaises(Refused) as caught:
                        client.receive()
                    self.assertIn('another', caught.exception.text)
                finally:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    for one in (fd, pidfd, reader, writer):
                        os.close(one)


class Policies(usherd.Case):
    def test_odd_files(self):
        """links that lead nowhere or round, directories, FIFOs and devices are no policies"""
        odd = {'nowhere': lambda path: path.symlink_to('/nowhere/at/all'),
               'round': lambda path: path.symlink_to(path),
               'directory': lambda path: path.mkdir(),
               'fifo': os.mkfifo,
               'device': lambda path: path.symlink_to('/dev/zero'),
               'long': lambda path: path.write_bytes(b'[files]\n' + b'a' * 1000)}
        with Daemon() as daemon, bystander(daemon, 'odd policies'):
            for name, make in odd.items():
                make(daemon.policies / f'{name}.ini')
                with self.subTest(name), daemon.client() as client:
                    client.socket.settimeout(harness.SECONDS)
                    with self.assertRaises(Refused) as caught:
                        client.filter(name)
                    self.assertIn(name, caught.exception.text)
            (daemon.policies / 'link.ini').symlink_to('plain.ini')
            self.assertEqual(daemon.run('true', policy='link').returncode, 0)

    @unittest.skipUnless(IS_ROOT, 'a daemon of one user reads what this user may')
    def test_contents_are_not_told(self):
        """of a link to a file of secrets a client is told nothing that stands in it"""
        with Daemon() as daemon:
            secret = workdir('secret') / 'secret'
            secret.write_text('s3cret-word-of-nobody-else\n[hidden-section]\nhidden-key = 1\n')
            secret.chmod(0o600)
            (daemon.policies / 'peek.ini').symlink_to(secret)
            done = daemon.run('true', policy='peek', prefix=usherd.AS_NOBODY)
            self.assertEqual(done.returncode, 125)
            for word in ('s3cret', 'hidden'):
                self.assertNotIn(word, done.stderr)


THREADS = """\
import sys, threading
def work(number):
    for _ in range(4):
        open('/etc/hostname').close()
threading.stack_size(65536)
threads = [threading.Thread(target=work, args=(i,)) for i in range(1000)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print('all')
"""

FORKS = """\
import os
def bomb(depth):
    open('/etc/hostname').close()
    for _ in range(3 if depth else 0):
        if os.fork() == 0:
            try:
                bomb(depth - 1)
            finally:
                os._exit(0)
    try:
        while True: os.wait()
    except ChildProcessError:
        pass
bomb(5)
print('all')
"""

HANGING = """\
import os, sys, threading
def hang():
    os.open(sys.argv[1], os.O_RDONLY)
for _ in range(200): threading.Thread(target=hang, daemon=True).start()
for _ in range(100): open('/etc/hostname').close()
print('all', flush=True)
sys.stdin.read()
os._exit(0)
"""


class Targets(usherd.Case):
    def finishes(self, name, script, *arguments, **more):
        with Daemon() as daemon, bystander(daemon, name):
            process = daemon.popen('python3', '-c', script, *arguments, policy='everything', **more)
            out, err = process.communicate(timeout=200 * harness.PATIENCE)
            self.assertEqual((out, err, process.returncode), ('all\n', '', 0))

    def test_threads(self):
        """a thousand threads that open at the same time get all what they ask for"""
        self.finishes('threads', THREADS)

    def test_forks(self):
        """three hundred and sixty processes within a moment get all what they ask for"""
        self.finishes('forks', FORKS)

    def test_hanging(self):
        """two hundred calls that hang hold up no other, and end with their program"""
        with Daemon() as daemon, bystander(daemon, 'hanging'):
            fifo = workdir('hanging') / 'fifo'
            os.mkfifo(fifo)
            process = daemon.popen('python3', '-c', HANGING, fifo, policy='everything',
                                   stdin=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), 'all\n')
            process.kill()
            process.communicate(timeout=harness.SECONDS)
            daemon.wait_for_sessions(1)

    def test_stopped(self):
        """a program that is stopped in the middle of its calls holds up nobody"""
        with Daemon() as daemon, bystander(daemon, 'stopped'):
            process = daemon.popen('sh', '-c', 'while :; do : </etc/hostname; done',
                                   policy='everything')
            daemon.wait_until_all_run(2)
            for _ in range(5):
                process.send_signal(signal.SIGSTOP)
                self.answers(daemon)
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate(timeout=harness.SECONDS)
            daemon.wait_for_sessions(1)


class Shortage(usherd.Case):
    @unittest.skipUnless(IS_ROOT, 'only root mounts a small disk')
    def test_full_disk(self):
        """a log on a full disk stops at its end, and the session goes on"""
        disk = workdir('disk')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8k', 'usher-test', disk], check=True)
        try:
            policy = harness.policy('[files]\ndeny EXDEV read = /etc/hosts\ndefault = allow\n')
            script = 'for i in $(seq 300); do : </etc/hosts; done 2>/dev/null; cat /etc/hostname'
            for mode in harness.MODES:
                log = disk / f'log-{mode}'
                done = harness.run(['bash', '-c', script], mode, policy, ['--log', log])
                self.assertEqual(done.stdout, Path('/etc/hostname').read_bytes(), done.stderr)
                self.assertLessEqual(log.stat().st_size, 8192)
            self.assertGreater((disk / 'log-embedded').stat().st_size, 0)
        finally:
            # The daemon's broker may hold its log for a moment longer.
            harness.wait_until(lambda: subprocess.run(
                ['umount', disk], check=False, stderr=subprocess.DEVNULL).returncode == 0,
                'the disk is free')

    def begin_too_many(self, daemon, sessions, count, reason, **how):
        """Begins sessions, of which some have to be refused for the reason."""
        refused = 0
        for _ in range(count):
            process = daemon.popen('sh', '-c', 'echo begun; read x', stdin=subprocess.PIPE, **how)
            sessions.callback(process.communicate)
            if process.stdout.readline() == '':
                self.assertEqual(process.wait(harness.SECONDS), 125)
                refused += 1
                self.assertRegex(process.stderr.read(), reason)
        self.assertGreater(refused, 0)

    def test_descriptors(self):
        """a usherd without descriptors refuses, and serves again when there are some"""
        with Daemon(prefix=['prlimit', '--nofile=64:64']) as daemon, \
                bystander(daemon, 'no descriptors'), contextlib.ExitStack() as sessions:
            self.begin_too_many(daemon, sessions, 12, 'ulimit -n|Too many open files')
            sessions.close()
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'it serves again')

    @unittest.skipUnless(IS_ROOT, 'only root makes a user whose processes nobody else counts')
    def test_processes(self):
        """a usherd that can make no thread or process refuses, and serves again when it can"""
        uid = 100_000 + os.getpid()
        user = ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']

        def limit(pid, number):
            subprocess.run([*user, 'prlimit', f'--pid={pid}', f'--nproc={number}:'], check=True)
        daemon = Daemon(prefix=[*user, 'prlimit', '--nproc=6:'])
        os.chown(daemon.directory, uid, uid)
        with daemon, contextlib.ExitStack() as sessions:
            serving = daemon.pid()
            done = daemon.run('true', prefix=user)
            self.assertEqual(done.returncode, 125)
            self.assertIn('at a limit of processes', done.stderr)
            limit(serving, 60)
            sessions.enter_context(bystander(daemon, 'no processes', prefix=user))
            self.begin_too_many(daemon, sessions, 20, 'limit|temporarily unavailable', prefix=user)
            sessions.close()
            harness.wait_until(lambda: daemon.run('true', prefix=user).returncode == 0,
                               'it serves again')
            self.assertEqual(daemon.pid(), serving)

    @unittest.skipIf(harness.PATIENCE > 1, 'a sanitizer ends what it has no memory for')
    def test_memory(self):
        """a usherd without memory refuses what needs some, and lives"""
        with Daemon() as daemon, bystander(daemon, 'no memory'):
            rules = 'allow read = ' + ' '.join(f'/a{i}/**' for i in range(8)) + '\n'
            daemon.write_policy('large', '[files]\n' + rules * 20000)
            serving = daemon.ask()['daemon']['pid']
            size = next(int(line.split()[1]) for line in
                        Path(f'/proc/{serving}/status').read_text().splitlines()
                        if line.startswith('VmData'))
            resource.prlimit(serving, resource.RLIMIT_DATA,
                             ((size + 2000) * 1024, resource.RLIM_INFINITY))
            with daemon.client() as client:
                client.socket.settimeout(harness.SECONDS)
                with self.assertRaises(Refused) as caught:
                    client.filter('large')
                self.assertRegex(caught.exception.text, '[Mm]emory')
            resource.prlimit(serving, resource.RLIMIT_DATA,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.answers(daemon)

    @unittest.skipUnless(IS_ROOT, 'a pid namespace takes root here')
    def test_other_processes(self):
        """a client that usherd cannot see, being outside of its pid namespace, is told so"""
        with Daemon(prefix=['unshare', '--pid', '--fork', '--kill-child']) as daemon:
            with daemon.client() as client:
                client.socket.settimeout(harness.SECONDS)
                with contextlib.suppress(BrokenPipeError):  # it may have said so already
                    client.send(handover.hello('plain'))
                with self.assertRaises(Refused) as caught:
                    client.receive()
                self.assertRegex(caught.exception.text, 'namespace')
            daemon.process.kill()  # unshare(1) keeps other signals to itself


if __name__ == '__main__':
    unittest.main()
