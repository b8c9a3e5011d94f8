# SPDX-License-Identifier: Apache-2.0
"""The completions of the shells, by really completing: what is offered is what there is."""

import os
import re
import subprocess
import unittest

import harness

COMPLETIONS = harness.SOURCE / 'client/completions'

BASH = r'''
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"_$1"
printf '%s\n' "${COMPREPLY[@]}"
'''


def environment():
    """The programs of the build are what PATH has; policies lie where both look."""
    result = dict(harness.environment())
    path = f"{harness.BUILD / 'client'}:{harness.BUILD / 'daemon'}"
    result['PATH'] = f"{path}:{result['PATH']}"
    return result


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, env=environment(), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return {line.split('\t')[0] for line in done.stdout.splitlines() if line}


def by_bash(*words):
    return run(['bash', '-c', BASH, 'bash', COMPLETIONS / 'usher.bash', *words])


def by_fish(*words):
    line = ' '.join(words)
    return run(['fish', '--no-config', '-c', f'source {COMPLETIONS / "usher.fish"}; '
                f'complete -C {line!r}'])


def commands():
    return set(re.findall(r'(?m)^  ([a-z]+) ', harness.usher('--help').stdout))


def long_options(text):
    return {word for line in text.splitlines() if re.match(r' +-', line)
            for word in re.findall(r'(?:^ +|, )(--[a-z-]+)(?=[ ,=]|$)', line)}


class Shells(unittest.TestCase):
    def check_commands(self, complete):
        self.assertEqual({word for word in complete('usher', '') if word.isalpha()}, commands())
        self.assertEqual(complete('usher', 'do'), {'doctor'})

    def check_options(self, complete):
        for command in commands():
            known = long_options(harness.usher(command, '--help').stdout)
            offered = {word for word in complete('usher', command, '--') if word[:2] == '--'}
            # Of two in a line the first is offered.
            self.assertLessEqual(offered, known, command)
            self.assertLessEqual(known - {'--system'}, offered | {'--system'}, command)

    def check_policies(self, complete):
        name = harness.policy('[files]\ndefault = allow\n')
        self.assertIn(name, complete('usher', 'run', '--policy', 'test-'))
        self.assertIn(name, complete('usher', 'check', 'test-'))

    @unittest.skipUnless(harness.need('bash'), 'no bash')
    def test_bash(self):
        """bash completes commands, options, policies and programs, and those of usherd"""
        self.check_commands(by_bash)
        self.check_options(by_bash)
        self.check_policies(by_bash)
        self.assertEqual(by_bash('usher', 'run', '--net', 'b'), {'broker'})
        self.assertIn('true', by_bash('usher', 'run', '--policy', 'default', '--', 'tru'))
        self.assertEqual(by_bash('usherd', '--conf'), {'--config'})
        place = harness.workdir('files')
        (place / 'one-file').write_text('')
        self.assertEqual(by_bash('usher', 'run', '--', 'cat', f'{place}/one'),
                         {f'{place}/one-file'})

    @unittest.skipUnless(harness.need('fish'), 'no fish')
    def test_fish(self):
        """fish completes commands, options and policies"""
        self.check_commands(by_fish)
        self.check_options(by_fish)
        self.check_policies(by_fish)

    @unittest.skipUnless(harness.need('zsh'), 'no zsh')
    def test_zsh(self):
        """zsh takes its completion, and completes with it"""
        script = harness.SOURCE / 'tests/integration/programs/complete.zsh'
        (harness.policy_directory() / 'only-one.ini').write_text('[files]\ndefault = allow\n')

        def by_zsh(line):
            return run(['zsh', '-f', script, COMPLETIONS, line])
        self.assertEqual(by_zsh('usher doct'), {'usher doctor'})
        self.assertEqual(by_zsh('usher run --policy only-'), {'usher run --policy only-one'})
        self.assertEqual(by_zsh('usher run --embe'), {'usher run --embedded'})


if __name__ == '__main__':
    unittest.main()
