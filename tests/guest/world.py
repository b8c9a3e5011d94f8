# SPDX-License-Identifier: Apache-2.0
"""The guest as run.py uses it: usherd in it, sessions under load, and what stands still."""

import ctypes
import os
import re
import signal
import threading
import typing

import guest as guests

CONFIGURATION = os.environ['USHER_INSTALLED_CONFIGURATION']
LOAD = '/run/build/tests/guest/load'
POLICY = """\
[files]
deny EXDEV read = /load/*/closed
default = allow
[network]
deny ENETDOWN connect = tcp 127.0.0.1:7778
default = allow
"""


class World:
    """The guest with usherd in it, and its processes as the machine sees them."""

    def __init__(self, guest):
        self.guest = guest
        self.namespace = os.readlink(f'/proc/{guest.pid}/ns/pid')

    def find(self, name):
        """The processes of that name in the guest."""
        found = []
        for entry in os.listdir('/proc'):
            if entry.isdigit() and self.is_ours(entry, name):
                found.append(int(entry))
        return found

    def is_ours(self, pid, name):
        try:
            return (guests.read(f'/proc/{pid}/comm') == name + '\n' and
                    os.readlink(f'/proc/{pid}/ns/pid') == self.namespace)
        except OSError:
            return False

    def kill(self, pid, name, number=signal.SIGKILL):
        """True if it was still this process that got the signal."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if not self.is_ours(pid, name):
                return False
            signal.pidfd_send_signal(pidfd, number)
            return True
        except OSError:
            return False
        finally:
            os.close(pidfd)

    def wait(self, condition, what, seconds=20):
        try:
            self.guest.wait(condition, what, seconds)
            return True
        except RuntimeError:
            return False

    def is_told(self, words):
        """Does the journal say so of usherd? What is said comes there a moment later."""
        return self.wait(lambda: words in self.guest.journal(), 'the journal says so')

    def sessions(self):
        return int(self.guest.run('sh', '-c', 'usher status --json | grep -o \'"broker"\' | wc -l')
                   .stdout or -1)

    def main_pid(self):
        return self.guest.property('MainPID')

    def wait_for_another(self, before, *frozen):
        """usherd has been started again and says that it serves."""
        def is_back():
            for process in frozen:
                process.bury()
            return (self.main_pid() not in (before, '0') and
                    self.guest.property('SubState') == 'running')
        return self.wait(is_back, 'usherd is back')

    def stored(self):
        return int(self.guest.property('NFileDescriptorStore') or -1)


class Longest(typing.NamedTuple):
    """A call: how long it took, when it ended (both in us), and which it was."""
    took: int
    ended: int
    what: str


class Loads:
    """Programs under load, each in a session of its own."""

    def __init__(self, world):
        self.world = world
        self.processes = []
        guest = world.guest
        guest.write(f'{CONFIGURATION}/policies/load.ini', POLICY)
        self.server = guest.popen(LOAD, 'serve')
        self.server.stdout.readline()

    def start(self, count, pause_ms):
        guest = self.world.guest
        for _ in range(count):
            directory = f'/load/{len(self.processes)}'
            guest.write(directory + '/right', 'right')
            guest.write(directory + '/closed', 'closed')
            self.processes.append(guest.popen(
                'usher', 'run', '--daemon', '--policy', 'load', '--', LOAD, directory, pause_ms))

    def living(self):
        return sum(process.poll() is None for process in self.processes)

    def finish(self):
        """(calls, wrong ones, the longest as a Longest, everything that was said otherwise)."""
        for pid in self.world.find('load'):
            if 'serve' not in guests.read(f'/proc/{pid}/cmdline'):
                self.world.kill(pid, 'load', signal.SIGTERM)
        calls = wrong = 0
        longest = Longest(0, 0, 'none')
        strange = []
        for process in self.processes:
            out, _ = process.communicate(timeout=30)
            match = re.search(r'calls (\d+) wrong (\d+) worst (\d+) at (\d+) what (.*?);', out)
            if not match or process.returncode != 0 or int(match.group(2)):
                strange.append(f'status {process.returncode}: {out.strip()}')
            if match:
                calls += int(match.group(1))
                wrong += int(match.group(2))
                longest = max(longest, Longest(int(match[3]), int(match[4]), match[5]))
        self.processes = []
        return calls, wrong, longest, strange

    def end(self):
        for pid in self.world.find('load'):
            self.world.kill(pid, 'load')
        self.server.communicate()


class Newcomers(threading.Thread):
    """Starts one session after the other."""

    def __init__(self, guest):
        super().__init__()
        self.guest = guest
        self.ended = threading.Event()
        self.count, self.failed = 0, []

    def run(self):
        while not self.ended.wait(0.05):
            done = self.guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
            self.count += 1
            if done.returncode != 0:
                self.failed.append(f'{done.returncode}: {done.stderr}')


class Frozen:
    """A process whose first thread stands still, by ptrace; all its others go on."""

    SEIZE, INTERRUPT, WAIT_ALL = 0x4206, 0x4207, 0x40000000

    def __init__(self, pid):
        self.pid = pid
        libc = ctypes.CDLL(None, use_errno=True)
        for request in (self.SEIZE, self.INTERRUPT):
            if libc.ptrace(request, pid, None, None) != 0:
                raise OSError(ctypes.get_errno(), 'ptrace')

    def bury(self):
        """Who traces a process has to take note of its end, too."""
        try:
            os.waitpid(self.pid, os.WNOHANG | self.WAIT_ALL)
        except ChildProcessError:
            pass
