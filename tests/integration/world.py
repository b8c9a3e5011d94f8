# SPDX-License-Identifier: Apache-2.0
"""A small internet for tests: the test program itself runs in a network namespace with one link to a
second one, `far`, in which servers are started. Root makes them as he is, others by a user
namespace in which they keep their own ids.

    10.77.0.1, fd77::1   here      10.77.0.2, fd77::2   far, 3 ms away
    10.77.1.0/24         unreachable at once      fd78::/64   nothing ever answers

With a cable between the two there are other hosts on the far side, 10.80.0.0/12 and fd79::/64, which
are slow, unreachable or silent as cable.py says, and routes here prohibit 10.79.1.0/24 and drop
10.79.2.0/24.
"""

import atexit
import os
import socket
import subprocess
import sys

import cable
import harness

HERE, FAR = '10.77.0.1', '10.77.0.2'
HERE6, FAR6 = 'fd77::1', 'fd77::2'
SILENT6 = 'fd78::1'
DELAY = '3ms'


def enter(*more):
    """Starts this program anew in a network of its own, and what else unshare(1) is asked for;
    returns there."""
    if os.environ.pop('USHER_TEST_WORLD', None):
        return
    ways = ['-n', *more] if os.geteuid() == 0 else ['-n', *more, '-U', '--map-current-user', '--keep-caps']
    os.execvpe('unshare', ['unshare', *ways, sys.executable, *sys.argv],
               os.environ | {'USHER_TEST_WORLD': 'yes'})


def is_open(port, address=FAR):
    """Does somebody listen there on the far side?"""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def host(kind, number, family=4):
    """One of the other hosts of the far side."""
    return f'10.{80 + kind}.{number >> 8}.{number & 255}' if family == 4 else f'fd79::{kind:x}:{number:x}'


def sh(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def new_network():
    """A process that holds one."""
    holder = subprocess.Popen(['unshare', '-n', 'sleep', 'infinity'])
    atexit.register(harness.end, holder)
    own = os.readlink('/proc/self/ns/net')
    harness.wait_until(lambda: os.readlink(f'/proc/{holder.pid}/ns/net') != own,
                       'there is another network')
    return holder


class World:
    """Made once for a test program; ended with it."""

    def __init__(self, delay=DELAY, with_cable=False):
        self.holder = new_network()
        if with_cable:
            self.lay_cable()
        else:
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

        if with_cable:
            self.add_hosts()

    def lay_cable(self):
        between = new_network()
        for name, netns, end in (('here0', os.getpid(), 'end0'),
                                 ('far0', self.holder.pid, 'end1')):
            sh('ip', 'link', 'add', name, 'netns', str(netns), 'type', 'veth', 'peer', 'name', end,
               'netns', str(between.pid))
            sh('nsenter', '-t', str(between.pid), '-n', 'ip', 'link', 'set', end, 'up')
        process = subprocess.Popen(['nsenter', '-t', str(between.pid), '-n', sys.executable,
                                    cable.__file__, 'end0', 'end1'])
        atexit.register(harness.end, process)

    def add_hosts(self):
        for words in (('10.80.0.0/12', 'via', FAR), ('fd79::/64', 'via', FAR6),
                      ('prohibit', '10.79.1.0/24'), ('blackhole', '10.79.2.0/24')):
            sh('ip', 'route', 'add', *words)
        for all_of_them in '10.80.0.0/12', 'fd79::/64':
            sh(*self.inside(), 'ip', 'route', 'add', 'local', all_of_them, 'dev', 'lo')

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
