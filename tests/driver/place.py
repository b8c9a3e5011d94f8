# SPDX-License-Identifier: Apache-2.0
"""Where a test runs: its user, its network, its directories, its environment, and usherd where it
needs one."""

import ctypes
import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import process

ORDINARY_USER = 'nobody'
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
SANITIZER_OPTIONS = ('ASAN_OPTIONS', 'TSAN_OPTIONS', 'UBSAN_OPTIONS')
PASSED_ON = ('CI', 'TERM', 'USHER_TEST_LONG', 'USHER_TEST_SEED', 'USHER_TEST_MECHANISM_SECONDS')
DAEMON_SECONDS = 60  # of one that hangs
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
DAEMON_CONFIG = """\
[daemon]
policies = {own} {shipped}

[grant tests]
users = *
policies = *
"""


def as_user(user, command):
    if user is None:
        return command
    entry = pwd.getpwnam(user)
    return ['/usr/bin/setpriv', f'--reuid={entry.pw_uid}', f'--regid={entry.pw_gid}',
            '--clear-groups', '--inh-caps=-all', '--', *command]


def can_read(user, path):
    return subprocess.run(as_user(user, ['/usr/bin/test', '-r', path]), check=False).returncode == 0


def enter_network():
    """A network that is this process's alone, with its loopback: no port and no abstract name in it is
    that of a run beside this one. Who may not make one shares that of his caller."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack('16sH14x', b'lo', IFF_UP))


class Tree:
    """The source and the build directory; a copy of both where `user` cannot reach them."""

    def __init__(self, source, build, scratch, user):
        self.original = source, build
        self.source, self.build = source, build
        if user is not None and not can_read(user, os.path.join(build, 'client/usher')):
            self._copy(scratch)

    def _copy(self, scratch):
        self.source = tempfile.mkdtemp(prefix='tree-', dir=scratch)
        self.build = os.path.join(self.source, 'build')
        os.chmod(self.source, 0o755)
        source, build = self.original
        shutil.copytree(source, self.source, symlinks=True, ignore=self._made, dirs_exist_ok=True)
        shutil.copytree(build, self.build, symlinks=True)
        # Whose umask was strict has files that nobody else can read.
        subprocess.run(['chmod', '-R', 'go+rX', self.source], check=True)

    def _made(self, directory, names):
        """What is no source, of the names in a directory of the source tree."""
        made = {'__pycache__'} & set(names)
        if directory == self.original[0]:
            made |= {name for name in names if name == '.git' or name.startswith('build')}
        return made

    def moved(self, text):
        """`text` with the paths of the tree where it is used."""
        source, build = self.original
        return text.replace(build, self.build).replace(source, self.source)


class Place:
    """The directories of one run, made for its user and removed after it."""

    def __init__(self, scratch, name, user):
        self.root = os.path.join(scratch, name)
        self.user = user
        self.daemon = None
        os.mkdir(self.root, 0o755)
        for part in ('home', 'tmp', 'config', 'config/usher', 'config/usher/policies', 'run',
                     'run/usher', 'work'):
            self._make(part)

    def _make(self, part):
        path = self.path(part)
        os.mkdir(path, 0o700)
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def environment(self, source, build, mode):
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment.update(
            PATH=PATH, LC_ALL='C.UTF-8', HOME=self.path('home'), TMPDIR=self.path('tmp'),
            XDG_CONFIG_HOME=self.path('config'), XDG_RUNTIME_DIR=self.path('run'),
            USHER_SOURCE=source, USHER_BUILD=build, CMOCKA_MESSAGE_OUTPUT='TAP',
            USHER_TEST_POLICIES=self.path('config/usher/policies'),
            ASAN_OPTIONS='detect_leaks=0:abort_on_error=1', PYTHONDONTWRITEBYTECODE='1',
            TSAN_OPTIONS='halt_on_error=1:exitcode=66',
            UBSAN_OPTIONS='halt_on_error=1:abort_on_error=1:print_stacktrace=1')
        if mode is not None:
            environment['USHER_TEST_MODE'] = mode
        return environment

    def start_daemon(self, build, environment, more=''):
        """usherd of the same user, on the socket where `usher run` looks first; `more` is what its
        configuration says besides."""
        log = open(self.path('usherd.log'), 'wb')
        socket = self.path('run/usher/usherd.sock')
        command = [os.path.join(build, 'daemon/usherd'), '--config', self._write_config(build, more),
                   '--socket', socket]
        with log:
            self.daemon = subprocess.Popen(
                as_user(self.user, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd='/', start_new_session=True, preexec_fn=process.reset_signals)
        deadline = time.monotonic() + DAEMON_SECONDS
        while not os.path.exists(socket):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f'usherd did not start: {self.daemon_log()}')
            time.sleep(0.005)

    def _write_config(self, build, more):
        """Everybody may use the shipped policies and the test's own."""
        path = self.path('usherd.ini')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(DAEMON_CONFIG.format(own=self.path('config/usher/policies'),
                                            shipped=os.path.join(build, 'conf/policies')) + more)
        return path

    def daemon_log(self):
        try:
            with open(self.path('usherd.log'), encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return ''

    def stop_daemon(self):
        """Ends usherd as a system would. Returns a complaint, or None."""
        if self.daemon is None:
            return None
        self.daemon.terminate()
        try:
            status = self.daemon.wait(DAEMON_SECONDS)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            return 'usherd did not end at SIGTERM'
        return None if status == 0 else f'usherd ended with status {status}'

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)
