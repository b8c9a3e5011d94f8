# SPDX-License-Identifier: Apache-2.0
"""A guest: a real systemd as PID 1 of its own namespaces (see boot), for as long as a block runs."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_SECONDS = 60


def missing():
    """What this machine lacks for a guest, or None."""
    if os.geteuid() != 0:
        return 'root'
    for program in ('unshare', 'nsenter', 'pivot_root', 'meson', 'ip'):
        if not shutil.which(program):
            return program
    return None if os.path.exists('/lib/systemd/systemd') else 'systemd'


def read(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except OSError:
        return ''


class Cgroup:
    """A cgroup2 directory for the guest, in whatever way the machine has its cgroups mounted."""

    def __init__(self, directory):
        mounted = re.search(r'^\S+ (\S+) cgroup2 ', read('/proc/mounts'), re.M)
        self.own_mount = None
        if mounted:
            base = mounted.group(1)
        else:
            self.own_mount = base = os.path.join(directory, 'cgroup2')
            os.mkdir(base)
            subprocess.run(['mount', '-t', 'cgroup2', 'none', base], check=True)
        ours = re.search(r'^0::(.*)$', read('/proc/self/cgroup'), re.M).group(1)
        self.outside = base + ours
        self.path = f'{base}/usher-guest-{os.getpid()}'
        os.mkdir(self.path)

    def enter(self):
        self.add(self.path, os.getpid())

    def leave(self, pid):
        """A cgroup that has processes of its own cannot have cgroups with controllers."""
        self.add(self.outside, pid)

    @staticmethod
    def add(path, pid):
        with open(os.path.join(path, 'cgroup.procs'), 'w', encoding='ascii') as file:
            file.write(str(pid))

    def remove(self):
        deadline = time.monotonic() + 10
        while os.path.isdir(self.path) and time.monotonic() < deadline:
            for directory, _, _ in os.walk(self.path, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            time.sleep(0.02)
        if self.own_mount:
            subprocess.run(['umount', '-l', self.own_mount], check=False)


class Guest:
    def __init__(self, build):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix='usher-guest-', dir='/tmp')
        self.share = os.path.join(self.directory, 'share')
        self.pid = self.unshare = self.cgroup = None

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def boot(self):
        self.cgroup = Cgroup(self.directory)
        log = open(os.path.join(self.directory, 'boot.log'), 'wb')
        with log:
            self.unshare = subprocess.Popen(
                ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--cgroup', '--uts',
                 '--ipc', '--net', '--propagation', 'private',
                 os.path.join(HERE, 'boot'), self.directory, self.build],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=self.cgroup.enter)
        children = f'/proc/{self.unshare.pid}/task/{self.unshare.pid}/children'
        self.wait(lambda: read(children).strip(), 'the guest has begun')
        self.pid = int(read(children).split()[0])
        self.cgroup.leave(self.unshare.pid)
        self.wait(self.is_up, 'the guest has booted')

    def is_up(self):
        return self.run('systemctl', 'is-system-running').stdout.strip() in ('running', 'degraded')

    def wait(self, condition, what, seconds=BOOT_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.unshare.poll() is not None or time.monotonic() > deadline:
                log = read(os.path.join(self.directory, 'boot.log'))
                raise RuntimeError(f'waited until {what}: {log}')
            time.sleep(0.02)

    def command(self, *command):
        return ['nsenter', '-t', str(self.pid), '-a', '--', *map(str, command)]

    def run(self, *command, timeout=60, **more):
        return subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, **more)

    def popen(self, *command, **more):
        more.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.Popen(self.command(*command), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **more)

    def property(self, name, unit='usherd.service'):
        return self.run('systemctl', 'show', '--value', '-p', name, unit).stdout.strip()

    def write(self, path, text):
        """Writes a file of the guest."""
        full = f'/proc/{self.pid}/root{path}'
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)

    def journal(self):
        """What was said of usherd; of the brokers that it finds again systemd says too much."""
        text = self.run('journalctl', '-o', 'cat', '-u', 'usherd').stdout
        return '\n'.join(line for line in text.splitlines()
                         if 'left-over process' not in line and 'unclean termination' not in line)

    def __exit__(self, *_):
        """SIGKILL to its PID 1 ends every process in it."""
        for pid in (self.pid, self.unshare.pid if self.unshare else None):
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if self.unshare:
            self.unshare.wait()
        if self.cgroup:
            self.cgroup.remove()
        shutil.rmtree(self.directory, ignore_errors=True)
