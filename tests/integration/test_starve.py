#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memory that is exhausted at any moment: the n-th allocation of usherd, of a broker or of a client
fails (starve.c), or all from the n-th on, for some n of each thing that they do. What was begun is
done or refused with a word; a session that is there goes on; nothing stays behind.

Some libraries end the program where they get no memory: libuv while it makes its loop, json-c while
it reads a request, the C library while it looks for the databases of users. A usherd that ends so is
started again, as after every death, and has its sessions. A client looks for memory before it has
json-c read an answer, so that it dies of a shortage only here, where one allocation fails and others do not.

USHER_TEST_LONG=1 tries every n.
"""

import contextlib
import itertools
import json
import mmap
import os
import pwd
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from usherd import Case, Daemon, workdir  # noqa: E402
from test_upgrade import BROKER, Installed  # noqa: E402

IS_LONG = 'USHER_TEST_LONG' in os.environ
POINTS = 4 if 'USHER_TEST_AGAIN' in os.environ else 12
PROGRAMS = {'usher': 'client/usher', 'usherd': 'daemon/usherd', 'usher-broker': BROKER}
DEATHS_BY_LIBRARIES = 4  # among all n of a client
PLAN = struct.Struct('=QQQ')  # see starve.c
EVER = 1 << 62

POLICY = ('[files]\ndeny EXDEV all = /etc/hosts\ndefault = allow\n'
          '[network]\ndeny ENETDOWN connect = tcp 127.0.0.1:9\ndefault = allow\n')

# Does what is allowed and what is denied, and says how each went.
ASKING = """\
import errno, os, socket, sys
def tell(name, action):
    try:
        action()
        print(name, 'done', flush=True)
    except OSError as error:
        print(name, errno.errorcode[error.errno], flush=True)
def connect(port):
    with socket.socket() as s:
        s.connect(('127.0.0.1', port))
for number in range(3):
    tell('allowed', lambda: open('/etc/hostname').close())
    tell('denied', lambda: open('/etc/hosts').close())
    tell('made', lambda: open(sys.argv[1] + str(number), 'x').close())
    tell('refused', lambda: connect(1))
    tell('denied', lambda: connect(9))
