# SPDX-License-Identifier: Apache-2.0
"""The README against the programs: what it shows a newcomer is true."""

import fnmatch
import re
import subprocess
import unittest

import harness

README = (harness.SOURCE / 'README.md').read_text()


class Readme(unittest.TestCase):
    def first_policy(self):
        place = harness.workdir('readme')
        file = place / 'notes.ini'
        file.write_text(re.search(r'```ini\n(.*?)```', README, re.DOTALL)[1])
        return place, file

    def test_policy(self):
        """The README's first policy has no mistake and gives the answers that it tells of"""
        _, file = self.first_policy()
        result = harness.usher('check', file)
        self.assertEqual(result.returncode, 0, result.stderr)
        for question, verdict in ((['open', '-r', '/usr/bin/cat'], 'allow'),
                                  (['open', '-w', '/etc/hosts'], 'deny EACCES'),
                                  (['open', '-r', '/etc/motd'], 'inject'),
                                  (['connect', 'tcp 127.0.0.1:5432'], 'allow'),
                                  (['connect', 'tcp 127.0.0.1:80'], 'deny ENETUNREACH')):
            words = [word for part in question for word in part.split()]
            answer = harness.usher('explain', '--policy', file, *words)
            self.assertRegex(answer.stdout, rf'verdict\s+{verdict}', f'{question} {answer.stderr}')

    def test_policies(self):
        """The README's table names every policy that is shipped to be used, and none else"""
        table = set(re.findall(r'^\| `(\w+)` \|', README, re.MULTILINE))
        shipped = {path.stem for path in (harness.SOURCE / 'conf/policies').glob('*.ini')}
        parts = {'base', 'secrets', 'services', 'startup', 'syscalls', 'demo'}
        self.assertEqual(table, shipped - parts)

    def test_commands(self):
        """The README's table has every command, and each has a --help"""
        commands = set(re.findall(r'^\| `usher (\w+)', README, re.MULTILINE))
        overview = harness.usher('--help').stdout
        self.assertEqual(commands, set(re.findall(r'(?m)^  (\w+) ', overview)))
        for command in commands:
            self.assertEqual(harness.usher(command, '--help').returncode, 0, command)

    def test_answers(self):
        """What the README shows of usher explain is what it says"""
        shown = re.findall(r'```\n\$ usher (explain .*)\n((?:.*\n)*?)```', README)
        self.assertEqual(len(shown), 2)
        for words, text in shown:
            answer = harness.usher(*words.split()).stdout.replace(f'{harness.BUILD}/', '')
            self.assertEqual(answer, text)

    def test_links(self):
        """Each file that the README and the pages beside the manual name is there"""
        pages = [harness.SOURCE / 'README.md', *(harness.SOURCE / 'docs').glob('*.md')]
        for page in pages:
            for name in re.findall(r'\]\(([\w./-]+)\)', page.read_text()):
                self.assertTrue((page.parent / name).exists(), f'{page}: {name}')
        for name in 'dev', 'conf/policies', 'client/main.c', 'daemon/broker/serve.c':
            self.assertTrue((harness.SOURCE / name).exists(), name)


class Attacks(unittest.TestCase):
    def test_ways(self):
        """Each pattern in the table of ways round a policy names attacks, and each attack is named"""
        text = (harness.SOURCE / 'tests/README.md').read_text().split('| the way |')[1].split('\n\n')[0]
        words = [word for row in text.splitlines()
                 for word in re.findall(r'`([a-z0-9_*-]+)`', row.split(';')[0])
                 if 'natively it fails' not in row and 'ends the broker' not in row]
        names = subprocess.run([harness.BUILD / 'tests/attacks/attack'], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split()
        for word in words:
            self.assertTrue(fnmatch.filter(names, word), word)
        for name in names:
            self.assertTrue(any(fnmatch.fnmatch(name, word) for word in words), name)


if __name__ == '__main__':
    unittest.main()
