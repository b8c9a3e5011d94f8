# SPDX-License-Identifier: Apache-2.0
"""Policies, trees and calls at random, of which test_mechanism.py has the same answers twice: in two
sessions, of which one has `mechanism = broker`, on trees that are alike. Each answer and what has
become of the trees are compared.

With `mechanism = kernel` the rules have wildcards and denials inside, too; what may differ there is
that a directory of which not all may be read cannot be listed.

Landlock denies when all else is right. So a call that fails by itself, too, may get one errno or
the other; whether it does is found out by making it natively, on the same tree.
"""

import json
import os
import random
import shutil
import stat
from pathlib import Path

import harness

PYTHON = os.path.realpath('/usr/bin/python3')
OPERATIONS = ('read', 'write', 'create', 'remove')
CALLS = 120
POLICIES = 5

# What every program here needs; nobody is to move these away.
PROGRAM = """
default = quiet deny EACCES
allow read execute = /usr/** /lib/** /lib64/** /bin/** /sbin/**
allow read = /etc/** {extra}
"""

# Makes the calls of a file and prints what each gave. Without usher, too, for what is native.
CALLER = r"""
import errno, json, os, sys


def opened(path, flags, mode, directory=None):
    fd = os.open(path, flags, mode, dir_fd=directory)
    try:
        kind = os.fstat(fd).st_mode
        access = flags & os.O_ACCMODE
        if flags & os.O_PATH or access == os.O_ACCMODE:
            return ['neither', kind]
        if os.path.stat.S_ISDIR(kind):
            return ['directory', sorted(os.listdir(fd))]
        text = os.read(fd, 100).decode() if access != os.O_WRONLY else ''
        if access != os.O_RDONLY:
            os.write(fd, b'written')
        return ['file', kind, text]
    finally:
        os.close(fd)


def held(path, flags, held_flags):
    # Opened once more by a descriptor of it.
    fd = os.open(path, held_flags)
    try:
        answer = opened('/proc/self/fd/%d' % fd, flags, 0)
        return ['directory', answer] if os.path.stat.S_ISDIR(os.fstat(fd).st_mode) else answer
    finally:
        os.close(fd)


def relative(directory, path, flags, mode):
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        return opened(path, flags, mode, fd)
    finally:
        os.close(fd)


def inside(directory, call, *arguments):
    os.chdir(directory)
    try:
        return made(call, *arguments)
    finally:
        os.chdir(root)


simple = {'mkdir': os.mkdir, 'rmdir': os.rmdir, 'unlink': os.unlink, 'symlink': os.symlink,
          'rename': os.rename, 'truncate': os.truncate, 'listdir': lambda p: sorted(os.listdir(p)),
          'link': lambda a, b: os.link(a, b, follow_symlinks=False), 'mknod': os.mknod,
          'mkfifo': os.mkfifo, 'open': opened, 'held': held, 'relative': relative,
          'inside': inside, 'chdir': lambda p: (os.chdir(p), os.chdir(root)) and None}


def made(call, *arguments):
    return simple[call](*arguments)


def perform(calls):
    os.chdir(root)
    os.umask(0o022)
    answers = []
    for call in calls:
        try:
            answers.append(made(*call))
        except OSError as error:
            answers.append(errno.errorcode[error.errno])
    return answers


if __name__ == '__main__':
    root = sys.argv[2]
    with open(sys.argv[1]) as file:
        print(json.dumps(perform(json.load(file))))
"""


def make_tree(chance, root, hard_links=True):
    """Three levels of directories, with files and all kinds of links."""
    def fill(directory, level):
        for name in 'fg':
            if chance.random() < 0.7:
                (directory / name).write_text(name * chance.randrange(1, 9))
                (directory / name).chmod(chance.choice((0o644, 0o600, 0o444, 0o000)))
        for name, target in (('s', chance.choice(('f', 'a', '../b', 'b/f', 'nothing'))),
                             ('t', str(root / chance.choice(('a', 'b/f', 'a/b', 'c/x'))))):
            if chance.random() < 0.5:
                (directory / name).symlink_to(target)
        if (level < 3 and chance.random() < 0.2 and (root / 'f').exists() and hard_links):
            os.link(root / 'f', directory / 'h')
        for name in 'abc':
            if level and chance.random() < 0.8:
                (directory / name).mkdir()
                fill(directory / name, level - 1)
        if chance.random() < 0.1:
            directory.chmod(0o555)
    root.mkdir()
    fill(root, 3)
    root.chmod(0o755)


