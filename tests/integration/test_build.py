# SPDX-License-Identifier: Apache-2.0
"""The shipped policy `build`: a build does what it does natively, and no more; and reading is left to
the kernel where that can keep what is denied.
"""

import errno
import json
import os
import re
import shutil
import socket
import unittest

import harness
from shipped import PYTHON, LocalServer, PolicyCase, environment, outside_of_temporary

MAKEFILE = """
all: program
program: main.o part.o
\tcc -o $@ $^
%.o: %.c
\tcc -O1 -c -o $@ $<
evil:
\techo alias >>$(HOME)/.bashrc
outside:
\techo x >$(OUTSIDE)/file
talk:
\tpython3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("$(TALK)".replace("@", chr(0)))'
"""


@harness.both_modes
class Build(PolicyCase):
    def project(self):
        place = harness.workdir('build')
        (place / 'Makefile').write_text(MAKEFILE)
        (place / 'part.c').write_text('int part(void) { return 42; }\n')
        (place / 'main.c').write_text('#include <stdio.h>\nint part(void);\n'
                                      'int main(void) { printf("%d\\n", part()); return 0; }\n')
        return place

    def test_make(self, mode):
        """build: make and gcc build a project and its program runs"""
        place = self.project()
        self.assert_allowed(self.run_in(place, ['make', '-s', '-j2'], mode, 'build'))
        self.assert_allowed(self.run_in(place, ['./program'], 'native', ''), b'42\n')

    def test_outside(self, mode):
        """build: a makefile that writes outside the project gets EACCES and writes nothing"""
        place, outside = self.project(), outside_of_temporary(self)
        command = ['make', '-s', 'outside', f'OUTSIDE={outside}']
        self.assert_denied(self.run_in(place, command, mode, 'build'), errno.EACCES)
        self.assertEqual(os.listdir(outside), [])
        self.assert_allowed(self.run_in(place, command, 'native', ''))
        self.assertEqual(os.listdir(outside), ['file'])

    def test_hook(self, mode):
        """build: a build script does not plant a git hook, which git would run later"""
        place = self.project()
        (place / '.git/hooks').mkdir(parents=True)
        command = ['sh', '-c', 'echo made >made; echo evil >.git/hooks/pre-commit']
        self.assert_denied(self.run_in(place, command, mode, 'build'), errno.EACCES)
        self.assertEqual(os.listdir(place / '.git/hooks'), [])
        self.assertEqual((place / 'made').read_text(), 'made\n')
        self.assert_allowed(self.run_in(place, command, 'native', ''))

    def test_settings(self, mode):
        """build: a build script does not tell git of other settings, which it would obey later"""
        place, made = self.project(), harness.workdir('made') / 'made'
        script = f"""
            mkdir -p elsewhere && cp -r .git/objects .git/refs .git/HEAD elsewhere && cat >elsewhere/config <<end
[core]
    repositoryformatversion = 0
    fsmonitor = "echo >{made}; false"
end
            eval "$1\""""
        self.assert_allowed(self.run_in(place, ['git', 'init', '-q', '.'], 'native', ''))
        for trick in 'echo ../elsewhere >.git/commondir', 'mv .git other':
            command = ['bash', '-c', script, 'bash', trick]
            with self.subTest(trick):
                self.assert_denied(self.run_in(place, command, mode, 'build'), errno.EACCES)
                self.assert_allowed(self.run_in(place, ['git', 'status'], 'native', ''))
                self.assertFalse(made.exists())
        shutil.rmtree(place / '.git')
        command = ['sh', '-c', 'echo gitdir: elsewhere >.git']
        self.assert_denied(self.run_in(place, command, mode, 'build'), errno.EACCES)
        self.assertFalse((place / '.git').exists())
        # That it works where nothing holds it.
        self.assert_allowed(self.run_in(place, ['git', 'init', '-q', '.'], 'native', ''))
        command = ['bash', '-c', script, 'bash', 'echo ../elsewhere >.git/commondir']
        self.assert_allowed(self.run_in(place, command, 'native', ''))
        self.assert_allowed(self.run_in(place, ['git', 'status'], 'native', ''))
        self.assertTrue(made.exists())

    def test_network(self, mode):
        """build: tests reach a server on this machine; other sockets are out of reach"""
        place = self.project()
        name = f'@usher-test-{os.getpid()}-{mode}'
        with socket.socket(socket.AF_UNIX) as listening, LocalServer() as server:
            listening.bind('\0' + name[1:])
            listening.listen()
            command = ['make', '-s', 'talk', f'TALK={name}']
            result = self.run_in(place, command, mode, 'build')
            self.assert_denied(result, errno.ENETUNREACH)
            self.assert_allowed(self.run_in(place, command, 'native', ''))
            result = self.run_in(place, ['curl', '-sS', f'http://127.0.0.1:{server.port}/'], mode,
                                 'build')
            self.assert_allowed(result, b'the page\n')


