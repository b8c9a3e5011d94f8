#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reloading: all or nothing, with each mistake told; broken files refuse nobody meanwhile; running
sessions that follow take their policy on between two calls, or are told why they cannot."""

import errno
import json
import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_control import Stream, commands  # noqa: E402
from usherd import AS_NOBODY, IS_ROOT, Daemon, workdir  # noqa: E402

FOLLOWS = '[policy]\nfollow = yes\n[files]\ndefault = allow\n'
DENIES = FOLLOWS + 'deny EXDEV read = {}\n'


class Opener:
    """A program that says of each file that is named to it what opening it gives."""

    SCRIPT = ('import os, sys\n'
              'for line in sys.stdin:\n'
              '    try: os.close(os.open(line.strip(), os.O_RDONLY)); print("opened", flush=True)\n'
              '    except OSError as error: print(error.errno, flush=True)\n')

    def __init__(self, daemon, policy, **more):
        self.process = daemon.popen(sys.executable, '-c', self.SCRIPT, policy=policy,
                                    stdin=subprocess.PIPE, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=harness.SECONDS)

    def open(self, path):
        self.process.stdin.write(f'{path}\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        return answer if answer == 'opened' else int(answer)


class Reloading(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.file = workdir('file') / 'x'
        self.file.write_text('x\n')
        self.write('follows', FOLLOWS)
        self.write('stays', '[files]\ndefault = allow\ndeny EXDEV read = /none\n')
        self.daemon.start()

    def tearDown(self):
        harness.end(self.daemon.process)

    def write(self, name, text):
        self.daemon.write_policy(name, text.format(self.file))

    def reload(self, *options, status=0):
        done = commands(self.daemon, 'reload', *options)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def outcomes(self):
        sessions = json.loads(self.reload('--json').stdout)['sessions']
        return {session['policy']: (session['outcome'], session.get('reason', ''))
                for session in sessions}

    def test_broken_file(self):
        """a policy that somebody has broken goes on as it was, for new sessions too"""
        self.write('stays', 'nonsense\n')
        self.assertEqual(self.daemon.run('cat', self.file, policy='stays').stdout, 'x\n')
        (self.daemon.policies / 'stays.ini').unlink()
        self.assertEqual(self.daemon.run('cat', self.file, policy='stays').stdout, 'x\n')

    def test_all_or_nothing(self):
        """with one mistake nothing is taken, and all mistakes are told, to the caller and the log"""
        self.write('stays', '[files]\ndefault = allow\ndeny EXDEV read = {}\n')
        self.write('wrong', '[files]\nalow read = /x\ndefault = alow\n')
        done = self.reload(status=1)
        for place in ("wrong.ini:2:1: error: unknown key or action 'alow'", 'wrong.ini:3:11: error: '):
            self.assertIn(place, done.stderr)
        self.assertIn('what was in force stays so', done.stderr)
        self.assertIn('wrong.ini:2:1: ', self.daemon.log())
        self.assertEqual(self.daemon.run('cat', self.file, policy='stays').returncode, 0)
        answer = json.loads(self.reload('--json', status=1).stdout)
        self.assertEqual(answer['done'], False)
        self.assertEqual([(m['line'], m['column']) for m in answer['mistakes']], [(2, 1), (3, 11)])
        (self.daemon.policies / 'wrong.ini').unlink()
        self.assertIn('reloaded, with ', self.reload().stdout)
        self.assertEqual(self.reload('--quiet').stdout, '')
        done = self.daemon.run('cat', self.file, policy='stays')
        self.assertIn(os.strerror(errno.EXDEV), done.stderr)

    def test_configuration(self):
        """a mistake in the configuration is told by its place, and the policies stay, too"""
        self.write('stays', '[files]\ndefault = allow\ndeny EXDEV read = {}\n')
        self.daemon.configure(limits='sesions = 5')
        self.assertIn("usherd.ini:7:1: error: unknown key 'sesions'", self.reload(status=1).stderr)
        self.assertEqual(self.daemon.run('cat', self.file, policy='stays').returncode, 0)

    def test_new_file(self):
        """a policy that is new is found without a reload"""
        self.write('new', '[files]\ndefault = allow\n')
        self.assertEqual(self.daemon.run('cat', self.file, policy='new').stdout, 'x\n')

    def test_client_variables(self):
        """a policy that needs a set of the client's is no mistake"""
        self.write('set', '[policy]\ninclude = ${{HOME}}/more.ini ${{MORE}}\n[files]\n'
                          'allow read = ${{WHERE}}/** ${{HOME}}/x\n[network]\n'
                          'allow connect = tcp 127.0.0.1:${{PORT}}\n')
        self.reload()

    def test_follow(self):
        """a running session that follows takes on what its policy says now, and no other does"""
        with Opener(self.daemon, 'stays') as stays:
            # What is asked about must be asked about already: a denial that no file matches.
            self.write('follows', FOLLOWS + 'deny EXDEV read = /none\n')
            self.reload()
            with Opener(self.daemon, 'follows') as follows:
                self.assertEqual(follows.open(self.file), 'opened')
                self.assertEqual(stays.open(self.file), 'opened')
                self.write('follows', DENIES)
                self.write('stays', '[files]\ndefault = allow\ndeny EXDEV read = {}\n')
                self.assertEqual(self.outcomes(),
                                 {'follows': ('followed', ''), 'stays': ('kept', '')})
                self.assertEqual(follows.open(self.file), errno.EXDEV)
                self.assertEqual(stays.open(self.file), 'opened')
                self.assertEqual(self.outcomes()['follows'], ('same', ''))
                self.write('follows', FOLLOWS + 'deny EXDEV read = /other\n')
                self.assertEqual(self.outcomes()['follows'], ('followed', ''))
                self.assertEqual(follows.open(self.file), 'opened')
                # The filter is the one that it began with, whatever it follows.
                self.write('follows', DENIES)
                self.assertEqual(self.outcomes()['follows'], ('followed', ''))
                self.assertEqual(follows.open(self.file), errno.EXDEV)

    def test_successor(self):
        """a broker that comes after the reload begins with the new policy"""
        self.write('follows', FOLLOWS + 'deny EXDEV read = /none\n')
        self.reload()
        with Opener(self.daemon, 'follows') as follows:
            self.assertEqual(follows.open(self.file), 'opened')
            self.write('follows', DENIES)
            self.assertEqual(self.outcomes()['follows'], ('followed', ''))
            os.kill(self.daemon.sessions()[0]['broker'], signal.SIGKILL)
            self.daemon.wait_for_log('started again')
            self.assertEqual(follows.open(self.file), errno.EXDEV)

    def test_hangup(self):
        """SIGHUP does the same"""
        self.write('follows', FOLLOWS + 'deny EXDEV read = /none\n')
        self.reload()
        with Opener(self.daemon, 'follows') as follows:
            self.assertEqual(follows.open(self.file), 'opened')
            self.write('follows', DENIES)
            self.daemon.process.send_signal(signal.SIGHUP)
            self.daemon.wait_for_log("session 1 has the policy 'follows' as it is now")
            self.assertEqual(follows.open(self.file), errno.EXDEV)

    def test_refused(self):
        """what the running filter does not ask about is refused for that session, with the reason"""
        cases = [
            (DENIES, 'its filter lets pass open'),
            (FOLLOWS + '[syscalls]\ndeny EPERM = ptrace\n', 'ptrace'),
            ('[policy]\nfollow = yes\nnet = none\n[files]\ndefault = allow\n', 'net = host'),
            (FOLLOWS + 'allow execute = /usr/**\n', 'Landlock'),
            (FOLLOWS + 'deny EXDEV metadata = ${{HOME}}/x\n', 'its filter lets pass'),
        ]
        with Opener(self.daemon, 'follows') as follows:
            self.assertEqual(follows.open(self.file), 'opened')
            for text, reason in cases:
                with self.subTest(reason):
                    self.write('follows', text)
                    outcome, told = self.outcomes()['follows']
                    self.assertEqual(outcome, 'refused', told)
                    self.assertIn(reason, told)
            self.assertIn('goes on under the policy', self.daemon.log())
            self.assertEqual(follows.open(self.file), 'opened')
            (self.daemon.policies / 'follows.ini').unlink()
            self.assertIn('any more', self.outcomes()['follows'][1])
            self.assertIn('refused', self.reload('--quiet').stderr)

    def test_no_call_is_missed(self):
        """while policies change under it each call gets an answer of one of them, and none another"""
        one, other = workdir('pair') / 'one', workdir('pair') / 'other'
        for path in (one, other):
            path.write_text('x\n')
        texts = [f'{FOLLOWS}deny EXDEV read = {one}\n', f'{FOLLOWS}deny EXDEV read = {other}\n']
        self.daemon.write_policy('follows', texts[0])
        self.reload()
        # Tells each outcome that is new, and where a line is written to it, that it has tried both
        # files since.
        script = ('import os, select, sys\n'
                  'seen = set()\n'
                  'while True:\n'
                  '    asked = select.select([0], [], [], 0)[0] and os.read(0, 1)\n'
                  '    if asked == b"": break\n'
                  '    for path in sys.argv[1:3]:\n'
                  '        try: os.close(os.open(path, os.O_RDONLY)); answer = 0\n'
                  '        except OSError as error: answer = error.errno\n'
                  '        if (path, answer) not in seen: print(path, answer, flush=True)\n'
                  '        seen.add((path, answer))\n'
                  '    if asked: print("tried", flush=True)\n')
        process = self.daemon.popen(sys.executable, '-c', script, one, other, policy='follows',
                                    stdin=subprocess.PIPE)
        outcomes = set()

        def try_both():
            process.stdin.write('x')
            process.stdin.flush()
            while (line := process.stdout.readline().strip()) != 'tried':
                self.assertTrue(line, 'the program has ended')
                outcomes.add(line)
        try_both()
        self.assertEqual(outcomes, {f'{one} 18', f'{other} 0'})
        for i in range(1, 21):
            self.daemon.write_policy('follows', texts[i % 2])
            self.assertEqual(self.outcomes(), {'follows': ('followed', '')})
            try_both()
        out, err = process.communicate(timeout=harness.SECONDS)
        self.assertEqual((out, err), ('', ''))
        self.assertEqual(outcomes, {f'{path} {answer}' for path in (one, other) for answer in (0, 18)})

    def test_two_at_once(self):
        """of two who reload at the same time both get an answer"""
        with Stream(self.daemon) as one, Stream(self.daemon) as two:
            for stream in (one, two):
                stream.file.write('{"request":"reload"}\n')
                stream.file.flush()
            answers = [stream.read() for stream in (one, two)]
            done = [answer for answer in answers if answer.get('done')]
            busy = [answer for answer in answers if answer.get('error', {}).get('code') == 'busy']
            self.assertEqual(len(done) + len(busy), 2, answers)
            self.assertGreater(len(done), 0)

    @unittest.skipUnless(IS_ROOT, 'needs root')
    def test_others(self):
        """a user may not reload the system's daemon"""
        error = self.daemon.ask({'request': 'reload'}, as_user=AS_NOBODY)['error']
        self.assertEqual(error['code'], 'denied')

    def test_long_call(self):
        """a call that waits is answered by the policy that it began with; others go on by the new"""
        fifo = workdir('fifo') / 'fifo'
        os.mkfifo(fifo)
        self.write('follows', FOLLOWS + 'deny EXDEV read = /none\n')
        self.reload()
        with Opener(self.daemon, 'follows') as follows:
            self.assertEqual(follows.open(self.file), 'opened')
            follows.process.stdin.write(f'{fifo}\n')
            follows.process.stdin.flush()
            harness.wait_until_at_rest(follows.process.pid,
                                       self.daemon.session_of(follows.process)['broker'])
            self.write('follows', DENIES)
            self.assertEqual(self.outcomes()['follows'], ('followed', ''))
            with open(fifo, 'w', encoding='ascii'):
                self.assertEqual(follows.process.stdout.readline(), 'opened\n')
            self.assertEqual(follows.open(self.file), errno.EXDEV)


if __name__ == '__main__':
    unittest.main()
