#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills brokers under load: every open returns what it would have returned.

storm makes 100,000 opens by four threads; meanwhile its broker is killed again and again, as soon as
a new one serves. Afterwards not one open may have had another outcome, no descriptor may be left
over, and the program must have ended by itself.
"""
import argparse
import glob
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run as attacks  # noqa: E402

STORM = os.path.join(attacks.BUILD, 'tests/attacks/storm')
# In a slow build a broker lives longer, so that it comes to serve, and yet not to serve all.
PATIENCE = float(os.environ.get('USHER_TEST_PATIENCE', '1'))
SECONDS = 240 * PATIENCE
KILLS_MIN, STORMS_MAX = 5, 20


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ''


def children(pid):
    """All processes below `pid`."""
    found = []
    for path in glob.glob('/proc/%d/task/*/children' % pid):
        for word in read(path).split():
            found += [int(word)] + children(int(word))
    return found


def daemon_pid():
    """The usherd of this run, by its socket."""
    path = os.path.join(os.environ['XDG_RUNTIME_DIR'], 'usher/usherd.sock')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return struct.unpack('iii', data)[0]


def brokers(ancestor):
    return [pid for pid in children(ancestor)
            if read('/proc/%d/comm' % pid) == 'usher-broker\n']


class Killer(threading.Thread):
    """Kills every broker below a process, each some moments after it was first seen.

    One that is killed before it could answer anything makes its supervisor wait longer each time,
    as it should; so that such waits are not all that the storm consists of, `between` is to leave
    most of them the time to serve.
    """

    def __init__(self, ancestor, between):
        super().__init__()
        self.ancestor, self.between = ancestor, between
        self.kills = 0
        self.stop = threading.Event()

    def run(self):
        choice = random.Random(1)
        doomed = {}
        while not self.stop.wait(0.004):
            for pid in brokers(self.ancestor):
                due = doomed.setdefault(pid, time.monotonic() + choice.uniform(*self.between))
                if time.monotonic() >= due:
                    self.kill(pid)

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
            self.kills += 1
        except ProcessLookupError:
            pass


def storm(opens, threads, between):
    """(lines, exit status, kills) of one storm under fire; between None: nobody is killed."""
    directory = os.path.join(os.path.realpath(os.environ.get('TMPDIR', tempfile.gettempdir())),
                             'attacks-%d' % os.getpid())
    world = attacks.World(directory)
    command = [attacks.USHER, 'run', '--' + attacks.MODE, '--policy',
               attacks.write_policy(directory), '--', STORM, str(opens), str(threads)]
    process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [process.stdout.readline().strip()]
    ancestor = process.pid if attacks.MODE == 'embedded' else daemon_pid()
    killer = Killer(ancestor, between) if between else None
    if killer:
        killer.start()
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    lines += process.stdout.read().splitlines()
    status = process.wait()
    timer.cancel()
    if killer:
        killer.stop.set()
        killer.join()
    events = world.finish()
    return lines + events, status, killer.kills if killer else 0


def judge(suite, name, opens, threads, between):
    """How many kills there were."""
    started = time.monotonic()
    lines, status, kills = storm(opens, threads, between)
    told = ' '.join(line for line in lines if line.startswith('opens '))
    suite.test(told.startswith('opens %d wrong 0 ' % opens),
               '%s: %d opens by %d threads return what they would have returned' % (
                   name, opens, threads), 'kills: %d' % kills, *lines)
    suite.test(' interrupted 0 ' in told, name + ': no exclusive creation is interrupted', told)
    suite.test(told.endswith(' leaked 0'), name + ': no descriptor is left over', told)
    suite.test(status in (0, 1), name + ': the program ends by itself',
               'exit status %d' % status)
    print('# %s: %d kills in %.1f s' % (name, kills, time.monotonic() - started))
    return kills


def judge_killed(suite, name, opens, threads, between, slow):
    """One storm after the other until enough brokers were killed: how long it lasts varies. Where all
    is slow brokers are left more time, too."""
    between = tuple(PATIENCE**0.5 * slow * seconds for seconds in between)
    kills = 0
    for _ in range(STORMS_MAX):
        kills += judge(suite, name, opens, threads, between)
        if kills >= KILLS_MIN:
            break
    suite.test(kills >= KILLS_MIN, name + ': brokers were killed', 'kills: %d' % kills)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--opens', type=int, default=100000)
    options = parser.parse_args()
    suite = attacks.Suite()
    started = time.monotonic()
    judge(suite, 'nobody killed', options.opens // 10, 4, None)
    slow = max(1, time.monotonic() - started)
    for name, opens, threads, between in (
            ('broker killed now and then', options.opens, 4, (0.1, 0.4)),
            ('broker killed all the time', options.opens // 5, 4, (0.02, 0.1)),
            ('broker of one thread killed', options.opens // 5, 1, (0.02, 0.1))):
        judge_killed(suite, name, opens, threads, between, slow)
    print('1..%d' % suite.number)
    return 1 if suite.failed else 0


if __name__ == '__main__':
    sys.exit(main())
