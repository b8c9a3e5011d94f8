# SPDX-License-Identifier: Apache-2.0
"""The broker as a process: what it has given up before it serves, and what becomes of a call that
it dies over. Everything is looked at from outside, on a broker that serves.
"""

import contextlib
import errno
import json
import os
import re
import select
import signal
import subprocess
import unittest
from pathlib import Path

import harness

IS_ROOT = os.geteuid() == 0
# CAP_SETPCAP, IPC_OWNER, SYS_MODULE, SYS_PACCT, SYS_BOOT, SYS_NICE,
# SYS_TTY_CONFIG, LEASE, WAKE_ALARM, BLOCK_SUSPEND, PERFMON, BPF
UNUSED = sum(1 << number for number in (8, 15, 16, 20, 22, 23, 26, 28, 35, 36, 38, 39))
OF_PROC = 1 << 17 | 1 << 21 | 1 << 34 | 1 << 38  # SYS_RAWIO, SYS_ADMIN, SYSLOG, PERFMON
OF_NETWORK = 1 << 12  # CAP_NET_ADMIN
GIBIBYTE = 1 << 30
# Reading, that of /proc among it, is left to the kernel, and writing to the broker.
OF_KERNEL = """
[policy]
mechanism = kernel
[syscalls]
deny EPERM = @mount
[files]
default = deny EACCES
allow read = /usr/** /lib/** /lib64/** /bin/** /etc/** /proc/**
allow read write = /dev/null
"""


def embedded_broker(front):
    children = Path(f'/proc/{front}/task/{front}/children').read_text().split()
    for child in children:
        with contextlib.suppress(OSError):
            if Path(f'/proc/{child}/comm').read_text() == 'usher-broker\n':
                return int(child)
    return None


def daemon_broker(client):
    answer = json.loads(harness.usher('status', '--json').stdout)
    for session in answer['sessions']:
        if session['pid'] == client and session['state'] == 'running':
            return session['broker']
    return None


def broker_of(process, mode, but=None):
    """The pid of the broker that serves `process`, once it is another than `but`."""
    find = embedded_broker if mode == 'embedded' else daemon_broker
    found = []

    def is_there():
        found[:] = [pid for pid in [find(process.pid)] if pid and pid != but]
        return found and is_serving(found[0])
    harness.wait_until(is_there, 'a broker serves')
    return found[0]


def is_serving(pid):
    """It has confined itself and has more threads than the main one."""
    with contextlib.suppress(OSError):
        return 'Seccomp:\t2' in Path(f'/proc/{pid}/status').read_text() and \
            len(os.listdir(f'/proc/{pid}/task')) > 1
    return False


def links_of(pid):
    """{number: what the descriptor is}, but for those that are closed meanwhile."""
    links = {}
    for number in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            links[number] = os.readlink(f'/proc/{pid}/fd/{number}')
    return links


