#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Watching decisions: who watches sees what was asked for and no more, whoever does not read is
dropped, and nobody else notices."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_control import Stream, commands  # noqa: E402
from usherd import AS_NOBODY, IS_ROOT, Daemon, running, workdir  # noqa: E402

POLICY = ('[files]\ndeny EXDEV all = /etc/hosts\ninject read = /etc/motd -> /etc/hostname\n'
          'default = allow\n')


AT_ONCE = 200  # decisions: less than any who reads has room for


def decisions(event):
    """Of how many an event tells."""
    return event.get('count', event['event'] == 'decision')


def until_ended(stream):
    """All that is told until a session has ended."""
    events = []
    while not events or events[-1]['event'] != 'ended':
        events.append(stream.read())
    return events


class Watching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.daemon.write_policy('one', POLICY)

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.daemon.process)

    def watch(self, **filters):
        """A stream that watches."""
        stream = Stream(self.daemon)
        self.assertEqual(stream.ask('monitor', **filters)['reply'], 'monitor')
        return stream

    def events_of(self, stream, *command):
        """What is told while a command runs as a session, until its end."""
        done = self.daemon.run(*command, policy='one')
        return done, until_ended(stream)

    def test_everything(self):
        """who watches sees allowed, denied and injected calls, and the session's begin and end"""
        with self.watch() as stream:
            done, events = self.events_of(stream, 'cat', '/etc/hosts', '/etc/motd', '/etc/passwd')
            self.assertEqual(done.returncode, 1)
            self.assertEqual(events[0]['event'], 'began')
            self.assertEqual(events[0]['command'], 'cat /etc/hosts /etc/motd /etc/passwd')
            seen = {event['asked']: event for event in events if event['event'] == 'decision'}
            self.assertEqual(seen['/etc/hosts']['verdict'], 'deny')
            self.assertEqual(seen['/etc/hosts']['errno'], 'EXDEV')
            self.assertEqual(seen['/etc/hosts']['program'], 'cat')  # though it has ended by then
            self.assertRegex(seen['/etc/hosts']['rule'], r'/one\.ini:2$')
            self.assertEqual(seen['/etc/motd']['verdict'], 'inject')
            self.assertEqual(seen['/etc/passwd']['verdict'], 'allow')
            self.assertEqual({event['session'] for event in events}, {events[0]['session']})
            self.assertEqual({event['policy'] for event in events}, {'one'})

    def test_filters(self):
        """filters let through what fits, and nothing else"""
        cases = [
            ({'verdicts': ['deny']}, {'/etc/hosts'}),
            ({'verdicts': ['deny', 'inject']}, {'/etc/hosts', '/etc/motd'}),
            ({'path': '/etc/mo*'}, {'/etc/motd'}),
            ({'path': '/etc/h*', 'verdicts': ['allow']}, set()),
            ({'operations': ['write', 'create']}, set()),
            ({'operations': ['read'], 'path': '*passwd'}, {'/etc/passwd'}),
            ({'policy': 'one', 'path': '/etc/hosts'}, {'/etc/hosts'}),
        ]
        for filters, expected in cases:
            with self.subTest(filters), self.watch(**filters) as stream:
                _, events = self.events_of(stream, 'cat', '/etc/hosts', '/etc/motd', '/etc/passwd')
                seen = {event['asked'] for event in events if event['event'] == 'decision'}
                self.assertEqual(seen, expected)

    def test_other_sessions(self):
        """of other sessions and policies than those asked for nothing is told"""
        with running(self.daemon, policy='everything') as process, \
                contextlib.ExitStack() as stack:
            session = self.daemon.session_of(process)['id']
            streams = [stack.enter_context(self.watch(**filters)) for filters in
                       ({'sessions': [session]}, {'policy': 'everything'})]
            self.daemon.run('cat', '/etc/hosts', policy='one')
            for stream in streams:
                stream.socket.settimeout(0.3)
                with contextlib.suppress(TimeoutError):
                    while True:
                        self.assertEqual(stream.read()['session'], session)

    def test_wrong_words(self):
        """words that are no verdict or operation are refused by name"""
        with Stream(self.daemon) as stream:
            for key, word in (('verdicts', 'denied'), ('operations', 'reed')):
                error = stream.ask('monitor', **{key: [word]})['error']
                self.assertEqual((error['code'], error['key']), ('wrong-value', key))
                self.assertIn(word, error['text'])
            self.assertEqual(stream.ask('monitor', sessions=['1'])['error']['code'], 'wrong-type')
            self.assertEqual(stream.ask('version')['reply'], 'version')

    def test_only_an_end(self):
        """who watches may only end; what else it says ends it"""
        with self.watch() as stream:
            self.assertIsNone(stream.ask('version'))

    def test_slow(self):
        """who does not read is told so and dropped; the session and others go on"""
        script = (f'while read count; do while [ $((count -= 1)) -ge 0 ]; do : >{workdir("slow")}/x; done; '
                  'done; echo done')
        with self.watch() as slow, self.watch() as reader:
            process = self.daemon.popen('sh', '-c', script, policy='one', stdin=subprocess.PIPE)
            seen = asked = 0
            while 'too slow to watch' not in self.daemon.log():
                process.stdin.write(f'{AT_ONCE}\n')
                process.stdin.flush()
                # What the reader did not see it is told the number of, with what comes next.
                while seen < asked - AT_ONCE:
                    seen += decisions(reader.read())
                asked += AT_ONCE
            process.stdin.close()
            seen += sum(map(decisions, until_ended(reader)))
            self.assertGreaterEqual(seen, asked)
            self.assertEqual((process.stdout.read(), process.wait(harness.SECONDS)), ('done\n', 0))
            process.stdout.close()
            process.stderr.close()
            last = None
            with contextlib.suppress(ConnectionError):
                for line in slow.file:
                    last = json.loads(line)
            self.assertEqual(last['error']['code'], 'too-slow')

    def test_nobody_watches(self):
        """once nobody watches any more brokers tell nothing"""
        with running(self.daemon, 'sh', '-c', 'while read x; do : < /etc/passwd; done',
                     policy='one') as process:
            with self.watch(path='/etc/passwd') as stream:
                process.stdin.write('\n')
                process.stdin.flush()
                self.assertEqual(stream.read()['asked'], '/etc/passwd')
            harness.wait_until(lambda: self.round_trip(process) == 0, 'nothing is left out')
            self.assertEqual(self.daemon.session_of(process)['untold'], 0)

    def round_trip(self, process):
        before = self.daemon.session_of(process)['allowed']
        process.stdin.write('\n')
        process.stdin.flush()
        harness.wait_until(lambda: self.daemon.session_of(process)['allowed'] > before,
                           'it was decided')
        return self.daemon.session_of(process)['untold']

    @unittest.skipUnless(IS_ROOT, 'needs root')
    def test_others(self):
        """a user sees nothing of what another's sessions do"""
        script = ('import socket, sys, json; s = socket.socket(socket.AF_UNIX);'
                  's.connect(sys.argv[1]); s.sendall(b\'{"request":"monitor"}\\n\');'
                  'f = s.makefile(); f.readline(); print(f.readline(), flush=True);'
                  's.settimeout(1.5)\n'
                  'try: print(f.readline())\nexcept TimeoutError: print("nothing")')
        watcher = subprocess.Popen([*AS_NOBODY, sys.executable, '-c', script, self.daemon.control],
                                   stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(watcher.stdout.readline())['reply'], 'monitor')
        self.daemon.run('cat', '/etc/hosts', policy='one')
        self.assertEqual(watcher.communicate(timeout=harness.SECONDS)[0].strip(), 'nothing')


