#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills brokers while programs connect, send and bind: every call returns what it would have.

gale makes its calls by several threads, in the machine's own network and in one of its own
(`net = broker`), where each socket that leads out is exchanged. The same without a kill shows that
ten thousand of them by 32 threads go well; and with threads that close and replace the sockets of
others, and signals in the middle, the broker must be the same one afterwards and hold nothing more.
"""
import argparse
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run as attacks  # noqa: E402
from kill import KILLS_MIN, PATIENCE, SECONDS, Killer, brokers, daemon_pid  # noqa: E402

KILLS = 15
GALES_MAX = 20
GALE = os.path.join(attacks.BUILD, 'tests/attacks/gale')
POLICY = """\
[policy]
net = {net}
[network]
default = deny EXDEV
allow connect = tcp 127.0.0.1:{tcp} tcp 127.0.0.1:{closed} udp 127.0.0.1:{udp}
inject connect = tcp 192.0.2.1:80 -> tcp 127.0.0.1:{tcp}
allow bind = tcp *:*
"""


@contextlib.contextmanager
def ports():
    """Of a server that greets, and one at which nobody is, for as long as the block runs."""
    with socket.socket() as nobody, \
            subprocess.Popen([GALE, 'serve'], stdout=subprocess.PIPE, text=True) as server:
        nobody.bind(('127.0.0.1', 0))
        tcp, udp = server.stdout.readline().split()
        try:
            yield {'tcp': tcp, 'udp': udp, 'closed': nobody.getsockname()[1]}
        finally:
            server.kill()


def start(numbers, network, calls, threads, *more):
    path = os.path.join(os.environ['USHER_TEST_POLICIES'], f'gale-{network}.ini')
    with open(path, 'w', encoding='ascii') as file:
        file.write(POLICY.format(net=network, **numbers))
    command = [GALE, numbers['tcp'], numbers['udp'], numbers['closed'], calls, threads, *more]
    return subprocess.Popen(
        [attacks.USHER, 'run', '--' + attacks.MODE, '--policy', f'gale-{network}', '--',
         *map(str, command)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Limited(Killer):
    """Leaves the rest in peace after so many kills: each makes the next broker come later."""

    def kill(self, pid):
        super().kill(pid)
        if self.kills >= KILLS:
            self.stop.set()


def gale(network, calls, threads, between, *more):
    """(lines, exit status, kills, brokers before and after) of one gale."""
    with ports() as numbers:
        process = start(numbers, network, calls, threads, *more)
        lines = [process.stdout.readline().strip()]
        ancestor = process.pid if attacks.MODE == 'embedded' else daemon_pid()
        before = brokers(ancestor)  # with usherd there may be that of a session before
        killer = Limited(ancestor, between) if between else None
        if killer:
            killer.start()
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        while not lines[-1].startswith('calls ') and lines[-1]:
            lines.append(process.stdout.readline().strip())
        after = brokers(ancestor)  # none, if the program has ended by now
        status = process.wait()
        timer.cancel()
        if killer:
            killer.stop.set()
            killer.join()
    return lines, status, killer.kills if killer else 0, not after or bool(set(before) & set(after))


def judge(suite, name, network, calls, threads, between, *more):
    """How many kills there were."""
    started = time.monotonic()
    lines, status, kills, is_same = gale(network, calls, threads, between, *more)
    told = lines[-1]
    suite.test(told.startswith('calls %d wrong 0 ' % (calls // threads * threads)),
               '%s: %d calls by %d threads return what they must' % (name, calls, threads),
               'kills: %d' % kills, *lines)
    suite.test(told.endswith(' leaked 0'), name + ': no descriptor is left over', told)
    suite.test(status == 0, name + ': the program ends by itself', 'exit status %d' % status)
    if not between:
        suite.test(is_same and ' interrupted 0 ' in told,
                   name + ': its broker lives, and nothing was interrupted', told)
    print('# %s: %s, %d kills in %.1f s' % (name, told, kills, time.monotonic() - started))
    return kills


def judge_killed(suite, name, network, calls, threads, between):
    """One gale after the other until enough brokers were killed: how long it lasts varies."""
    kills = 0
    for _ in range(GALES_MAX):
        kills += judge(suite, name, network, calls, threads, between)
        if kills >= KILLS_MIN:
            break
    suite.test(kills >= KILLS_MIN, name + ': brokers were killed', 'kills: %d' % kills)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--calls', type=int, default=10000)
    calls = parser.parse_args().calls
    suite = attacks.Suite()
    for network in 'host', 'broker':
        judge(suite, network, network, calls, 32, None)
        judge(suite, network + ', chaos', network, calls // 2, 8, None, 'chaos')
        judge_killed(suite, network + ', broker killed', network, calls, 4,
                     (0.02 * PATIENCE, 0.2 * PATIENCE))
    print('1..%d' % suite.number)
    return 1 if suite.failed else 0


if __name__ == '__main__':
    sys.exit(main())
