# SPDX-License-Identifier: Apache-2.0
"""Names, modes, owners and times under the shipped policies: work goes on in the current directory
and the temporary ones, and nothing is removed, renamed or changed elsewhere or where keys are.

Each change that is denied is made natively afterwards, so that the denial is the policy's.
"""

import errno
import os
import shutil
import unittest
from pathlib import Path

import harness

WORK = r"""
set -e
mkdir -p a/b && echo content >a/b/file && chmod 640 a/b/file && touch -d 2020-02-02 a/b/file
ln a/b/file a/hard && ln -s b/file a/soft && mkfifo a/fifo && chown "$(id -u)" a/hard
chmod 750 a/b && touch -d 2021-03-03 a/b
tar --format=posix -cf a.tar a && mkdir out && tar -xpf a.tar -C out
cd out && find a -printf '%p %y %m %n %T@ %l\n' | sort >../copied
cd .. && find a -printf '%p %y %m %n %T@ %l\n' | sort | diff - copied
mv a moved && mv moved/hard moved/b/harder && truncate -s 3 moved/b/file && cat moved/b/harder
rm -r moved out a.tar && ls
"""

GIT = r"""
set -e
git init -q one && cd one && echo x >file && git add file && git -c core.fsync=none commit -qm first
git mv file other && git commit -qm second && git gc -q && cd .. && git clone -q one two
cd two && git checkout -q HEAD^ && ls && git fsck
"""

MAKE = r"""
set -e
printf 'program: main.c\n\tgcc -o $@ $<\nclean:\n\trm program\n' >Makefile
printf 'int main(void){return 0;}\n' >main.c
make -s && ./program && make -s clean && ls
"""

NPM = r"""
set -e
mkdir part && cd part && echo '{"name":"part","version":"1.0.0"}' >package.json && cd ..
echo '{"name":"whole","version":"1.0.0"}' >package.json
npm pack -s ./part && npm install -s --offline --no-audit --no-fund ./part-1.0.0.tgz
cat node_modules/part/package.json
"""

CHANGES = (
    ['rm', 'file'],
    ['rmdir', 'folder'],
    ['mv', 'file', 'other'],
    ['mv', 'folder', 'other'],
    ['chmod', '600', 'file'],
    ['chmod', '700', 'folder'],
    ['touch', '-d', '2020-01-01', 'file'],
    ['truncate', '-s', '0', 'file'],
    ['mkdir', 'new'],
    ['ln', '-s', 'file', 'new'],
    ['ln', 'file', 'new'],
    ['mkfifo', 'new'],
    ['chown', '--no-dereference', str(os.getuid()), 'file'],
)

GIT_SETTINGS = {'GIT_AUTHOR_NAME': 'A', 'GIT_AUTHOR_EMAIL': 'a@example.org',
                'GIT_COMMITTER_NAME': 'A', 'GIT_COMMITTER_EMAIL': 'a@example.org',
                'GIT_CONFIG_NOSYSTEM': '1'}


def look(place):
    """All that the changes could change."""
    return [(path.name, path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns,
             path.lstat().st_uid) for path in sorted(place.iterdir())]


class Case(unittest.TestCase):
    def script(self, mode, policy, script):
        place = harness.workdir('names')
        return harness.run(['bash', '-c', script], mode, policy=policy, cwd=place,
                           env=dict(harness.environment(), **GIT_SETTINGS))

    def refuse(self, mode, policy, place, expected):
        """Each change in `place` is refused and has no effect, and is no mistake natively."""
        before = look(place)
        for change in CHANGES:
            words = [change[0], *(str(place / word) if word in ('file', 'folder', 'new', 'other')
                                  else word for word in change[1:])]
            with self.subTest(change=' '.join(change)):
                result = harness.run(words, mode, policy=policy, cwd=harness.workdir('elsewhere'))
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(os.strerror(expected).encode(), result.stderr)
                self.assertEqual(look(place), before)
                copy = harness.workdir('native')
                self.fill(copy)
                words = [word.replace(str(place), str(copy)) for word in words]
                result = harness.run(words, 'native')
                self.assertEqual(result.returncode, 0, result.stderr)

    def fill(self, place):
        (place / 'file').write_text('content\n')
        (place / 'folder').mkdir()


