# SPDX-License-Identifier: Apache-2.0
"""What may be executed: Landlock's part of a policy, with the ways round it that are known.

Each denial has a twin that is allowed, and each way is tried natively first, where it works. What
Landlock does not judge (docs/security.md) is shown to work, so that nobody relies on it.
"""

import errno
import os
import shutil
import unittest

import harness

PYTHON = os.path.realpath('/usr/bin/python3')
LOADER = '/lib64/ld-linux-x86-64.so.2'

# Executes argv[2] in the way of argv[1]; what is executed prints 'ran'. Else the errno is told.
EXECUTE = """
import ctypes, errno, os, sys

libc = ctypes.CDLL(None, use_errno=True)
way, path = sys.argv[1], os.fsencode(sys.argv[2])
EMPTY = 0x1000


def execveat(fd, name, flags):
    words = (ctypes.c_char_p * 3)(b'echo', b'ran', None)
    libc.syscall(322, fd, ctypes.c_char_p(name), words, (ctypes.c_char_p * 1)(None), flags)
    raise OSError(ctypes.get_errno(), 'execveat')


def memory(flags):
    fd = os.memfd_create('program', flags)
    with open(path, 'rb') as program:
        os.write(fd, program.read())
    return fd


try:
    if way == 'path':
        execveat(-100, path, 0)
    elif way == 'descriptor':
        execveat(os.open(path, os.O_RDONLY), b'', EMPTY)
    elif way == 'O_PATH':
        execveat(os.open(path, os.O_PATH), b'', EMPTY)
    elif way == '/proc':
        execveat(-100, b'/proc/self/fd/%d' % os.open(path, os.O_RDONLY), 0)
    elif way == 'deleted':
        fd = os.open(path, os.O_RDONLY)
        os.unlink(path)
        execveat(fd, b'', EMPTY)
    elif way == 'memory':
        execveat(memory(1), b'', EMPTY)
    elif way == 'memory by /proc':
        execveat(-100, b'/proc/self/fd/%d' % memory(1), 0)
    elif way == 'sealed memory':
        execveat(memory(1 | 8), b'', EMPTY)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@harness.both_modes
class Execute(unittest.TestCase):
    def setUp(self):
        self.place = harness.workdir('execute')
        for name in ('allowed', 'other'):
            (self.place / name).mkdir()
            shutil.copy('/bin/echo', self.place / name / 'echo')
        self.policy = harness.policy(
            '[files]\ndefault = allow\n'
            f'allow execute = /usr/** /lib/** /lib64/** {self.place}/allowed/**\n'
            'deny execute = /**\n')

    def execute(self, mode, way, path, policy=None):
        result = harness.run([PYTHON, '-c', EXECUTE, way, path], mode,
                             policy=policy or self.policy)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode().strip()

    def test_first(self, mode):
        """The program of the session itself: 126 where it may not be executed, else it runs"""
        result = harness.run([self.place / 'other/echo', 'ran'], mode, policy=self.policy)
        self.assertEqual((result.returncode, result.stdout), (126, b''), result.stderr)
        self.assertIn(os.strerror(errno.EACCES).encode(), result.stderr)
        result = harness.run([self.place / 'allowed/echo', 'ran'], mode, policy=self.policy)
        self.assertEqual((result.returncode, result.stdout), (0, b'ran\n'), result.stderr)

    def test_ways(self, mode):
        """By path, by a descriptor, by one of O_PATH, by /proc, deleted: EACCES; the twin runs"""
        for way in ('path', 'descriptor', 'O_PATH', '/proc'):
            with self.subTest(way=way):
                self.assertEqual(self.execute('native', way, self.place / 'other/echo'), 'ran')
                self.assertEqual(self.execute(mode, way, self.place / 'other/echo'), 'EACCES')
                self.assertEqual(self.execute(mode, way, self.place / 'allowed/echo'), 'ran')
        shutil.copy('/bin/echo', self.place / 'other/gone')
        self.assertEqual(self.execute(mode, 'deleted', self.place / 'other/gone'), 'EACCES')
        self.assertFalse((self.place / 'other/gone').exists())

    def test_copy(self, mode):
        """A program that is copied to where nothing may be executed is not executed"""
        script = 'cp /bin/echo "$1/copy" && "$1/copy" ran'
        result = harness.run(['sh', '-c', script, 'sh', self.place / 'other'], mode,
                             policy=self.policy)
        self.assertEqual((result.returncode, result.stdout), (126, b''))
        self.assertTrue((self.place / 'other/copy').exists())
        result = harness.run(['sh', '-c', script, 'sh', self.place / 'allowed'], mode,
                             policy=self.policy)
        self.assertEqual((result.returncode, result.stdout), (0, b'ran\n'), result.stderr)

    def test_links(self, mode):
        """A symbolic link is what it leads to, wherever it lies"""
        (self.place / 'allowed/link').symlink_to(self.place / 'other/echo')
        (self.place / 'other/link').symlink_to(self.place / 'allowed/echo')
        self.assertEqual(self.execute('native', 'path', self.place / 'allowed/link'), 'ran')
        self.assertEqual(self.execute(mode, 'path', self.place / 'allowed/link'), 'EACCES')
        self.assertEqual(self.execute(mode, 'path', self.place / 'other/link'), 'ran')

    def test_other_names(self, mode):
        """A file gets no name under which it could be executed, by a hard link or by renaming"""
        script = ('import os, sys\n'
                  'try:\n    getattr(os, sys.argv[1])(sys.argv[2], sys.argv[3])\n'
                  'except OSError as error:\n    print("refused")\n')
        for call in ('link', 'rename'):
            with self.subTest(call=call):
                words = [PYTHON, '-c', script, call, self.place / 'other/echo']
                new = self.place / 'allowed/new'
                result = harness.run([*words, new], mode, policy=self.policy)
                self.assertEqual(result.stdout, b'refused\n', result.stderr)
                self.assertFalse(new.exists())
                # The other way round, and within one place, it has nothing to hide.
                result = harness.run(
                    [PYTHON, '-c', script, call, self.place / 'allowed/echo',
                     self.place / f'other/{call}'], mode, policy=self.policy)
                self.assertEqual(result.stdout, b'', result.stderr)
                self.assertTrue((self.place / f'other/{call}').exists())

    def test_scripts(self, mode):
        """A script and its interpreter must both be executable"""
        (self.place / 'other/sh').write_bytes((self.place / 'other/echo').read_bytes())
        (self.place / 'other/sh').chmod(0o755)
        for name, interpreter in (('allowed/good', '/bin/sh'), ('other/bad', '/bin/sh'),
                                  ('allowed/foreign', self.place / 'other/sh')):
            (self.place / name).write_text(f'#!{interpreter}\necho ran\n')
            (self.place / name).chmod(0o755)
        self.assertEqual(self.execute(mode, 'path', self.place / 'allowed/good'), 'ran')
        self.assertEqual(self.execute(mode, 'path', self.place / 'other/bad'), 'EACCES')
        self.assertEqual(self.execute(mode, 'path', self.place / 'allowed/foreign'), 'EACCES')
        self.assertEqual(self.execute('native', 'path', self.place / 'other/bad'), 'ran')

    def test_memory(self, mode):
        """A memory file is not judged by Landlock, and the line that closes this closes it"""
        closed = harness.policy(
            '[files]\ndefault = allow\nallow execute = /usr/** /lib/** /lib64/**\n'
            'deny execute = /**\n'
            '[syscalls]\ndeny EACCES = memfd_create(arg1 & 8 == 0)\n')
        for way in ('memory', 'memory by /proc'):
            with self.subTest(way=way):
                path = self.place / 'allowed/echo'
                self.assertEqual(self.execute(mode, way, path), 'ran')
                self.assertEqual(self.execute(mode, way, path, closed), 'EACCES')
        self.assertEqual(self.execute(mode, 'sealed memory', path, closed), 'EACCES')

    def test_readers(self, mode):
        """An interpreter and the loader run what they may read: said in the documentation"""
        (self.place / 'other/script').write_text('echo ran\n')
        for command in (['sh', self.place / 'other/script'],
                        [LOADER, self.place / 'other/echo', 'ran']):
            result = harness.run(command, mode, policy=self.policy)
            self.assertEqual(result.stdout, b'ran\n', result.stderr)

    def test_hole(self, mode):
        """A denial inside an allowed directory: its neighbours run, and what is new does not"""
        deep = self.place / 'allowed/deep'
        deep.mkdir()
        for name in ('one', 'two'):
            shutil.copy('/bin/echo', deep / name)
        policy = harness.policy(f'[files]\ndefault = allow\ndeny execute = {deep}/one\n'
                                'deny all = /nowhere/*\n')
        self.assertEqual(self.execute(mode, 'path', deep / 'one', policy), 'EACCES')
        self.assertEqual(self.execute(mode, 'path', deep / 'two', policy), 'ran')
        self.assertEqual(self.execute(mode, 'path', '/usr/bin/echo', policy), 'ran')
        script = 'cp /bin/echo "$1" && "$1" ran'
        for name, status in (('deep/new', 126), ('../other/new', 0)):
            path = self.place / 'allowed' / name
            result = harness.run(['sh', '-c', script, 'sh', path], mode, policy=policy)
            self.assertEqual(result.returncode, status, result.stderr)

    def test_moving(self, mode):
        """Files still move between directories, and directories too"""
        script = 'cd "$1" && mkdir a b && echo x >a/file && mv a/file b && mv b a && cat a/b/file'
        result = harness.run(['sh', '-c', script, 'sh', self.place / 'other'], mode,
                             policy=self.policy)
        self.assertEqual(result.stdout, b'x\n', result.stderr)

    def test_default(self, mode):
        """Where execute is named the default speaks of it; where it is not, it is not restricted"""
        named = harness.policy(
            '[files]\nallow read write create remove = /**\n'
            'allow execute = /usr/** /lib/** /lib64/**\n')
        unnamed = harness.policy(
            f'[files]\ndeny all = {self.place}/allowed/**\n'
            'allow read write create remove = /**\n')
        path = self.place / 'other/echo'
        self.assertEqual(self.execute(mode, 'path', path, named), 'EACCES')
        self.assertEqual(self.execute(mode, 'path', path, unnamed), 'ran')

    def test_mistake(self, mode):
        """A pattern that Landlock does not know: 125, line and column, and nothing is run"""
        name = harness.policy('[files]\ndefault = allow\ndeny execute = /tmp/*.sh\n')
        result = harness.run(['touch', self.place / 'made'], mode, policy=name)
        self.assertEqual(result.returncode, 125)
        if mode == 'embedded':
            self.assertIn(f'{name}.ini:3:16: error:'.encode(), result.stderr)
            self.assertIn(b'Landlock', result.stderr)
        self.assertFalse((self.place / 'made').exists())

    def test_no_landlock(self, mode):
        """A kernel without Landlock: 125, it is said, and nothing is run; without rules it is"""
        without = harness.policy('[syscalls]\ndeny ENOSYS = landlock_create_ruleset\n')
        inner = harness.usher_command(['touch', self.place / 'made'], mode, self.policy)
        result = harness.run(inner, 'embedded', policy=without)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'Landlock', result.stderr)
        self.assertFalse((self.place / 'made').exists())
        # Under the same kernel another policy gets as far as the listener.
        inner = harness.usher_command(['true'], mode, 'readonly')
        result = harness.run(inner, 'embedded', policy=without)
        self.assertIn(b'listener', result.stderr)

    def test_explain(self, mode):
        """`usher explain exec` names Landlock, and gives the answer that the kernel gives"""
        for path, verdict in (('allowed/echo', 'allow'), ('other/echo', 'deny')):
            answer = harness.usher('explain', '--policy', self.policy, 'exec', self.place / path)
            self.assertRegex(answer.stdout, rf'verdict\s+{verdict}', answer.stderr)
            self.assertIn('Landlock', answer.stdout)
            ran = self.execute(mode, 'path', self.place / path) == 'ran'
            self.assertEqual(ran, verdict == 'allow')


if __name__ == '__main__':
    unittest.main()
