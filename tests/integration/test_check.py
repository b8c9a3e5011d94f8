# SPDX-License-Identifier: Apache-2.0
"""`usher check`: what is wrong with policies, all of it in one run, and its exit status."""

import json
import os
import unittest

import harness

CLEAN = '[files]\ndefault = deny\nallow read = /usr/**\n'
WARNED = '[files]\nallow read = /usr/**\ndeny read = /usr/share/**\n'
FILES_WRONG = '[fils]\n[files]\ndeny EACESS raed = /x\nallow read = relative\n'
CALLS_WRONG = ('[syscalls]\ndeny = ptrase\ndeny = ioctl(arg1 == TIOCSTY)\n'
               '[network]\nallow conect = tcp 1.2.3.400:80\n')


class Check(unittest.TestCase):
    def setUp(self):
        self.place = harness.workdir('check')

    def write(self, name, text):
        (self.place / name).write_text(text)
        return str(self.place / name)

    def test_clean(self):
        """A policy in which nothing is wrong: 0, also with --strict, and nothing on stderr."""
        file = self.write('clean.ini', CLEAN)
        for options in [], ['--strict']:
            result = harness.usher('check', *options, file)
            self.assertEqual((result.returncode, result.stderr), (0, ''))
            self.assertRegex(result.stdout, r': ok, 1 rules, a filter of \d+ instructions\n')

    def test_warnings(self):
        """A warning: 0, and 1 with --strict; it is told in both."""
        file = self.write('warned.ini', WARNED)
        for options, status in ([], 0), (['--strict'], 1):
            result = harness.usher('check', *options, file)
            self.assertEqual(result.returncode, status, result.stderr)
            self.assertIn(f"{file}:3:13: warning: '/usr/share/**' never matches", result.stderr)

    def test_mistakes(self):
        """All mistakes of several files in one run, with places and hints: 2."""
        one, two = self.write('one.ini', FILES_WRONG), self.write('two.ini', CALLS_WRONG)
        result = harness.usher('check', one, self.write('clean.ini', CLEAN), two)
        self.assertEqual(result.returncode, 2)
        self.assertIn('clean.ini: ok', result.stdout)
        expected = [
            f"{one}:1:2: error: unknown section [fils]; did you mean 'files'?",
            f"{one}:3:6: error: unknown errno 'EACESS'; did you mean 'EACCES'?",
            f"{one}:3:13: error: unknown operation 'raed'; did you mean 'read'?",
            f"{one}:4:14: error: 'relative' is not an absolute path",
            f"{two}:2:8: error: unknown system call 'ptrase'; did you mean 'ptrace'?",
            f"{two}:3:22: error: unknown constant 'TIOCSTY'; did you mean 'TIOCSTI'?",
            f"{two}:5:7: error: unknown operation 'conect'; did you mean 'connect'?",
        ]
        lines = result.stderr.splitlines()
        self.assertEqual(lines[:7], expected)
        self.assertEqual(len(lines), 8, lines)
        self.assertIn('1.2.3.400', lines[7])

    def test_run_refuses(self):
        """What check finds wrong is not run: the same line, and the program does not start."""
        file = self.write('one.ini', FILES_WRONG)
        mark = self.place / 'mark'
        result = harness.run(['touch', mark], policy=file)
        self.assertEqual(result.returncode, 125)
        self.assertIn(f"{file}:3:13: error: unknown operation 'raed'", result.stderr.decode())
        self.assertFalse(mark.exists())

    def test_launch(self):
        """A policy under which nothing can start is warned of; `run` says why in the same words."""
        file = self.write('none.ini', '[syscalls]\ndefault = allow\ndeny EPERM = execve\n')
        words = '[syscalls] refuses execve; allow it'
        result = harness.usher('check', '--strict', file)
        self.assertEqual(result.returncode, 1)
        self.assertIn(words, result.stderr)
        result = harness.run(['true'], policy=file)
        self.assertEqual(result.returncode, 125)
        self.assertIn(words, result.stderr.decode())

    def test_too_large(self):
        """Comparisons that no filter can hold are an error of the policy: 2."""
        rules = ''.join(f'deny E2BIG = mmap(arg0 != {i * 7}, arg1 > {i * 11}, arg5 <= {i * 13})\n'
                        for i in range(300))
        result = harness.usher('check', self.write('large.ini', '[syscalls]\n' + rules))
        self.assertEqual(result.returncode, 2)
        self.assertIn('more than 4096 instructions', result.stderr)

    def test_execute_too_large(self):
        """More paths that may be executed than a hand-over carries are an error of the policy: 2."""
        rules = ''.join(f'allow execute = /usr/bin/{"x" * 150}{i}\n' for i in range(180))
        result = harness.usher('check', self.write('execute.ini', '[files]\n' + rules))
        self.assertEqual(result.returncode, 2)
        self.assertIn('more than 24 KiB', result.stderr)

    def test_json(self):
        """--json: one array, with the same mistakes and warnings, and numbers."""
        files = [self.write('one.ini', FILES_WRONG), self.write('clean.ini', CLEAN),
                 self.write('warned.ini', WARNED)]
        result = harness.usher('check', '--json', *files)
        self.assertEqual((result.returncode, result.stderr), (2, ''))
        one, clean, warned = json.loads(result.stdout)
        self.assertEqual([one['policy'], clean['policy'], warned['policy']], files)
        self.assertIsNotNone(one['error'])
        self.assertEqual([(item['severity'], item['line'], item['column'])
                          for item in one['diagnostics']],
                         [('error', 1, 2), ('error', 3, 6), ('error', 3, 13), ('error', 4, 14)])
        self.assertEqual((clean['error'], clean['rules'], clean['diagnostics']), (None, 1, []))
        self.assertGreater(clean['instructions'], 10)
        self.assertEqual([item['severity'] for item in warned['diagnostics']], ['warning'])
        self.assertEqual(warned['diagnostics'][0]['line'], 3)

    def test_variables(self):
        """--set gives a variable its value; without, its name is told with a hint."""
        file = self.write('set.ini', '[files]\nallow read = ${PROJECT}/** ${HOMME}/x\n')
        result = harness.usher('check', '--set', 'PROJECT=/srv/x', file)
        self.assertEqual(result.returncode, 2)
        self.assertIn("did you mean 'HOME'?", result.stderr)
        self.assertNotIn('PROJECT', result.stderr)
        result = harness.usher('check', file)
        self.assertIn('PROJECT', result.stderr)

    def test_bad_set(self):
        """--set without a name or a value, or too often, is said alike by all who take it."""
        file = self.write('clean.ini', CLEAN)
        for wrong, words in ((['--set', 'X'], 'it must be NAME=VALUE'),
                             (['--set', '=x'], 'it must be NAME=VALUE'),
                             (['--set', 'X=x'] * 65, 'given more than 64 times')):
            for command in (['check', *wrong, file],
                            ['explain', '--policy', file, *wrong, 'open', '-r', '/x'],
                            ['run', '--policy', file, *wrong, 'true']):
                result = harness.usher(*command)
                self.assertIn(words, result.stderr, command)
                self.assertNotEqual(result.returncode, 0, command)

    def test_names(self):
        """A name is looked for where `run` looks; one that is not there: 2, and where it is not."""
        name = harness.policy(CLEAN)
        self.assertEqual(harness.usher('check', name).returncode, 0)
        result = harness.usher('check', 'no-such-policy')
        self.assertEqual(result.returncode, 2)
        self.assertIn('no-such-policy.ini', result.stderr)
        self.assertIn(str(harness.policy_directory()), result.stderr)

    def test_same_words(self):
        """Who loads a policy says of the same mistake the same: `check`, `explain` and `run`."""
        directory = self.place / 'directory'
        directory.mkdir()
        wrong = self.write('wrong.ini', '[files]\nallow raed = /x\n')
        for name, words in (('no-such-policy', "no policy 'no-such-policy': looked for "),
                            ('.hidden', "'.hidden' is not the name of a policy"),
                            ('./missing.ini', 'missing.ini'),
                            (str(directory), 'directory'),
                            (wrong, "did you mean 'read'?")):
            told = {}
            for command, status in ((['check', name], 2),
                                    (['explain', '--policy', name, 'open', '/x'], 2),
                                    (['run', '--embedded', '--policy', name, 'true'], 125)):
                result = harness.usher(*command)
                self.assertEqual(result.returncode, status, (command, result.stderr))
                self.assertIn(words, result.stderr)
                told[result.stderr] = command
            self.assertEqual(len(told), 1, told)

    def test_usage(self):
        """A mistake on the command line: 2, and where to read more; --help: 0."""
        for words in [], ['--bogus', 'x'], ['--set']:
            result = harness.usher('check', *words)
            self.assertEqual(result.returncode, 2)
            self.assertRegex(result.stderr, "^usher.*\n'usher check --help' tells how it is used\n$")
        result = harness.usher('check', '--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))

    def test_shipped(self):
        """Every policy that is shipped is without a mistake."""
        names = sorted((harness.BUILD / 'conf/policies').glob('*.ini'))
        self.assertGreater(len(names), 3)
        result = harness.usher('check', *names, cwd=os.fspath(self.place))
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == '__main__':
    unittest.main()