@harness.both_modes
class Work(Case):
    def test_files(self, mode):
        """default, build: files are made, linked, moved, packed, unpacked and removed as native"""
        for policy in ('default', 'build'):
            with self.subTest(policy=policy):
                result = self.script(mode, policy, WORK)
                self.assertEqual(result.stderr, b'')
                self.assertEqual(result.stdout, b'concopied\n')

    def test_git(self, mode):
        """default: git moves, packs, clones and checks out"""
        result = self.script(mode, 'default', GIT)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, b'file\n')

    @unittest.skipUnless(harness.need('make', 'gcc'), 'no compiler')
    def test_make(self, mode):
        """default, build: make and gcc build a program, which runs, and clean it up"""
        for policy in ('default', 'build'):
            with self.subTest(policy=policy):
                result = self.script(mode, policy, MAKE)
                self.assertEqual(result.stdout, b'Makefile\nmain.c\n', result.stderr)

    @unittest.skipUnless(shutil.which('npm'), 'no npm')
    def test_npm(self, mode):
        """default: npm installs a package"""
        result = self.script(mode, 'default', NPM)
        self.assertIn(b'"part"', result.stdout, result.stderr)
        self.assertEqual(result.returncode, 0, result.stderr)


@harness.both_modes
class Elsewhere(Case):
    def test_outside(self, mode):
        """default, build: EACCES outside of the current directory and the temporary ones"""
        place = Path(f'/run/lock/usher-names-{os.getpid()}')
        place.mkdir()
        self.addCleanup(shutil.rmtree, place)
        self.fill(place)
        for policy in ('default', 'build'):
            with self.subTest(policy=policy):
                self.refuse(mode, policy, place, errno.EACCES)

    def test_readonly(self, mode):
        """readonly: EROFS"""
        place = harness.workdir('readonly')
        self.fill(place)
        self.refuse(mode, 'readonly', place, errno.EROFS)

    def test_key(self, mode):
        """default: a key in a directory that may be written is not removed, moved or laid open"""
        key = Path(f'/tmp/krb5cc_usher-names-{os.getpid()}')
        other = Path(f'/tmp/usher-names-{os.getpid()}')
        key.write_text('ticket\n')
        key.chmod(0o600)
        self.addCleanup(key.unlink)
        self.addCleanup(other.unlink, missing_ok=True)
        for change in (['rm', '-f', key], ['mv', key, other], ['ln', key, other],
                       ['chmod', '644', key], ['touch', '-c', key], ['truncate', '-s', '0', key],
                       ['mv', '-f', __file__, key]):
            with self.subTest(change=change[0]):
                result = harness.run(change, mode, policy='default', cwd=harness.workdir('key'))
                self.assertIn(os.strerror(errno.EACCES).encode(), result.stderr)
                self.assertEqual(key.read_text(), 'ticket\n')
                self.assertEqual(key.stat().st_mode & 0o777, 0o600)
                self.assertFalse(other.exists())

    def test_system(self, mode):
        """default: programs of the system keep mode and time, also where it is run as root"""
        before = os.stat('/usr/bin/env')
        for change in (['chmod', '755', '/usr/bin/env'], ['touch', '/usr/bin/env']):
            result = harness.run(change, mode, policy='default', cwd=harness.workdir('system'))
            self.assertIn(os.strerror(errno.EACCES).encode(), result.stderr)
        after = os.stat('/usr/bin/env')
        self.assertEqual((before.st_ctime_ns, before.st_mtime_ns),
                         (after.st_ctime_ns, after.st_mtime_ns))


if __name__ == '__main__':
    unittest.main()