print('end')
"""
# What else a call may return whose broker has no memory, or has died over it.
SHORTAGE = {'ENOMEM', 'EACCES', 'EINTR', 'EAGAIN', 'ENOBUFS'}


class Starved(Installed):
    """Programs in a directory of their own, of which one can be starved."""

    def __init__(self, name):
        super().__init__()
        self.program = self.directory / PROGRAMS[name]
        self.install(PROGRAMS[name], harness.BUILD / f'tests/integration/{name}-starved')
        path = self.directory / (PROGRAMS[name] + '.starve')
        path.write_bytes(bytes(mmap.PAGESIZE))
        path.chmod(0o666)
        with open(path, 'r+b') as file:
            self.plan = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def count(self):
        return PLAN.unpack_from(self.plan)[0]

    @contextlib.contextmanager
    def fails(self, first, last):
        """Of the allocations from now on."""
        PLAN.pack_into(self.plan, 0, 0, first, last)
        try:
            yield
        finally:
            PLAN.pack_into(self.plan, 0, 0, 0, 0)


def points(count):
    """Which allocations fail, of so many: (first, last) of the first that does not."""
    choice = random.Random(harness.seed())
    numbers = range(count) if IS_LONG or count <= POINTS else sorted(
        {choice.randrange(count) for _ in range(POINTS)} | {0, count - 1})
    return itertools.chain.from_iterable(((n, n + 1), (n, EVER)) for n in numbers)


class Start(Case):
    def start(self, tree, daemon):
        """(status, or None of one that serves, what it said)."""
        with contextlib.suppress(FileNotFoundError):
            daemon.socket.unlink()
        with open(daemon.log_path, 'wb') as log:
            process = subprocess.Popen(
                [tree.program, '--no-holder', '--config', daemon.config, '--socket', daemon.socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=harness.environment(),
                start_new_session=True)
        try:
            harness.wait_until(lambda: process.poll() is not None or ' serves' in daemon.log(),
                               'usherd serves or ends')
            return process.poll(), daemon.log()
        finally:
            harness.end(process)

    def test_start(self):
        """usherd begins, or says that it lacks memory; nobody takes that for a wrong configuration"""
        tree = Starved('usherd')
        daemon = Daemon()
        daemon.configure(more='')
        daemon.config.write_text(daemon.config.read_text().replace(
            str(harness.BUILD / 'conf/policies'), ''))
        with tree.fails(EVER, EVER):
            self.assertIsNone(self.start(tree, daemon)[0])
            count = tree.count()
        for first, last in points(count):
            with self.subTest(first=first, last=last), tree.fails(first, last):
                status, text = self.start(tree, daemon)
                self.assertIn(status, (None, 1, -signal.SIGABRT), text)
                self.assertTrue(status != 1 or 'usherd: ' in text, text)


class Serving(Case):
    @contextlib.contextmanager
    def served(self, program='usherd'):
        """A daemon, and a bystander, who must live and be answered to the end."""
        tree = Starved(program)
        with Daemon(program=tree.directory / PROGRAMS['usherd'], audit='yes') as daemon:
            daemon.write_policy('one', POLICY)
            process = daemon.popen('sh', '-c', 'while read x; do : </etc/hostname; echo opened; done',
                                   policy='everything', stdin=subprocess.PIPE)
            daemon.wait_until_all_run(1)
            yield tree, daemon
            daemon.wait_until_all_run(1)
            out, err = process.communicate('\n', timeout=harness.SECONDS)
            self.assertEqual((out, err, process.returncode), ('opened\n', '', 0))
            self.answers(daemon)
            daemon.wait_for_sessions(0)

    def holds(self, daemon):
        """Descriptors; usherd is undumpable, and only root may look."""
        return os.geteuid() == 0 and len(os.listdir(f'/proc/{daemon.pid()}/fd'))

    def suffers(self, tree, daemon, action):
        """The action succeeds with memory, and whatever it lacks usherd serves afterwards."""
        action()
        with tree.fails(EVER, EVER):
            action()
            count = tree.count()
        self.assertGreater(count, 0)
        pid, before = daemon.pid(), self.holds(daemon)
        for first, last in points(count):
            with self.subTest(first=first, last=last):
                with tree.fails(first, last):
                    action(starved=True)
                harness.wait_until(daemon.is_answering, 'usherd answers')
                daemon.wait_until_all_run(1)
        died = daemon.pid() != pid
        if not died:
            harness.wait_until(lambda: self.holds(daemon) <= before, 'all descriptors are closed')
        return died

    def test_session(self):
        """a session begins or is refused, and leaves nothing with usherd, which lives"""
        with self.served() as (tree, daemon):
            def begin(starved=False):
                done = daemon.run('true', policy='one')
                if done.returncode != 0:
                    self.assertTrue(starved, done.stderr)
                    self.assertEqual(done.returncode, 125, done.stderr)
                    self.assertIn('refused', done.stderr)
            self.assertFalse(self.suffers(tree, daemon, begin), daemon.log())

    def test_control(self):
        """requests are answered, refused or hung up on, and others are answered afterwards"""
        requests = {'status': {}, 'sessions': {'policy': 'one'}, 'metrics': {}, 'reload': {},
                    'monitor': {'verdicts': ['deny']}, 'help': {}, 'end': {'session': 99}}
        with self.served() as (tree, daemon):
            daemon.config.write_text(daemon.config.read_text().replace(
                str(harness.BUILD / 'conf/policies'), ''))
            for name, keys in requests.items():
                def ask(starved=False, line=json.dumps({'request': name, **keys})):
                    with socket.socket(socket.AF_UNIX) as stream:
                        stream.settimeout(harness.SECONDS)
                        with contextlib.suppress(*([ConnectionError] if starved else [])):
                            stream.connect(str(daemon.control))
                            stream.sendall(line.encode() + b'\n')
                            lines = stream.makefile()
                            greeting, answer = lines.readline(), lines.readline()
                            if not starved:
                                self.assertIn('usherd', greeting)
                            if answer or not starved:
                                json.loads(answer)
                with self.subTest(name):
                    self.suffers(tree, daemon, ask)

    def test_broker(self):
        """what a broker is asked is answered or fails, and what is denied is never done"""
        with self.served('usher-broker') as (tree, daemon):
            made = workdir('made')

            def ask(starved=False):
                done = daemon.run('python3', '-c', ASKING, made / 'file', policy='one')
                for path in made.iterdir():
                    path.unlink()
                if done.returncode != 0:
                    self.assertTrue(starved, done.stderr)
                    return
                *told, end = done.stdout.splitlines()
                self.assertEqual(end, 'end')
                right = {'allowed': {'done'}, 'denied': {'EXDEV', 'ENETDOWN'}, 'made': {'done'},
                         'refused': {'ECONNREFUSED'}}
                for name, how in map(str.split, told):
                    self.assertIn(how, right[name] | (SHORTAGE if starved else set()), name)
            self.assertFalse(self.suffers(tree, daemon, ask), daemon.log())


def without_chance(text):
    """What a command said, without numbers, and without the home of who started it: where the C library
    has no memory to read /etc/passwd, it is nss-systemd that answers, which tells nobody another."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    return re.sub(r'\d+(\.\d+)?', '0', text.replace(home + '/', '/'))


