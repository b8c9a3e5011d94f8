# SPDX-License-Identifier: Apache-2.0
"""The man pages against the programs: what the tables of the code know is documented, what is
documented is known, and what is shown as an example works.
"""

import collections
import re
import subprocess
import unittest

import harness

DOCS = harness.SOURCE / 'docs'
WORDS = harness.BUILD / 'tests/try/words'


def page(name):
    return (DOCS / f'{name}.scd').read_text()


def section(text, title, level=1):
    """What stands below a heading, up to the next that is not below it."""
    found = re.search(rf'^{"#" * level} {re.escape(title)}$(.*?)(?=^#{{1,{level}}} |\Z)', text,
                      re.MULTILINE | re.DOTALL)
    assert found, f'there is no section {title!r}'
    return found[1]


def titles(text, level):
    return re.findall(rf'^{"#" * level} (.*)$', text, re.MULTILINE)


def unescaped(text):
    return text.replace('\\', '')


def tables():
    """{table: {word: default or None}} of the code."""
    empty = harness.workdir('manual') / 'empty.ini'
    empty.write_text('')
    empty.chmod(0o600)
    text = subprocess.run([WORDS, empty], check=True, stdout=subprocess.PIPE, text=True,
                          env={**harness.environment(), 'XDG_RUNTIME_DIR': '/nowhere'}).stdout
    result = collections.defaultdict(dict)
    for line in text.splitlines():
        table, word, *default = line.split(' ', 2)
        result[table][word] = default[0] if default else None
    return result


def documented_options(text):
    """Of the lines that open a definition."""
    lines = '\n'.join(line for line in text.splitlines() if line.startswith('*-'))
    return set(re.findall(r'\*(-[a-zA-Z]|--[a-z-]+)\*', lines))


def known_options(text):
    """Of a --help: those that open a line, and the long ones behind a short one."""
    return {word for line in text.splitlines() if re.match(r' +-', line)
            for word in re.findall(r'(?:^ +|, )(-[a-zA-Z]|--[a-z-]+)(?=[ ,=]|$)', line)}


def definitions(text):
    """The words in bold that open a definition, which is the indented text below them."""
    return set(re.findall(r'^\*([\w-]+)\*[^\n]*\n\t', text, re.MULTILINE))


def rows(text):
    """The tables of a section: {first cell: [other cells]}."""
    result = {}
    for row in re.split(r'^[|\]]  ', text, flags=re.MULTILINE)[1:]:
        row = row.split('\n\n')[0]
        first, *others = re.split(r'^:  ', row, flags=re.MULTILINE)
        result[unescaped(first).strip().strip('*')] = [
            ' '.join(unescaped(cell).replace('*', '').split()) for cell in others]
    return result


def named(text, head):
    """The words of a list in running text: `head: *one two*`."""
    return set(re.search(rf'{head}:? \*([^*]*)\*', text)[1].split())


class Pages(unittest.TestCase):
    def test_written(self):
        """scdoc makes a page of each source, and the build has made them"""
        sources = sorted(DOCS.glob('*.scd'))
        self.assertGreaterEqual(len(sources), 4)
        for source in sources:
            done = subprocess.run(['scdoc'], stdin=open(source, encoding='utf-8'), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ''), source)
            self.assertTrue((harness.BUILD / 'docs' / source.stem).exists(), source)

    def test_see_also(self):
        """each page of usher's that another names is there"""
        pages = {source.stem for source in DOCS.glob('*.scd')}
        for source in DOCS.glob('*.scd'):
            for name, number in re.findall(r'\*(usher[\w.-]*)\*\((\d)\)', source.read_text()):
                self.assertIn(f'{name}.{number}', pages, source)