def describe(root):
    """All that is there: names, kinds, modes, contents."""
    result = {}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = Path(directory, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            else:
                content = path.read_text() if stat.S_ISREG(mode) and os.access(path, os.R_OK) else ''
            result[str(path)] = (mode, content)
    return result


def remove_tree(root):
    for directory, _names, _files in os.walk(root):
        os.chmod(directory, 0o700)
    shutil.rmtree(root, ignore_errors=True)


def choose_path(chance, root, names, absolute=None):
    """One that is there as often as not; `names` is what there is, below the root."""
    if names and chance.random() < 0.6:
        parts = chance.choice(names).split('/')
    else:
        parts = [chance.choice('abcabcfghst') for _ in range(chance.randrange(0, 4))]
    if chance.random() < 0.1:
        parts.insert(chance.randrange(len(parts) + 1), '..' if chance.random() < 0.7 else '.')
    if chance.random() < 0.15:
        parts.append('new')
    path = '/'.join(parts) + ('/' if chance.random() < 0.05 and parts else '')
    if absolute is None:
        absolute = chance.random() < 0.5
    return f'{root}/{path}' if absolute else path or '.'


def choose_flags(chance):
    access = (os.O_RDONLY,) * 8 + (os.O_WRONLY,) * 5 + (os.O_RDWR,) * 5 + (os.O_ACCMODE,)
    flags = chance.choice(access) | os.O_NONBLOCK
    for flag, part in ((os.O_CREAT, 0.4), (os.O_TRUNC, 0.2), (os.O_EXCL, 0.1), (os.O_APPEND, 0.1),
                       (os.O_NOFOLLOW, 0.1), (os.O_DIRECTORY, 0.1), (os.O_PATH, 0.05)):
        if chance.random() < part:
            flags |= flag
    if chance.random() < 0.04:
        flags = os.O_TMPFILE | os.O_RDWR
    return flags


def choose_call(chance, root, names):
    def path(absolute=None):
        return choose_path(chance, root, names, absolute)

    kind = chance.choice(('open', 'open', 'open', 'open', 'mkdir', 'rmdir', 'unlink', 'unlink',
                          'symlink', 'rename', 'link', 'truncate', 'listdir', 'mknod', 'mkfifo',
                          'held', 'relative', 'inside', 'chdir'))
    if kind == 'open':
        return [kind, path(), choose_flags(chance), 0o644]
    if kind == 'held':
        return [kind, path(), choose_flags(chance),
                chance.choice((os.O_RDONLY | os.O_NONBLOCK, os.O_PATH))]
    if kind == 'relative':
        return [kind, path(), path(False), choose_flags(chance), 0o644]
    if kind == 'inside':
        return [kind, path(), chance.choice(('mkdir', 'unlink', 'listdir')), path(False)]
    if kind in ('rename', 'link'):
        return [kind, path(), path()]
    if kind == 'symlink':
        return [kind, chance.choice(('f', '../a', 'a/b', str(root / 'b'))), path()]
    if kind in ('mkdir', 'mknod', 'mkfifo'):
        return [kind, path(), 0o755]
    if kind == 'truncate':
        return [kind, path(), chance.randrange(3)]
    return [kind, path()]


def directories_of(root):
    return [Path(directory) for directory, _, _ in os.walk(root)]


def choose_rules(chance, root):
    """Rules that Landlock can often take over."""
    places = directories_of(root)
    places += [place for place in places if place.parent == root] * 3 + [root] * 8
    files = [path for path in root.rglob('[fg]') if not path.is_symlink()]
    lines, denials = [], []
    for _ in range(chance.randrange(3, 9)):
        operations = [o for o in OPERATIONS if chance.random() < 0.7] or ['read']
        if 'create' in operations and chance.random() < 0.8:
            operations = sorted({*operations, 'read', 'write'}, key=OPERATIONS.index)
        place = chance.choice(places)
        if chance.random() < 0.2 and files:
            operations = [o for o in operations if o in ('read', 'write')] or ['read']
            lines.append(f'allow {" ".join(operations)} = {chance.choice(files)}')
            continue
        if chance.random() < 0.9:
            denials.append(place)
        lines.append(f'allow {" ".join(operations)} = {place}/**')
        if chance.random() < 0.2:
            lines.append(f'quiet deny EACCES {operations[0]} = {chance.choice(places)}/**')
    return [f'quiet deny create remove = {path}' for path in denials] + lines


def choose_kernel_rules(chance, root):
    """Rules about reading as `mechanism = kernel` can take them over: also with names in between."""
    places = directories_of(root)
    places += [place for place in places if place.parent == root] * 3 + [root] * 4
    ends = ('/**', '/**', '/*', '/f', '/[ab]', '/[!a]*', '/*/f', '/a/**', '/?/**', '/new')
    denials, lines = [], []
    for _ in range(chance.randrange(2, 7)):
        place = chance.choice(places)
        kind = chance.random()
        if kind < 0.25:
            lines.append(f'deny EACCES read create write = {place}{chance.choice(ends)}')
        elif kind < 0.3:
            lines.append(f'deny ENOENT read create = {place}{chance.choice(ends)}')
        elif kind < 0.5:
            denials.append(place)
            lines.append(f'allow read write create remove = {place}/**')
        else:
            lines.append(f'allow read = {place}{chance.choice(ends)}')
    return [f'deny create remove = {path}' for path in denials] + lines


def policy_text(rules, extra, mechanism):
    return (f'[policy]\nfollow = yes\nmechanism = {mechanism}\n[syscalls]\ndeny EPERM = @mount\n'
            '[files]\n' + '\n'.join(rules) + PROGRAM.format(extra=extra))


def write_policy(rules, extra, mechanism):
    return harness.policy(policy_text(rules, extra, mechanism))


def mechanisms(policy):
    result = harness.usher('check', '--mechanisms', '--json', policy)
    answer = json.loads(result.stdout)[0]
    if 'mechanisms' not in answer:
        raise AssertionError(f'{answer}')
    return answer['mechanisms']


class Trial:
    """One policy, tree and list of calls."""
    choose_rules = staticmethod(choose_rules)
    mechanism = 'automatic'
    hard_links = True

    def __init__(self, place, seed):
        self.seed = seed
        self.place = place
        self.root = place / 'tree'
        self.chance = random.Random(seed)
        self.calls_file = place / 'calls'

    def make_tree(self):
        if self.root.exists():
            remove_tree(self.root)
        make_tree(random.Random(self.seed), self.root, self.hard_links)

    def choose(self):
        self.make_tree()
        self.rules = self.choose_rules(self.chance, self.root)
        names = sorted(str(path.relative_to(self.root)) for path in self.root.rglob('*'))
        self.calls = [choose_call(self.chance, self.root, names) for _ in range(CALLS)]
        self.calls_file.write_text(json.dumps(self.calls))
        self.policies = {name: write_policy(self.rules, self.calls_file, name)
                         for name in (self.mechanism, 'broker')}

    def perform(self, mode, mechanism):
        self.make_tree()
        result = harness.run([PYTHON, '-I', '-S', '-c', CALLER, self.calls_file, self.root], mode,
                             policy=self.policies[mechanism])
        if result.returncode:
            raise AssertionError(f'seed {self.seed}: {result.stderr.decode()}')
        return json.loads(result.stdout), describe(self.root)

    def native(self, answers):
        """What the calls with different answers give natively, by number, after those that were
        allowed before. A call that fails changes nothing, and one that does not is a mistake."""
        caller = {'__name__': 'caller', 'root': str(self.root)}
        here, mask = os.getcwd(), os.umask(0o022)
        self.make_tree()
        try:
            exec(CALLER, caller)
            return {number: caller['perform']([call])[0]
                    for number, (call, *pair) in enumerate(zip(self.calls, *answers))
                    if pair[0] != pair[1] or not isinstance(pair[0], str)}
        finally:
            os.chdir(here)
            os.umask(mask)

    def may_differ(self, call, by_landlock, by_broker):
        return False

    def compare(self, test, mode):
        by_landlock, by_broker = (self.perform(mode, name) for name in (self.mechanism, 'broker'))
        story = f'USHER_TEST_SEED={self.seed}\n' + '\n'.join(self.rules)
        test.assertEqual(by_landlock[1], by_broker[1], f'what has become of the tree: {story}')
        answers = [by_landlock[0], by_broker[0]]
        natively = self.native(answers) if answers[0] != answers[1] else {}
        for number, (call, *pair) in enumerate(zip(self.calls, *answers)):
            # Both may fail, and the call by itself, with the errno of one of the two.
            if pair[0] != pair[1] and not self.may_differ(call, *pair):
                test.assertTrue(all(isinstance(answer, str) for answer in pair) and
                                natively[number] in pair,
                                f'{call}: {pair[0]} by Landlock, {pair[1]} by the broker, '
                                f'{natively[number]} natively: {story}')
        return sum(not isinstance(answer, str) for answer in answers[0])


class KernelTrial(Trial):
    """The same of reading alone. Landlock means a file by any of its names."""
    choose_rules = staticmethod(choose_kernel_rules)
    mechanism = 'kernel'
    hard_links = False

    def may_differ(self, call, by_landlock, by_broker):
        """A directory that is allowed in part can be opened by the broker alone."""
        return by_landlock == 'EACCES' and (
            isinstance(by_broker, list) and (by_broker[0] == 'directory' or call[0] in
                                             ('listdir', 'inside')) or
            by_broker in ('EISDIR', 'ENOTDIR'))
