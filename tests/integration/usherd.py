# SPDX-License-Identifier: Apache-2.0
"""A usherd of a test's own: its configuration, its log, those who run programs by it, and what is left
when a test ends.
"""

import atexit
import collections
import contextlib
import errno
import functools
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import handover
import harness
from handover import Client, Refused

HANDOVER = Path(handover.__file__).resolve()
IS_ROOT = os.geteuid() == 0
NOBODY, DIALOUT = 65534, 20
AS_NOBODY = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', f'--groups={DIALOUT},30']

CONFIG = """\
[daemon]
policies = {policies}
  {shipped}
audit = {audit}
{more}
[limits]
{limits}
{grants}
"""
EVERYBODY = '[grant all]\nusers = *\npolicies = *\n'

_numbers = itertools.count(1)


@functools.cache
def public():
    """A directory that every user may enter: the driver's own are this user's alone."""
    path = tempfile.mkdtemp(prefix='usher-usherd-', dir='/tmp')
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def workdir(name):
    """A new directory that every user may enter."""
    path = public() / f'{name}-{next(_numbers)}'
    path.mkdir()
    path.chmod(0o755)
    return path


class Daemon:
    """An usherd of its own: socket, policies, configuration and log in a new directory."""

    def __init__(self, limits='', grants=EVERYBODY, audit='no', program=harness.USHERD, prefix=(),
                 more='', options=()):
        self.directory = workdir('daemon')
        self.policies = self.directory / 'policies'
        self.policies.mkdir()
        self.config = self.directory / 'usherd.ini'
        self.socket = self.directory / 'usherd.sock'
        self.control = self.directory / 'usherd.control'
        self.log_path = self.directory / 'log'
        self.program, self.prefix, self.options = program, list(prefix), list(options)
        self.configure(limits, grants, audit, more.format(self.directory))
        self.write_policy('plain', '[policy]\ndescription = Only numbers\n')
        self.process = None
        self.waited_for = collections.Counter()

    def configure(self, limits='', grants=EVERYBODY, audit='no', more=''):
        self.config.write_text(CONFIG.format(
            policies=self.policies, shipped=harness.BUILD / 'conf/policies', limits=limits,
            grants=grants, audit=audit, more=more))

    def write_policy(self, name, text):
        (self.policies / f'{name}.ini').write_text(text)

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(self.program), '--config', self.config, '--socket', self.socket,
                 *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/',
                env=harness.environment(), start_new_session=True)
        try:
            harness.wait_until(lambda: self.is_answering() or self.process.poll() is not None,
                               'usherd serves')
        except BaseException:
            harness.end(self.process)
            raise
        if self.process.poll() is not None:
            raise RuntimeError(f'usherd ended: {self.log()}')
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            harness.end(self.process)

    def log(self):
        return self.log_path.read_text(errors='replace')

    def wait_for_log(self, text):
        """Until the log says so once more than it was waited for before."""
        self.waited_for[text] += 1
        harness.wait_until(lambda: self.log().count(text) >= self.waited_for[text],
                           f'the log says {text!r}, time {self.waited_for[text]}')

    def pid(self):
        """The process that serves: the one that was started is its holder."""
        return self.ask()['daemon']['pid']

    def client(self):
        return Client(self.socket)

    def command(self, *command, policy='plain'):
        return [sys.executable, str(HANDOVER), str(self.socket), policy, *map(str, command)]

    def popen(self, *command, policy='plain', prefix=(), **more):
        more.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.Popen([*prefix, *self.command(*command, policy=policy)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def run(self, *command, **more):
        process = self.popen(*command, **more)
        out, err = process.communicate(timeout=harness.SECONDS)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def ask(self, request=None, as_user=()):
        """The answer of the control socket, asked by another process if it is another user."""
        line = json.dumps(request or {'request': 'status'})
        if not as_user:
            with socket.socket(socket.AF_UNIX) as stream:
                stream.settimeout(20)
                stream.connect(str(self.control))
                stream.sendall(line.encode() + b'\n')
                lines = stream.makefile()
                lines.readline()
                return json.loads(lines.readline())
        script = ('import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);'
                  's.sendall(sys.argv[2].encode() + b"\\n"); f = s.makefile(); f.readline();'
                  'print(f.readline())')
        out = subprocess.run([*as_user, sys.executable, '-c', script, self.control, line],
                             stdout=subprocess.PIPE, check=True, timeout=harness.SECONDS).stdout
        return json.loads(out)

    def is_answering(self):
        """Not if its sockets are those that another has left behind."""
        with contextlib.suppress(OSError, ValueError):
            return self.ask()['reply'] == 'status'
        return False

    def sessions(self, **more):
        return self.ask(**more)['sessions']

    def session_of(self, process):
        """The session that a process began, among others that may be ending still."""
        session, = (session for session in self.sessions() if session['pid'] == process.pid)
        return session

    def wait_for_sessions(self, count):
        harness.wait_until(lambda: len(self.sessions()) == count, f'there are {count} sessions')
        return self.sessions()

    def wait_until_all_run(self, count):
        harness.wait_until(lambda: [session['state'] for session in self.sessions()] ==
                           ['running'] * count, f'{count} sessions run')
        return self.sessions()


@contextlib.contextmanager
def running(daemon, *command, **more):
    """A session whose program waits for its standard input to end, from when it is served until it
    is over; those of others may come and go."""
    process = daemon.popen(*(command or ('cat',)), stdin=subprocess.PIPE, **more)

    def states():
        return [session['state'] for session in daemon.sessions() if session['pid'] == process.pid]
    try:
        harness.wait_until(lambda: states() == ['running'], 'the session runs')
        yield process
    finally:
        process.stdin.close()
        process.wait(harness.SECONDS)
        process.stdout.close()
        process.stderr.close()
        harness.wait_until(lambda: not states(), 'the session is over')


@contextlib.contextmanager
def unserved(daemon):
    """A client that hands its listener over and then does nothing, the probe neither."""
    child = os.fork()
    if child == 0:
        try:
            client = daemon.client()
            listener = handover.load_filter(*client.filter('plain'))
            client.send(handover.listener(threading.get_native_id()), [listener])
            os.close(listener)
            signal.pause()
        finally:
            os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class Case(unittest.TestCase):
    def refused(self, error, words, action, *arguments, **more):
        with self.assertRaises(Refused) as caught:
            action(*arguments, **more)
        self.assertEqual(errno.errorcode.get(caught.exception.error), errno.errorcode[error],
                         caught.exception.text)
        self.assertIn(words, caught.exception.text)

    def answers(self, daemon):
        """The daemon still serves others."""
        done = daemon.run('echo', 'served')
        self.assertEqual((done.stdout, done.returncode), ('served\n', 0),
                         f'{done.stderr}\n{daemon.log()}')
