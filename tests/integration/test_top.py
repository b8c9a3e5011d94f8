#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usher top on a terminal of ours: what it shows, its keys, its size, and that it gives the terminal
back however it ends."""

import contextlib
import fcntl
import itertools
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_control import commands  # noqa: E402
from usherd import Daemon, running  # noqa: E402

POLICY = '[files]\ndeny EXDEV all = /etc/hosts\ndefault = allow\n'
LEAVE = '\x1b[?1049l'  # rmcup of xterm


class Terminal:
    """usher top as a child on a pseudo-terminal of its own."""

    def __init__(self, daemon, *options, size=(24, 80), environment=None):
        self.main, out = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(out)
        self.process = subprocess.Popen(
            [str(harness.USHER), 'top', '--socket', str(daemon.socket), '--delay', '0.2', *options],
            stdin=out, stdout=out, stderr=out, start_new_session=True,
            env={**harness.environment(), 'TERM': 'xterm-256color', **(environment or {})})
        self.out = out
        self.text = ''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.out)

    def resize(self, lines, columns):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def read(self, seconds=0.05):
        while select.select([self.main], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.text += os.read(self.main, 65536).decode(errors='replace')
        return self.text

    def wait_for(self, words):
        harness.wait_until(lambda: words in self.read(), f'{words!r} is shown')

    def wait_for_all_anew(self, words):
        """What did not change is not sent again, but to a terminal of another size."""
        for columns in itertools.cycle((100, 101)):
            self.resize(24, columns)
            self.process.send_signal(signal.SIGWINCH)
            if words in self.read(0.1):
                return

    def press(self, key):
        os.write(self.main, key.encode())

    def ends(self, status):
        harness.wait_until(lambda: (self.read(), self.process.poll() is not None)[1], 'it ends')
        self.read()
        assert self.process.returncode == status, (self.process.returncode, self.text[-400:])
        assert LEAVE in self.text[-400:], repr(self.text[-400:])
        assert termios.tcgetattr(self.out) == self.before


class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.daemon.write_policy('one', POLICY)

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.daemon.process)

    def test_shows(self):
        """sessions with their rates, and what is denied most, are shown on 80x24; q ends it"""
        script = 'while read x; do cat < /etc/hosts; done'
        with running(self.daemon, 'sh', '-c', script, policy='one') as process, \
                Terminal(self.daemon) as top:
            top.wait_for('MOST DENIED')
            top.wait_for('sh -c while')
            for _ in range(5):
                process.stdin.write('\n')
                process.stdin.flush()
            top.wait_for('/etc/hosts')
            top.press('q')
            top.ends(0)
            self.assertLessEqual(max(map(int, lines_of(top.text))), 24)

    def test_keys(self):
        """s goes through the orders, p pauses"""
        with Terminal(self.daemon) as top:
            for order in ('rate', 'denied', 'delay', 'age', 'session'):
                top.wait_for_all_anew(f'(by {order})')
                top.press('s')
            top.press('p')
            top.wait_for('paused')
            top.press('q')
            top.ends(0)

    def test_size(self):
        """it follows the size of the terminal, also to one that is too small for anything"""
        with Terminal(self.daemon) as top:
            top.wait_for('MOST DENIED')
            for size in ((50, 200), (5, 20), (1, 1), (24, 80)):
                top.text = ''
                top.resize(*size)
                top.process.send_signal(signal.SIGWINCH)
                harness.wait_until(lambda: top.read() != '' or size == (1, 1), 'it is drawn again')
                time.sleep(0.1)
                self.assertIsNone(top.process.poll())
            top.wait_for('MOST DENIED')
            top.press('q')
            top.ends(0)

    def test_colors(self):
        """denials are red, and not with NO_COLOR"""
        for environment, is_red in (({}, True), ({'NO_COLOR': '1'}, False)):
            environment.setdefault('NO_COLOR', '')
            if is_red:
                environment.pop('NO_COLOR')
                os.environ.pop('NO_COLOR', None)
            with self.subTest(is_red), Terminal(self.daemon, environment=environment) as top:
                top.wait_for('MOST DENIED')
                harness.wait_until(lambda: (self.daemon.run('cat', '/etc/hosts', policy='one'),
                                            '/etc/hosts' in top.read())[1], 'a denial is shown')
                self.assertEqual('\x1b[31m' in top.text, is_red)
                top.press('q')
                top.ends(0)

    def test_signals(self):
        """a signal ends it, and the terminal is as it was"""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number), Terminal(self.daemon) as top:
                top.wait_for('MOST DENIED')
                top.process.send_signal(number)
                top.ends(-number)

    def test_end_of_daemon(self):
        """when the daemon ends it gives the terminal back and says so"""
        with Daemon() as daemon, Terminal(daemon) as top:
            top.wait_for('MOST DENIED')
            daemon.process.terminate()
            harness.wait_until(lambda: (top.read(), top.process.poll() is not None)[1], 'it ends')
            self.assertEqual(top.process.returncode, 1)
            self.assertIn('usherd has ended the connection', top.read())
            self.assertLess(top.text.index(LEAVE), top.text.index('usherd has ended'))

    def test_no_terminal(self):
        """without a terminal it says what to use instead; --json is one look"""
        done = commands(self.daemon, 'top')
        self.assertEqual(done.returncode, 1)
        self.assertIn('needs a terminal', done.stderr)
        self.assertIn('sessions', json.loads(commands(self.daemon, 'top', '--json').stdout))
        for term in 'no-such-terminal', 'dumb', '':
            with self.subTest(term), Terminal(self.daemon, environment={'TERM': term}) as top:
                top.wait_for('that TERM names and whose cursor can be moved')
        self.assertEqual(commands(self.daemon, 'top', '--delay', '0').returncode, 2)
        self.assertIn('--delay', harness.usher('top', '--help').stdout)


def lines_of(text):
    """The numbers of the lines that the cursor was sent to."""
    return re.findall(r'\x1b\[(\d+);\d+H', text) or ['1']


if __name__ == '__main__':
    unittest.main()
