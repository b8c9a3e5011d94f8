# SPDX-License-Identifier: Apache-2.0
"""The shipped policies: each is clean, and does for a real program what its first paragraph says.

Each test has a pair: something that is allowed and whose effect is there, something that is denied
with the errno that the policy names and whose effect is not there. What is denied succeeds without
usher, so that the denial is the policy's.
"""

import errno
import os
import pwd
import re
import socket
import unittest
from pathlib import Path

import harness
from shipped import PYTHON, LocalServer, PolicyCase, environment, outside_of_temporary

SHIPPED = sorted(path.stem for path in (harness.SOURCE / 'conf/policies').glob('*.ini'))


class Clean(unittest.TestCase):
    # What is warned of, and is known and meant.
    MEANT = {
        'default': r'hooks and settings of git',
        'demo': r'hooks and settings of git',
        'offline': r'hooks and settings of git',
        'everything': r"this allows (writing|connections) to|'all' leaves out execute",
        'secrets': r'the section has no default',
        'services': r'the section has no default|without \[files\]',
        'startup': r'the section has no default',
        'base': r'the section has no default',
    }

    def test_check(self):
        """`usher check` finds nothing in any shipped policy that is not known and meant"""
        self.assertGreaterEqual(len(SHIPPED), 8)
        for name in SHIPPED:
            with self.subTest(policy=name):
                # A directory that is not below /tmp, where rules about both would overlap.
                result = harness.usher('check', harness.BUILD / f'conf/policies/{name}.ini',
                                       cwd='/home', env=environment(XDG_RUNTIME_DIR='/run/user/1'))
                self.assertEqual(result.returncode, 0, result.stderr)
                meant = re.compile(self.MEANT.get(name, r'(?!)'))
                strange = [line for line in result.stderr.splitlines()
                           if not meant.search(line)]
                self.assertEqual(strange, [])

    def test_strict(self):
        """`usher check --strict` tells a policy with a warning (1) and a broken one (2) apart"""
        place = harness.workdir('check')
        for text, status in (('[files]\nallow read = /usr/**\ndefault = deny EACCES\n', 0),
                             ('[files]\nallow read = /usr/**\nallow read = /usr/lib\n'
                              'default = deny EACCES\n', 1),
                             ('[files]\nallow raed = /usr/**\n', 2)):
            (place / 'it.ini').write_text(text)
            result = harness.usher('check', '--strict', place / 'it.ini')
            self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertIn("did you mean 'read'?", result.stderr)
        self.assertIn('it.ini:2:', result.stderr)

    def test_described(self):
        """Each shipped policy opens with a paragraph for its users and has a description"""
        for name in SHIPPED:
            with self.subTest(policy=name):
                text = (harness.SOURCE / f'conf/policies/{name}.ini').read_text()
                self.assertTrue(text.startswith('; '))
                self.assertIn('\ndescription = ', text)