@contextlib.contextmanager
def running(mode, *command, policy='everything', options=(), **more):
    more.setdefault('env', harness.environment())
    process = subprocess.Popen(
        harness.usher_command(command, mode, policy, options), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    try:
        yield process
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(harness.SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def status(pid):
    text = Path(f'/proc/{pid}/status').read_text()
    return dict(line.split(':\t', 1) for line in text.splitlines() if ':\t' in line)


def limits(pid):
    """{name: (soft, hard)} as text."""
    lines = Path(f'/proc/{pid}/limits').read_text().splitlines()[1:]
    return {line[:26].strip(): tuple(line[26:].split()[:2]) for line in lines}


@harness.both_modes
class Confinement(unittest.TestCase):
    def test_rights(self, mode):
        """a broker that serves has no new privileges, a filter, and no capability without a use"""
        with running(mode, 'cat') as process:
            pid = broker_of(process, mode)
            seen = status(pid)
            self.assertEqual((seen['NoNewPrivs'].strip(), seen['Seccomp'].strip()), ('1', '2'))
            for name in ('CapPrm', 'CapEff'):
                held = int(seen[name], 16)
                self.assertEqual(held & UNUSED, 0, f'{name} {held:x}')
                self.assertEqual(held != 0, IS_ROOT, f'{name} {held:x}')
            self.assertEqual((int(seen['CapInh'], 16), int(seen['CapAmb'], 16)), (0, 0))

    def held_of(self, pid, capabilities):
        """Which of these it has, and makes use of."""
        seen = status(pid)
        return tuple(int(seen[name], 16) & capabilities for name in ('CapPrm', 'CapEff'))

    @unittest.skipUnless(IS_ROOT, 'nobody else has a capability')
    def test_rights_of_targets(self, mode):
        """what a session gave up at its start no broker of it has, and what one program gave up each"""
        drops = ('setpriv', '--bounding-set', '-sys_admin,-net_admin', 'cat')
        either, proc = OF_PROC | OF_NETWORK, OF_PROC & ~UNUSED
        network = '[policy]\nnet = broker\n[network]\nallow connect = tcp {}:80\n'
        for policy, command, kept in ((harness.policy(OF_KERNEL), ('cat',), OF_NETWORK),
                                      (harness.policy(network.format('192.0.2.1')), ('cat',), proc),
                                      (harness.policy(network.format('example.org')), ('cat',), proc),
                                      ('everything', drops, proc | OF_NETWORK)):
            with self.subTest(policy), running(mode, *command, policy=policy) as process:
                broker = broker_of(process, mode)
                for _ in range(2):
                    # One that makes a network for names has a thread for them before it gives it up.
                    harness.wait_until(lambda: self.held_of(broker, either) == (kept, kept),
                                       f'the broker has of {either:x} no more and no less than {kept:x}')
                    os.kill(broker, signal.SIGKILL)
                    broker = broker_of(process, mode, but=broker)

    def test_limits(self, mode):
        """a broker leaves no core, has an end of memory, and all descriptors"""
        with running(mode, 'cat') as process:
            seen = limits(broker_of(process, mode))
            self.assertEqual(seen['Max core file size'], ('0', '0'))
            self.assertEqual(seen['Max msgqueue size'], ('0', '0'))
            if 'asan' not in str(harness.BUILD) and 'tsan' not in str(harness.BUILD):
                self.assertLessEqual(int(seen['Max data size'][1]), GIBIBYTE)
            soft, hard = seen['Max open files']
            self.assertEqual(soft, hard)

    def test_core_files(self, mode):
        """what a session starts makes no core files, also where its ids were mixed"""
        mixed = ('setpriv', '--rgid', '5', '--clear-groups')  # takes root
        goes_to_program = Path('/proc/sys/kernel/core_pattern').read_text()[0] in '|@'
        for words in ((), mixed) if IS_ROOT else ((),):
            command = harness.usher_command(['cat', '/proc/self/limits'], mode, 'everything')
            with self.subTest(words):
                done = subprocess.run((*words, *command), env=harness.environment(), check=False,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                if not goes_to_program:
                    self.assertRegex(done.stdout, r'Max core file size +0 +0 ')

    def test_inheritance(self, mode):
        """a broker has neither the environment nor the descriptors of whoever started it"""
        reader, writer = os.pipe()
        inode = os.fstat(reader).st_ino
        try:
            with running(mode, 'cat', pass_fds=[reader],
                         env={**harness.environment(), 'SECRET': 'of-the-caller'}) as process:
                pid = broker_of(process, mode)
                if not IS_ROOT:
                    # Nobody of its user may look into it: its targets are of that user.
                    for name in ('environ', 'mem', 'fd'):
                        with self.assertRaises(PermissionError, msg=name):
                            os.listdir(f'/proc/{pid}/fd') if name == 'fd' else \
                                os.close(os.open(f'/proc/{pid}/{name}', os.O_RDONLY))
                    return
                self.assertEqual(Path(f'/proc/{pid}/environ').read_bytes().strip(b'\0'), b'')
                links = links_of(pid)
                self.assertNotIn(f'pipe:[{inode}]', links.values())
                self.assertEqual((links['0'], links['1']), ('/dev/null', '/dev/null'))
                known = re.compile(r'/|/dev/null|/proc|/proc/\d+/(fd|mountinfo|status)|(mnt|user|net|pid):\[\d+\]|socket:\[\d+\]|pipe:\[\d+\]|'
                                   r'/memfd:usher-\S+( \(deleted\))?|'
                                   r'anon_inode:(seccomp notify|\[event(fd|poll)\]|'
                                   r'\[io_uring\])')
                # What the program opens while it starts is with the broker for a moment, too.
                harness.wait_until(lambda: all(known.fullmatch(link)
                                               for link in links_of(pid).values()),
                                   f'the broker has nothing else: {links_of(pid)}')
        finally:
            os.close(reader)
            os.close(writer)


OPENER = """\
import os, sys
for line in sys.stdin:
    name = line.rstrip()
    try:
        os.close(os.open(name, os.O_RDONLY))
        print('ok', flush=True)
    except OSError as error:
        print(error.errno, flush=True)
"""


@harness.both_modes
class Crashes(unittest.TestCase):
    """A broker that dies of a fault while it works: SIGSEGV from outside, again and again."""

    def setUp(self):
        self.place = harness.workdir('crash')
        os.mkfifo(self.place / 'fifo')
        (self.place / 'file').write_text('file\n')

    def ask(self, process, name):
        process.stdin.write(f'{name}\n')
        process.stdin.flush()

    def wait_until_it_waits(self, process, broker):
        """The broker has done what it can for now; is the program without an answer?"""
        harness.wait_until_at_rest(process.pid, broker)
        return not select.select([process.stdout], [], [], 0)[0]

    def test_killed_twice(self, mode):
        """a call that two brokers died over is denied, and told; the session goes on"""
        log = self.place / 'log'
        with running(mode, 'python3', '-c', OPENER, options=['--log', log]) as process:
            self.ask(process, self.place / 'file')
            self.assertEqual(process.stdout.readline(), 'ok\n')
            broker = broker_of(process, mode)
            self.ask(process, self.place / 'fifo')
            kills = 0
            while self.wait_until_it_waits(process, broker):
                os.kill(broker, signal.SIGSEGV)
                kills += 1
                broker = broker_of(process, mode, but=broker)
            self.assertIn(kills, (2, 3))  # one may strike before the successor has begun
            self.assertEqual(process.stdout.readline(), f'{errno.EACCES}\n')
            self.ask(process, self.place / 'file')
            self.assertEqual(process.stdout.readline(), 'ok\n')
            harness.wait_until(lambda: 'two brokers died' in log.read_text(), 'the log tells')
            line, = [json.loads(line) for line in log.read_text().splitlines()
                     if 'two brokers died' in line]
            self.assertEqual((line['verdict'], line['errno'], line['call']),
                             ('deny', 'EACCES', 'openat'))
            process.stdin.close()
            process.wait(harness.SECONDS)
            told = process.stderr.read() if mode == 'embedded' else \
                (harness.scratch() / 'usherd.log').read_text()
            self.assertRegex(told, r'two brokers died over system call \d+')

    def test_killed_once(self, mode):
        """a call that one broker died over is done by the next"""
        with running(mode, 'python3', '-c', OPENER) as process:
            self.ask(process, self.place / 'file')
            self.assertEqual(process.stdout.readline(), 'ok\n')
            broker = broker_of(process, mode)
            self.ask(process, self.place / 'fifo')
            self.assertTrue(self.wait_until_it_waits(process, broker))
            os.kill(broker, signal.SIGSEGV)
            broker = broker_of(process, mode, but=broker)
            self.assertTrue(self.wait_until_it_waits(process, broker))
            os.close(os.open(self.place / 'fifo', os.O_WRONLY))
            self.assertEqual(process.stdout.readline(), 'ok\n')

    def test_killed_from_outside(self, mode):
        """SIGKILL is nobody's fault: the call is done however often it strikes"""
        with running(mode, 'python3', '-c', OPENER) as process:
            self.ask(process, self.place / 'file')
            self.assertEqual(process.stdout.readline(), 'ok\n')
            broker = broker_of(process, mode)
            self.ask(process, self.place / 'fifo')
            for _ in range(3):
                self.assertTrue(self.wait_until_it_waits(process, broker))
                os.kill(broker, signal.SIGKILL)
                broker = broker_of(process, mode, but=broker)
            self.assertTrue(self.wait_until_it_waits(process, broker))
            os.close(os.open(self.place / 'fifo', os.O_WRONLY))
            self.assertEqual(process.stdout.readline(), 'ok\n')


class Numbers(unittest.TestCase):
    def test_heir(self):
        """nothing is written into the memory of a process outside that has a dead caller's number"""
        policy = harness.policy('[network]\ndefault = allow\ndeny connect = tcp 192.0.2.1:*\n')
        heir = str(harness.BUILD / 'tests/attacks/heir')
        command = (heir, *harness.usher_command((heir, 'inside'), 'embedded', policy))
        done = subprocess.run(('unshare', '-pf', '--mount-proc', *command), check=False, text=True,
                              env=harness.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '0\n', ''))


if not IS_ROOT:
    del Numbers  # others cannot choose what number a process gets


# Makes one of each kind where it is told to, and prints their modes; or changes its umask first, or
# has a child do so.
MAKER = """
import os, socket, sys
def make():
    os.close(os.open('file', os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    os.mkdir('directory', 0o777)
    os.mkfifo('fifo', 0o666)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind('socket')
    kinds = 'file', 'directory', 'fifo', 'socket'
    print(*(oct(os.stat(kind).st_mode & 0o7777) for kind in kinds), flush=True)
    os.rmdir('directory')
    for kind in 'file', 'fifo', 'socket':
        os.unlink(kind)
for line in sys.stdin:
    what, mask = line.split()
    child = os.fork() if what == 'child' else 0
    if child == 0:
        if what != 'make':
            os.umask(int(mask, 8))
        make()
        if what == 'child':
            os._exit(0)
    else:
        os.waitpid(child, 0)
"""


@harness.both_modes
class Masks(unittest.TestCase):
    def make(self, process, what, mask):
        process.stdin.write(f'{what} {mask:o}\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline().split(),
                         [oct(mode & ~mask) for mode in (0o666, 0o777, 0o666, 0o777)], what)

    def test_umask(self, mode):
        """What is made has the umask of who makes it: the first one, whoever serves, and others"""
        place = harness.workdir('masks')
        with running(mode, 'python3', '-c', MAKER, cwd=place, umask=0o027) as process:
            self.make(process, 'make', 0o027)
            broker = broker_of(process, mode)
            os.kill(broker, signal.SIGKILL)
            broker_of(process, mode, but=broker)
            self.make(process, 'make', 0o027)
            self.make(process, 'child', 0o027)
            self.make(process, 'child', 0o002)
            self.make(process, 'make', 0o027)
            self.make(process, 'mine', 0o077)
            self.make(process, 'child', 0)
            self.make(process, 'make', 0o077)
        with running(mode, 'python3', '-c', MAKER, cwd=place, umask=0o007) as process:
            self.make(process, 'mine', 0o002)


if __name__ == '__main__':
    unittest.main()
