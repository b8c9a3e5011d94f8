# SPDX-License-Identifier: Apache-2.0
"""A small internet for tests: the test program itself runs in a network namespace with one link to a
second one, `far`, in which servers are started. Root makes them as he is, others by a user
namespace in which they keep their own ids.

    10.77.0.1, fd77::1   here      10.77.0.2, fd77::2   far, 3 ms away
    10.77.1.0/24         unreachable at once      fd78::/64   nothing ever answers
"""

import atexit
import os
import socket
import subprocess
import sys

import harness

HERE, FAR = '10.77.0.1', '10.77.0.2'
HERE6, FAR6 = 'fd77::1', 'fd77::2'
SILENT6 = 'fd78::1'
DELAY = '3ms'


def enter():
    """Starts this program anew in a network of its own; returns there."""
    if os.environ.pop('USHER_TEST_WORLD', None):
        return
    ways = ['-n'] if os.geteuid() == 0 else ['-n', '-U', '--map-current-user', '--keep-caps']
    os.execvpe('unshare', ['unshare', *ways, sys.executable, *sys.argv],
               os.environ | {'USHER_TEST_WORLD': 'yes'})


def is_open(port):
    """Does somebody listen there on the far side?"""
    with socket.socket() as probe:
        return probe.connect_ex((FAR, port)) == 0


def sh(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class World:
    """Made once for a test program; ended with it."""

    def __init__(self, delay=DELAY):
        self.holder = subprocess.Popen(['unshare', '-n', 'sleep', 'infinity'])
        atexit.register(harness.end, self.holder)
        own = os.readlink('/proc/self/ns/net')
        harness.wait_until(lambda: os.readlink(f'/proc/{self.holder.pid}/ns/net') != own,
                           'there is a second network')
        sh('ip', 'link', 'add', 'here0', 'type', 'veth', 'peer', 'name', 'far0', 'netns',
           str(self.holder.pid))
        for prefix, name, four, six in (((), 'here0', HERE, HERE6),
                                        (self.inside(), 'far0', FAR, FAR6)):
            sh(*prefix, 'ip', 'link', 'set', 'lo', 'up')
            sh(*prefix, 'ip', 'address', 'add', f'{four}/24', 'dev', name)
            sh(*prefix, 'ip', 'address', 'add', f'{six}/64', 'dev', name, 'nodad')
            sh(*prefix, 'ip', 'link', 'set', name, 'up')
        sh('ip', 'route', 'add', 'unreachable', '10.77.1.0/24')
        sh('ip', '-6', 'route', 'add', 'fd78::/64', 'via', FAR6)
        # The far side drops what is not its own: it forwards nothing, and says nothing.
        sh(*self.inside(), 'ip', '-6', 'route', 'add', 'blackhole', 'fd78::/64')
        # Where the kernel has no netem, far is near: what is slow is told by what never answers.
        if delay:
            subprocess.run([*self.inside(), 'tc', 'qdisc', 'add', 'dev', 'far0', 'root', 'netem',
                            'delay', delay], check=False, stderr=subprocess.DEVNULL)

    def inside(self):
        """What makes a command run on the far side."""
        return ('nsenter', '-t', str(self.holder.pid), '-n')

    def serve(self, *command, **more):
        """A server on the far side, until the test program ends."""
        more.setdefault('env', harness.environment())
        process = subprocess.Popen([*self.inside(), *map(str, command)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **more)
        atexit.register(harness.end, process)
        return process

    def run(self, *command):
        """A client on the far side; its output."""
        return subprocess.run([*self.inside(), *map(str, command)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.SECONDS, check=False).stdout.decode()