def moved_build(place, mechanism='kernel'):
    """`build` for a home and temporary files of one's own, neither of which lies in the other."""
    def moved(name):
        text = (harness.SOURCE / f'conf/policies/{name}.ini').read_text()
        text = re.sub(r'(?<![\w}])/tmp\b', f'{place}/tmp', text.replace('${HOME}', f'{place}/home'))
        # A line has less than 200 bytes: one name in each that goes on.
        return '\n'.join('\t' + '\n\t'.join(line.split()) if line.startswith('\t') else line
                         for line in text.split('\n'))
    text = moved('build').replace('mechanism = kernel', f'mechanism = {mechanism}')
    for name in ('secrets', 'startup'):
        text = text.replace(f'include = {name}.ini', f'include = {harness.policy(moved(name))}.ini')
    return harness.policy(text)


# What lies in a home, or near it, and what it says to who reads it under `build`.
KEPT = {'home/.ssh/id_ed25519': errno.EACCES, 'home/.aws/credentials': errno.EACCES,
        'home/.bash_history': errno.EACCES, 'home/.docker/config.json': errno.EACCES,
        'home/.local/share/keyrings/login.keyring': errno.EACCES, 'home/notes': errno.EACCES,
        'tmp/krb5cc_1': errno.EACCES, 'home/.npmrc': errno.ENOENT,
        'home/.cargo/credentials.toml': errno.ENOENT}
ASKS_BROKER = ('tmp/krb5cc_1', 'home/.npmrc', 'home/.cargo/credentials.toml')
SEEN = ('home/.gitconfig', 'home/.local/lib/library', 'home/.cargo/config.toml', 'home/work/source')


