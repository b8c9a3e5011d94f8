# SPDX-License-Identifier: Apache-2.0
"""What is wrong on a command line is told by its name, and what it should have been; no command does
anything then, and all of them say it in the same words.
"""

import subprocess
import unittest

import harness

GRACE = "it must be a whole number from 0 to 600"

# (the line, what is said of it)
WRONG_VALUES = (
    ('stop --grace 700', f"usher: --grace '700': {GRACE}"),
    ('stop --grace -1', f"usher: --grace '-1': {GRACE}"),
    ('stop --grace 4294967297', f"usher: --grace '4294967297': {GRACE}"),
    ('stop --grace 18446744073709551617', f"usher: --grace '18446744073709551617': {GRACE}"),
    ('sessions --grace 5s', f"usher: --grace '5s': {GRACE}"),
    ('monitor --count 0', "usher: --count '0': it must be a whole number from 1"),
    ('monitor -c x', "usher: --count 'x': it must be a whole number from 1"),
    ('monitor --session x', "usher: --session 'x': it must be a whole number"),
    ('monitor --verdict denny', "usher: --verdict 'denny': it must be allow, deny, inject or kill; "
                                "did you mean 'deny'?"),
    ('top --delay 0', "usher: --delay '0': it must be a number from 0.1 to 60"),
    ('top --delay nan', "usher: --delay 'nan': it must be a number from 0.1 to 60"),
    ('top --delay=', "usher: --delay '': it must be a number from 0.1 to 60"),
    ('run --net brokr true', "usher: --net 'brokr': it must be host, broker or none; "
                             "did you mean 'broker'?"),
    ('run --net=host,none true', "usher: --net 'host,none': it must be host, broker or none"),
    ('stop --grace 5', 'usher stop: --grace is for --end'),
    ('stop --wait --grace 5', 'usher stop: --grace is for --end'),
    ('stop --wait --end', 'usher stop: --wait or --end, but not both'),
    ('run --set X true', "usher: --set 'X': it must be NAME=VALUE"),
    ('check --set =1 x', "usher: --set '=1': it must be NAME=VALUE"),
)
MISSING = (
    ('check --set', 'usher check: --set lacks its value'),
    ('explain -p', 'usher explain: --policy lacks its value'),
    ('run --policy', 'usher run: --policy lacks its value'),
    ('run -l', 'usher run: --log lacks its value'),
    ('stop --grace', 'usher stop: --grace lacks its value'),
    ('metrics -o', 'usher metrics: --output lacks its value'),
    ('status --socket', 'usher status: --socket lacks its value'),
    ('check', 'usher check: no POLICY is named'),
    ('explain open /x', 'usher explain: no --policy is named'),
    ('explain -p x', 'usher explain: no QUESTION is asked'),
    ('sessions end', "usher sessions end: which? 'usher sessions' lists them"),
    ('run --policy x', "usher: no command to run"),
)
UNKNOWN = (
    ('chekc', "usher: 'chekc' is not a command; did you mean 'check'?"),
    ('zebra', "usher: 'zebra' is not a command\n"),
    ('check --jsno x', "usher check: there is no option '--jsno'; did you mean '--json'?"),
    ('check --zebra x', "usher check: there is no option '--zebra'\n"),
    ('check --jsno=1 x', "usher check: there is no option '--jsno'; did you mean '--json'?"),
    ('check -z x', "usher check: there is no option '-z'"),
    ('stop -wz', "usher stop: there is no option '-z'"),
    ('status --json=1', 'usher status: --json takes no value'),
    ('status --s x', "usher status: '--s' may be --socket or --system"),
    ('run --embeded true', "usher run: there is no option '--embeded'; did you mean '--embedded'?"),
    ('doctor --jsno', "usher doctor: there is no option '--jsno'; did you mean '--json'?"),
    ('doctor x', "usher doctor: 'x' is a word too many"),
    ('status x', "usher status: 'x' is a word too many"),
    ('sessions list x', "usher sessions list: 'x' is a word too many"),
    ('sessions ned 1', "usher sessions: 'ned': it must be list or end; did you mean 'end'?"),
    ('explain -p x opne /x', "did you mean 'open'?"),
    ('explain -p x open -x /x', 'usher: open: one PATH is expected'),
)
USHERD = (
    ('--chekc', "there is no option '--chekc'; did you mean '--check'?"),
    ('--config', '--config lacks its value'),
    ('-z', "there is no option '-z'"),
    ('--check=1', '--check takes no value'),
    ('x', "'x' is a word too many"),
)


class CommandLine(unittest.TestCase):
    def told(self, cases):
        for line, words in cases:
            with self.subTest(line):
                done = harness.usher(*line.split(' '))
                self.assertEqual(done.returncode, 125 if line.startswith('run') else 2, done.stderr)
                self.assertEqual(done.stdout, '')
                self.assertIn(words, done.stderr)

    def test_values(self):
        """a wrong value is told with the option's name, what it must be, and the nearest word"""
        self.told(WRONG_VALUES)

    def test_missing(self):
        """what is missing is named"""
        self.told(MISSING)

    def test_unknown(self):
        """what nobody knows is named, and the nearest that is known"""
        self.told(UNKNOWN)

    def test_usherd(self):
        """usherd says the same"""
        for line, words in USHERD:
            with self.subTest(line):
                done = subprocess.run([harness.USHERD, line], stdin=subprocess.DEVNULL, text=True,
                                      capture_output=True, timeout=harness.SECONDS, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertIn(words, done.stderr)


if __name__ == '__main__':
    unittest.main()