class Clients(Case):
    def ends_well(self, done, whole, dies):
        """Done as with memory, or not at all and with the reason; only a library may die of it."""
        if done.returncode < 0:
            self.assertIn(done.returncode, dies, done)
        elif list(map(without_chance, (done.stdout, done.stderr))) != list(
                map(without_chance, (whole.stdout, whole.stderr))):
            self.assertEqual(done.returncode, 2 if done.args[1] in ('check', 'explain') else 1, done)
            self.assertIn('annot allocate memory', done.stderr + done.stdout)

    def suffers(self, tree, words, dies, compares=True):
        def begin():
            return subprocess.run(
                list(map(str, [tree.program, *words])), stdin=subprocess.DEVNULL, text=True,
                capture_output=True, timeout=harness.SECONDS, check=False, env=harness.environment())
        with tree.fails(EVER, EVER):
            whole, count = begin(), tree.count()
        for first, last in points(count):
            with self.subTest(' '.join(words[:3]), first=first, last=last), tree.fails(first, last):
                done = begin()
                if done.returncode != 0 or compares:
                    self.ends_well(done, whole, dies)

    def test_policies(self):
        """`check` and `explain` without memory say so, and of a policy that is right nothing else"""
        tree = Starved('usher')
        directory = workdir('policies')
        (directory / 'one.ini').write_text(POLICY)
        (directory / 'wrong.ini').write_text('[files]\nallow raed = /x\n[network]\nallow conect = any\n')
        own, wrong = directory / 'one.ini', directory / 'wrong.ini'
        asked = ['explain', '--policy', own]
        for words in (['check', own], ['check', '--json', '--mechanisms', own], ['check', wrong],
                      ['check', '--json', wrong], ['check', 'no-such'],
                      [*asked, 'open', '/etc/hosts'], [*asked, 'open', '/etc/not-there'],
                      [*asked, 'connect', 'tcp', '127.0.0.1:9'], [*asked, 'resolve', 'example.org'],
                      [*asked, 'socket', 'inet/stream'], [*asked, 'syscall', 'ioctl(arg1 == TIOCSTI)'],
                      ['explain', '--json', '--policy', own, 'open', '/etc/hosts']):
            # The C library looks for the user.
            self.suffers(tree, list(map(str, words)), (-signal.SIGABRT, -signal.SIGSEGV))

    def test_asking(self):
        """commands that ask usherd and lack memory say so, and none takes its own lack for usherd's"""
        tree = Starved('usher')
        with Daemon() as daemon:
            for words in (['status'], ['status', '--json'], ['sessions', '--policy', 'x', '--json'],
                          ['metrics'], ['top', '--json'], ['sessions', 'end', '999'],
                          ['monitor', '--verdict', 'deny', '--session', '99', '--count', '0']):
                # json-c copies a name without a look, and leaves out what it has no room for.
                self.suffers(tree, [*words, '--socket', str(daemon.socket)], (-signal.SIGSEGV,),
                             compares=False)
            for words in (['status'], ['monitor', '--verdict', 'deny', '--session', '99']):
                self.suffers(tree, [*words, '--socket', '/nowhere/usherd.sock'], ())

    def test_limit(self):
        """under a limit of memory an answer is shown as a whole, or it is said that it cannot be"""
        with Daemon() as daemon:
            command = [harness.USHER, 'status', '--json', '--socket', daemon.socket]

            def under(kilobytes):
                return subprocess.run(
                    ['prlimit', f'--data={kilobytes * 1024}', *command], stdin=subprocess.DEVNULL,
                    text=True, capture_output=True, timeout=harness.SECONDS, check=False)
            outcomes = set()
            for kilobytes in range(1000, 0, -4):
                done = under(kilobytes)
                if done.returncode == 127:  # the loader's word for it: the program has not begun
                    break
                with self.subTest(kilobytes):
                    self.assertIn(done.returncode, (0, 1), done)
                    outcomes.add(done.returncode)
                    if done.returncode == 0:
                        self.assertEqual(json.loads(done.stdout)['sessions'], [])
                    else:
                        self.assertEqual(done.stderr,
                                         'usher: usherd cannot be asked: Cannot allocate memory\n')
            self.assertEqual(outcomes, {0, 1})

    def test_run(self):
        """`usher run` without memory runs the program or says why not, and `usher check` too"""
        tree = Starved('usher')
        directory = workdir('policies')
        (directory / 'one.ini').write_text(POLICY)
        own = str(directory / 'one.ini')
        for words, failure in ((['run', '--embedded', '--policy', own, '--', 'echo', 'ran'], 125),
                               (['check', own], 2)):
            def begin(words=words):
                return subprocess.run(
                    [tree.program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True, timeout=harness.SECONDS, check=False,
                    env=harness.environment())
            with tree.fails(EVER, EVER):
                whole = begin()
                self.assertEqual(whole.returncode, 0, whole.stderr)
                count = tree.count()
            deaths = 0
            for first, last in points(count):
                with self.subTest(words[0], first=first, last=last), tree.fails(first, last):
                    done = begin()
                    deaths += done.returncode in (-signal.SIGABRT, -signal.SIGSEGV)
                    if done.returncode >= 0 and done.stdout != whole.stdout:
                        self.assertEqual(done.returncode, failure, done)
                        self.assertNotEqual(done.stderr, '')
            self.assertLessEqual(deaths, DEATHS_BY_LIBRARIES)


if __name__ == '__main__':
    unittest.main()