class Command(unittest.TestCase):
    def start(self, daemon, *options, terminal=False, environment=None):
        command = [str(harness.USHER), 'monitor', '--socket', str(daemon.socket), *options]
        main, out = pty.openpty() if terminal else (None, subprocess.PIPE)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                                   env={**harness.environment(), **(environment or {})})
        if terminal:
            os.close(out)
            process.stdout = open(main, 'rb', buffering=0)
        return process

    @staticmethod
    def wait_until_it_watches(daemon, process):
        """It shows something: sessions go by until then."""
        while not select.select([process.stdout], [], [], 0.1)[0]:
            daemon.run('true')

    def watch(self, *options, **more):
        """What is shown of a cat of /etc/hosts, which is denied."""
        with Daemon() as daemon:
            daemon.write_policy('one', POLICY)
            process = self.start(daemon, '--count', '1', '--verdict', 'deny', *options, **more)
            try:
                while process.poll() is None:
                    daemon.run('cat', '/etc/hosts', policy='one')
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
                self.assertEqual(process.returncode, 0, process.stderr.read())
                text = b''
                with contextlib.suppress(OSError):
                    while chunk := process.stdout.read(65536):
                        text += chunk
                return text.decode()
            finally:
                process.stdout.close()
                process.stderr.close()

    def test_json(self):
        """usher monitor writes JSON lines into a pipe"""
        events = [json.loads(line) for line in self.watch().splitlines()]
        self.assertEqual((events[-1]['event'], events[-1]['asked'], events[-1]['verdict']),
                         ('decision', '/etc/hosts', 'deny'))

    def test_terminal(self):
        """on a terminal it writes words, with a denial in red, unless NO_COLOR says no"""
        self.assertRegex(self.watch(terminal=True, environment={'NO_COLOR': '1', 'TERM': 'xterm'}),
                         r'\d\d:\d\d:\d\d\.\d{3} \d+ .*deny.* openat read /etc/hosts: EXDEV '
                         r'\[(cat|\?) \d+\] one\.ini:2 \d+ us')
        with self.subTest('color'):
            environment = {'NO_COLOR': '', 'TERM': 'xterm'}
            self.assertIn('\x1b[31mdeny\x1b[0m', self.watch(terminal=True, environment=environment))
        with self.subTest('a terminal that has none'):
            for term in 'dumb', '':
                self.assertNotIn('\x1b', self.watch(terminal=True,
                                                    environment={'NO_COLOR': '', 'TERM': term}))
        self.assertEqual(json.loads(self.watch('--json', terminal=True).splitlines()[-1])['verdict'],
                         'deny')

    def test_end_of_daemon(self):
        """when the daemon ends it says so, exit 1; an interrupt ends it at once"""
        with Daemon() as daemon:
            process, other = (self.start(daemon), self.start(daemon))
            for one in (process, other):
                self.wait_until_it_watches(daemon, one)
            other.send_signal(signal.SIGINT)
            self.assertEqual(other.wait(harness.SECONDS), -signal.SIGINT)
            daemon.process.terminate()
            _, err = process.communicate(timeout=harness.SECONDS)
            self.assertEqual((process.returncode, err),
                             (1, b'usher: usherd has ended the connection\n'))
            other.communicate()

    def test_usage(self):
        """options and words that are wrong are a usage error, and what they may be is told"""
        with Daemon() as daemon:
            for options in (['--session', 'x'], ['--count', '0'], ['--nonsense'], ['word']):
                self.assertEqual(commands(daemon, 'monitor', *options).returncode, 2, options)
            done = commands(daemon, 'monitor', '--verdict', 'denied')
            self.assertEqual(done.returncode, 2)
            self.assertIn("--verdict 'denied': it must be allow", done.stderr)
        self.assertIn('--verdict', harness.usher('monitor', '--help').stdout)


if __name__ == '__main__':
    unittest.main()