@harness.both_modes
class BuildReading(PolicyCase):
    """What `build` leaves to the kernel, and when it does not."""

    def setUp(self):
        self.place = outside_of_temporary(self)
        for directory in ('home/work', 'tmp'):
            (self.place / directory).mkdir(parents=True)
        self.make_files(SEEN)

    def make_files(self, names):
        for name in names:
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place / name).write_text('content\n')

    def reader(self, policy, directory='home/work'):
        answer = harness.usher('check', '--mechanisms', '--json', policy,
                               cwd=self.place / directory)
        return json.loads(answer.stdout)[0]['mechanisms']['read']['by']

    def read(self, names, mode, policy, directory='home/work'):
        """What reading each gives: 0 or an errno."""
        script = ('import sys\nfor name in sys.argv[1:]:\n  try:\n    open(name).read(); print(0)\n'
                  '  except OSError as error: print(error.errno)\n')
        result = self.run_in(self.place / directory, [PYTHON, '-c', script,
                             *(self.place / name for name in names)], mode, policy)
        self.assertEqual(result.returncode, 0, result.stderr)
        return dict(zip(names, map(int, result.stdout.split())))

    def test_kept(self, mode):
        """build: keys are kept by the kernel, and by the broker where only that can"""
        policy = moved_build(self.place)
        self.make_files(name for name in KEPT if name not in ASKS_BROKER)
        self.assertEqual(self.reader(policy), 'Landlock')
        absent = {name: errno.ENOENT for name in ASKS_BROKER}
        self.assertEqual(self.read(KEPT, mode, policy), KEPT | absent)
        self.assertEqual(self.read(SEEN, mode, policy), dict.fromkeys(SEEN, 0))
        for name in ASKS_BROKER:
            self.make_files([name])
            self.assertEqual(self.reader(policy), 'broker', name)
            self.assertEqual(self.read([name], mode, policy)[name], KEPT[name])
            (self.place / name).unlink()
        self.make_files(KEPT)
        self.assertEqual(self.read(KEPT, mode, policy), KEPT)
        self.assertEqual(self.read(KEPT, 'native', ''), dict.fromkeys(KEPT, 0))

    def test_home(self, mode):
        """build: in the home directory itself the broker keeps the keys in it"""
        policy = moved_build(self.place)
        self.assertEqual(self.reader(policy, 'home'), 'Landlock')
        self.make_files(KEPT)
        self.assertEqual(self.reader(policy, 'home'), 'broker')
        kept = {name: number for name, number in KEPT.items() if name != 'home/notes'}
        self.assertEqual(self.read(kept, mode, policy, 'home'), kept)

    def test_system(self, mode):
        """build: what the system keeps to itself is kept from root, too; the rest of /etc is read"""
        names = ('/etc/shadow', '/proc/1/environ', '/proc/kallsyms', '/etc/passwd', '/etc/ssl/openssl.cnf',
                 '/proc/self/maps', '/proc/meminfo', '/dev/null')
        for mechanism in ('kernel', 'broker'):
            policy = moved_build(self.place, mechanism)
            self.assertEqual(self.reader(policy), 'Landlock' if mechanism == 'kernel' else 'broker')
            answers = self.read(names, mode, policy)
            if mechanism == 'kernel':
                # It can be opened; it has no address in it (test_kernel.py).
                self.assertEqual(answers.pop('/proc/kallsyms'), 0)
            else:
                self.assertEqual(answers.pop('/proc/kallsyms'), errno.EACCES)
            self.assertEqual(list(answers.values()), [errno.EACCES] * 2 + [0] * 5)

    def test_caches(self, mode):
        """build: ~/.cache is there for who needs one, and no other cache is begun"""
        policy = moved_build(self.place)
        script = ('mkdir -p "$0/.cache/tool" && echo kept >"$0/.cache/tool/file" && '
                  'cat "$0/.cache/tool/file"; mkdir "$0/.npm" "$0/.ccache"; rmdir "$0/.cache/tool" "$0/.cache"')
        result = self.run_in(self.place / 'home/work', ['sh', '-c', script, self.place / 'home'],
                             mode, policy)
        self.assertEqual(result.stdout, b'kept\n', result.stderr)
        self.assertEqual(sorted(path.name for path in (self.place / 'home').glob('.*c*')),
                         ['.cache', '.cargo', '.gitconfig', '.local'])
        self.assertTrue((self.place / 'home/.cache').is_dir())

    def test_tools(self, mode):
        """build: a compiler, git, a test in Python and an environment for it work so"""
        policy = moved_build(self.place)
        (self.place / 'home/work/part.c').write_text('#include <stdio.h>\nint part;\n')
        (self.place / 'home/work/Makefile').write_text(
            'all: part.o\n\tgit init -q sub && cd sub && git add -A && git status --short\n'
            f'\t{PYTHON} -c "import unittest, subprocess, multiprocessing.pool, tempfile"\n'
            f'\t{PYTHON} -m venv --without-pip env && env/bin/python -c "import sys"\n')
        self.assertEqual(self.reader(policy), 'Landlock')
        result = self.run_in(self.place / 'home/work', ['make', '-s'], mode, policy,
                             env=environment(TMPDIR=str(self.place / 'tmp')))
        self.assert_allowed(result)
        self.assertTrue((self.place / 'home/work/part.o').exists())


if __name__ == '__main__':
    unittest.main()