class UnixServer:
    """A listening unix socket in a directory of its own."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        return self

    def __exit__(self, *_):
        self.socket.close()
        os.unlink(self.path)
        os.rmdir(os.path.dirname(self.path))


@harness.both_modes
class Default(PolicyCase):
    def test_git(self, mode):
        """default: git makes a repository and commits in the current directory"""
        place = harness.workdir('git')
        (place / 'file').write_text('content\n')
        script = 'git init -q . && git add file && git commit -qm first && git log --format=%s'
        self.assert_allowed(self.run_in(place, ['sh', '-c', script], mode, 'default'), b'first\n')

    def test_key(self, mode):
        """default: a credential is refused with EACCES by its name and through a symbolic link"""
        place = harness.workdir('key')
        key = Path(f'/tmp/krb5cc_usher-test-{os.getpid()}')
        key.write_text('ticket\n')
        self.addCleanup(key.unlink)
        (place / 'link').symlink_to(key)
        (place / 'notes').write_text('notes\n')
        up = '/..' * len(place.parts)
        for name in (key, place / 'link', f'{place}{up}{key}', f'/proc/self/root{key}'):
            with self.subTest(name=str(name)):
                self.assert_allowed(self.run_in(place, ['cat', name], 'native', ''), b'ticket\n')
                result = self.run_in(place, ['cat', name], mode, 'default')
                self.assert_denied(result, errno.EACCES)
                self.assertEqual(result.stdout, b'')
        self.assert_allowed(self.run_in(place, ['cat', 'notes'], mode, 'default'), b'notes\n')

    def test_home(self, mode):
        """default: ${HOME} is that of the password database, and its .ssh is refused"""
        home = pwd.getpwuid(os.getuid()).pw_dir
        rule = harness.usher('explain', '--policy', 'default', 'open', '-r', f'{home}/.ssh/id')
        self.assertIn('deny', rule.stdout, rule.stderr)
        self.assertIn('EACCES', rule.stdout)
        result = self.run_in('/', ['cat', f'{home}/.ssh/usher-test-missing'], mode, 'default')
        self.assert_denied(result, errno.EACCES)
        native = self.run_in('/', ['cat', f'{home}/.ssh/usher-test-missing'], 'native', '')
        self.assert_denied(native, errno.ENOENT)

    def test_write_outside(self, mode):
        """default: nothing is written outside the current directory, and things in it are"""
        place = harness.workdir('outside')
        script = 'echo inside >inside && cat inside; echo outside >"$1"'
        outside = outside_of_temporary(self)
        command = ['bash', '-c', script, 'bash', outside / 'file']
        result = self.run_in(place, command, mode, 'default')
        self.assertEqual(result.stdout, b'inside\n')
        self.assert_denied(result, errno.EACCES)
        self.assertFalse((outside / 'file').exists())
        self.assert_allowed(self.run_in(place, command, 'native', ''))
        self.assertTrue((outside / 'file').exists())

    def test_anywhere(self, mode):
        """default: neither the system nor what runs later is written, wherever it is started"""
        home = pwd.getpwuid(os.getuid()).pw_dir
        kept = ('/proc/sys/kernel/core_pattern', '/sys/kernel/uevent_helper', '/dev/sda', '/etc/passwd',
                '/run/systemd/system/a.service',
                *(f'{home}/{name}' for name in ('.bash_aliases', '.inputrc', '.zshrc', '.cache/p10k-a',
                                                '.local/share/fish/vendor_conf.d/a.fish')))
        for name in ('/srv/file', f'{home}/notes', *kept):
            answer = harness.usher(
                'explain', '--policy', 'default', 'open', '-w', name, cwd='/')
            verdict = 'deny EACCES' if name in kept else 'allow'
            self.assertRegex(answer.stdout, f'verdict +{verdict}', (name, answer.stderr))
        # The kernel's own settings are root's; in a directory of them a write by him is refused.
        script = 'echo made >/tmp/usher-$$ && rm /tmp/usher-$$; : >>core_pattern'
        result = self.run_in('/proc/sys/kernel', ['sh', '-c', script], mode, 'default')
        self.assert_denied(result, errno.EACCES)

    def test_curl(self, mode):
        """default: curl fetches a page from a server; a service that starts processes is refused"""
        place = harness.workdir('curl')
        with LocalServer() as server:
            url = f'http://127.0.0.1:{server.port}/'
            result = self.run_in(place, ['curl', '-sS', url], mode, 'default')
            self.assert_allowed(result, b'the page\n')
            self.assertEqual(server.count, 1)

    def test_services(self, mode):
        """default: a socket that starts processes is refused, its neighbour is not"""
        place = harness.workdir('services')
        with UnixServer(f'/tmp/tmux-usher-{os.getpid()}/default') as tmux, \
                UnixServer(f'/tmp/plain-usher-{os.getpid()}/default') as plain:
            script = ('import socket,sys\n'
                      'socket.socket(socket.AF_UNIX).connect(sys.argv[1])\nprint("connected")')
            for path in (tmux.path, plain.path):
                self.assert_allowed(self.run_in(place, [PYTHON, '-c', script, path], 'native', ''))
            result = self.run_in(place, [PYTHON, '-c', script, plain.path], mode, 'default')
            self.assert_allowed(result, b'connected\n')
            result = self.run_in(place, [PYTHON, '-c', script, tmux.path], mode, 'default')
            self.assert_denied(result, errno.EACCES)
        for path in '/run/usher/usherd.control', '/run/user/1000/usher/usherd.sock':
            answer = harness.usher('explain', '--policy', 'default', 'connect', 'unix', path)
            self.assertIn('EACCES', answer.stdout, path)

    def test_explained(self, mode):
        """default: windows, keys and what starts later stay out of reach, and so do device nodes"""
        if mode != 'embedded':
            return  # nothing is started
        home = pwd.getpwuid(os.getuid()).pw_dir
        for question, answer in (
                ('connect unix /run/user/1000/wayland-0', 'EACCES'),
                ('connect unix /run/user/1000/pipewire-0', 'allow'),
                ('connect tcp 127.0.0.1:6010', 'EACCES'),
                ('connect tcp 127.0.0.1:6006', 'allow'),
                ('connect tcp [fd20:ce::254]:80', 'ECONNREFUSED'),
                (f'create {home}/.cache/antidote/plugin.zsh', 'EACCES'),
                (f'create {home}/.cache/antidotes', 'allow'),
                ('syscall mknod(arg1 == 0x61b6)', 'EPERM'),
                ('syscall mknodat(arg2 == 0x21b6, arg3 == 0x101)', 'EPERM'),
                ('syscall mknodat(arg2 == 0x21b6, arg3 == 0x104)', 'EPERM'),
                ('syscall mknodat(arg2 == 0x21b6, arg3 == 0x10b)', 'EPERM'),
                ('syscall mknodat(arg2 == 0x21b6, arg3 == 0x103)', 'allow'),
                ('syscall mknod(arg1 == 0x2000)', 'allow'),
                ('syscall mknod(arg1 == 0x11b6)', 'allow')):
            words = question.split(' ', 1 if question.startswith('syscall') else -1)
            told = harness.usher('explain', '--policy', 'default', *words, cwd='/')
            self.assertEqual(told.returncode, 0, told.stderr)
            verdict = next(line for line in told.stdout.splitlines() if 'verdict' in line)
            self.assertIn(answer, verdict, question)

    def test_other_process(self, mode):
        """default: a program reads its own environment and not that of another process"""
        place = harness.workdir('proc')
        result = self.run_in(place, ['sh', '-c', 'tr "\\0" "\\n" </proc/self/environ'], mode,
                             'default', env=environment(MARK='mine'))
        self.assert_allowed(result)
        self.assertIn(b'MARK=mine', result.stdout)
        other = f'/proc/{os.getpid()}/environ'
        self.assert_allowed(self.run_in(place, ['cat', other], 'native', ''))
        self.assert_denied(self.run_in(place, ['cat', other], mode, 'default'), errno.EACCES)


@harness.both_modes
class Readonly(PolicyCase):
    def repository(self):
        place = harness.workdir('readonly')
        (place / 'file').write_text('content\n')
        script = 'git init -q . && git add file && git commit -qm first'
        self.assert_allowed(self.run_in(place, ['sh', '-c', script], 'native', ''))
        return place

    def test_git(self, mode):
        """readonly: git log reads a repository; git commit cannot change it"""
        place = self.repository()
        result = self.run_in(place, ['git', 'log', '--format=%s'], mode, 'readonly')
        self.assert_allowed(result, b'first\n')
        commit = ['git', 'commit', '-qm', 'second', '--allow-empty']
        self.assert_denied(self.run_in(place, commit, mode, 'readonly'), errno.EROFS)
        result = self.run_in(place, ['git', 'log', '--format=%s'], 'native', '')
        self.assert_allowed(result, b'first\n')
        self.assert_allowed(self.run_in(place, commit, 'native', ''))

    def test_changes(self, mode):
        """readonly: creating, writing, removing, renaming and chmod are EROFS; nothing changes"""
        place = self.repository()
        changes = (['touch', 'new'], ['sh', '-c', 'echo more >>file'], ['rm', 'file'],
                   ['mv', 'file', 'other'], ['chmod', '600', 'file'], ['mkdir', 'folder'],
                   ['ln', '-s', 'file', 'link'], ['truncate', '-s', '0', 'file'])
        before = sorted(os.listdir(place))
        for change in changes:
            with self.subTest(change=' '.join(change)):
                self.assert_denied(self.run_in(place, change, mode, 'readonly'), errno.EROFS)
                self.assertEqual(sorted(os.listdir(place)), before)
                self.assertEqual((place / 'file').read_text(), 'content\n')
                self.assertEqual((place / 'file').stat().st_mode & 0o777, 0o644)
        reading = ['sh', '-c', 'cat file >/dev/null && cat file']
        self.assert_allowed(self.run_in(place, reading, mode, 'readonly'), b'content\n')


FETCH = """
import sys, urllib.request
open('made', 'w').write('made')
print(urllib.request.urlopen(sys.argv[1]).read().decode(), end='')
"""


@harness.both_modes
class Offline(PolicyCase):
    def test_fetch(self, mode):
        """offline: python3 writes a file, and has no socket to fetch a page with (EAFNOSUPPORT)"""
        place = harness.workdir('offline')
        with LocalServer() as server:
            command = [PYTHON, '-c', FETCH, f'http://127.0.0.1:{server.port}/']
            result = self.run_in(place, command, mode, 'offline')
            self.assert_denied(result, errno.EAFNOSUPPORT)
            self.assertEqual(server.count, 0)
            self.assertEqual((place / 'made').read_text(), 'made')
            self.assert_allowed(self.run_in(place, command, 'native', ''), b'the page\n')

    def test_pair(self, mode):
        """offline: programs talk among themselves over a unix socket"""
        place = harness.workdir('pair')
        script = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind('s')
server.listen()
if os.fork() == 0:
    socket.socket(socket.AF_UNIX).connect('s')
    os._exit(0)
server.accept()
print(os.wait()[1])
"""
        self.assert_allowed(self.run_in(place, [PYTHON, '-c', script], mode, 'offline'), b'0\n')


if __name__ == '__main__':
    unittest.main()