class Options(unittest.TestCase):
    def test_commands(self):
        """usher(1) has each command and each option of it, and none else"""
        commands = section(page('usher.1'), 'COMMANDS')
        known = re.findall(r'(?m)^  ([a-z]+) ', harness.usher('--help').stdout)
        self.assertEqual(titles(commands, 2), known)
        for command in known:
            text = section(commands, command, 2)
            options = known_options(harness.usher(command, '--help').stdout)
            self.assertTrue(options, command)
            self.assertEqual(documented_options(text), options, command)

    def test_columns(self):
        """in each --help what the options mean stands in one column"""
        known = re.findall(r'(?m)^  ([a-z]+) ', harness.usher('--help').stdout)
        for command in known:
            text = harness.usher(command, '--help').stdout
            columns = {match.start(1) for match in map(
                re.compile(r' +(?:-\w, )?--[\w-]+(?:[ =]\S+)?  +(\S)').match, text.splitlines())
                if match}
            self.assertEqual(len(columns), 1, text)
            self.assertRegex(text, r'(?m)^Usage: usher ' + command)

    def test_daemon(self):
        """usherd(8) has each option, and none else"""
        text = subprocess.run([harness.USHERD, '--help'], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        self.assertEqual(documented_options(section(page('usherd.8'), 'OPTIONS')),
                         known_options(text))


class Policy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tables = tables()
        cls.page = page('usher-policy.5')

    def words(self, table):
        return set(self.tables[table])

    def test_sections(self):
        """usher-policy(5) has each section, and none else"""
        found = {title.strip('[]') for title in titles(self.page, 1) if title.startswith('[')}
        self.assertEqual(found, self.words('section'))

    def test_policy(self):
        """usher-policy(5) has each key of [policy], and each network"""
        text = section(self.page, '[policy]')
        self.assertEqual(definitions(text), self.words('policy-key'))
        self.assertEqual(set(re.findall(r'^\t\*(\w+)\*:', text, re.MULTILINE)),
                         self.words('network'))

    def test_actions(self):
        """usher-policy(5) has each action and each word before one"""
        text = section(self.page, 'ACTIONS')
        self.assertEqual(definitions(text), self.words('action'))
        for word in self.words('modifier'):
            self.assertIn(f'*{word}* before', text)

    def test_operations(self):
        """usher-policy(5) has each operation, and none else"""
        files = {word for word in rows(section(self.page, '[files]')) if word.isalpha()}
        self.assertEqual(files, self.words('file-operation'))
        line = re.search(r'^Operations: (.*?)\.$', section(self.page, '[network]'),
                         re.MULTILINE | re.DOTALL)[1]
        self.assertEqual(set(re.findall(r'\*(\w+)\*', line)), self.words('network-operation'))

    def test_addresses(self):
        """usher-policy(5) has each kind of address, and none else"""
        kinds = {word for row in rows(section(self.page, '[network]'))
                 for word in re.findall(r'(?:^|\s|\*)([a-z]+)(?=\*|$)', row)}
        self.assertEqual(kinds, self.words('endpoint'))

    def test_sockets(self):
        """usher-policy(5) has each family, type and protocol of sockets, and none else"""
        text = section(self.page, '[sockets]')
        self.assertEqual(named(text, 'Families'), self.words('family'))
        self.assertEqual(named(text, 'Types'), self.words('type'))
        self.assertEqual(named(text, r'Protocols of \*inet\* and \*inet6\*'),
                         self.words('internet-protocol'))
        self.assertEqual(named(text, r'of \*netlink\*'), self.words('netlink-protocol'))

    def test_groups(self):
        """usher-policy(5) has each group of system calls, and none else"""
        text = section(self.page, '[syscalls]')
        self.assertEqual(set(re.findall(r'@[a-z][a-z-]+', text)), self.words('group') | {'@known'})

    def test_errnos(self):
        """usher-policy(5) says what `deny` alone means, in each section"""
        errnos = self.tables['errno']
        for name, words in (('files', 'deny* without an errno is *{}*'),
                            ('connect', '*{}* for *connect*'),
                            ('bind', '*{}* for *bind*'),
                            ('sockets', 'deny* without an errno is *{}*'),
                            ('syscalls', 'deny* without an errno is *{}*')):
            title = 'network' if name in ('connect', 'bind') else name
            text = ' '.join(section(self.page, f'[{title}]').split())
            self.assertIn(words.format(errnos[name]), text, name)

    def test_variables(self):
        """usher-policy(5) has each variable, and none else"""
        found = set(re.findall(r'\$\{(\w+)\}', section(self.page, 'VARIABLES')))
        self.assertEqual(found, self.words('variable'))


class Configuration(unittest.TestCase):
    def setUp(self):
        self.tables = tables()
        self.page = page('usherd.ini.5')

    def documented(self):
        """{section.key: what is said of it}."""
        return {f"{title.strip('[]').split()[0]}.{key}": ' '.join(unescaped(said).split())
                for title in titles(self.page, 1) if title.startswith('[')
                for key, said in re.findall(r'^\*([\w-]+)\*\n((?:\t.*\n)+)', section(self.page, title),
                                            re.MULTILINE)}

    def test_keys(self):
        """usherd.ini(5) has each key in its section, and none else"""
        self.assertEqual(set(self.documented()), set(self.tables['key']))

    def test_defaults(self):
        """usherd.ini(5) tells the defaults that hold"""
        documented = self.documented()
        defaults = self.tables['default']
        self.assertGreaterEqual(len(defaults), 8)
        for key, value in defaults.items():
            if key == 'daemon.socket-mode' and value == '0600':
                self.assertIn('as a user 0600', documented[key])
            elif key == 'daemon.socket' and value == '/nowhere/usher/usherd.sock':
                self.assertIn('${XDG_RUNTIME_DIR}/usher/usherd.sock', documented[key])
            else:
                self.assertIn(f', by default *{value}*. ', documented[key])


class Examples(unittest.TestCase):
    def blocks(self, name):
        found = re.findall(r'^```\n(.*?)^```$', page(name), re.MULTILINE | re.DOTALL)
        self.assertTrue(found, name)
        return found

    def write(self, text):
        file = harness.workdir('example') / 'example.ini'
        file.write_text(text)
        file.chmod(0o644)
        return file

    def test_policies(self):
        """each policy that is shown has no mistake"""
        for text in self.blocks('usher-policy.5'):
            done = harness.usher('check', self.write(text))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_configuration(self):
        """each configuration that is shown is taken"""
        for text in self.blocks('usherd.ini.5'):
            done = subprocess.run([harness.USHERD, '--check', '--config', self.write(text)],
                                  stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_commands(self):
        """each command line that is shown works, with another program in its place"""
        for line in ''.join(self.blocks('usher.1')).splitlines():
            words = line.split()
            self.assertEqual(words[0], 'usher')
            if words[1] == 'run':
                words[words.index('--') + 1:] = ['true']
            done = harness.usher(*words[1:])
            self.assertEqual(done.returncode, 0, f'{line}: {done.stderr}')


if __name__ == '__main__':
    unittest.main()
