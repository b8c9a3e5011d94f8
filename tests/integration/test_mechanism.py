# SPDX-License-Identifier: Apache-2.0
"""What is left to Landlock is answered as the broker answers it.

Policies, trees and calls are made at random; the calls are made in two sessions, of which one has
`mechanism = broker`, on trees that are alike. Each answer and what has become of the trees are
compared. The seed is told; USHER_TEST_SEED repeats one, USHER_TEST_MECHANISM_SECONDS lets it go on
for longer.

Landlock denies when all else is right. So a call that fails by itself, too, may get one errno or
the other; whether it does is found out by making it natively, on the same tree.
"""

import json
import os
import random
import shutil
import stat
import tempfile
import time
import unittest
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
        if flags & os.O_PATH:
            return ['path', kind]
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
        return opened('/proc/self/fd/%d' % fd, flags, 0)
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


def make_tree(chance, root):
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
    if chance.random() < 0.6:
        parts = chance.choice(names).split('/')
    else:
        parts = [chance.choice('abcabcfgst') for _ in range(chance.randrange(0, 4))]
    if chance.random() < 0.1:
        parts.insert(chance.randrange(len(parts) + 1), '..' if chance.random() < 0.7 else '.')
    if chance.random() < 0.15:
        parts.append('new')
    path = '/'.join(parts) + ('/' if chance.random() < 0.05 and parts else '')
    if absolute is None:
        absolute = chance.random() < 0.5
    return f'{root}/{path}' if absolute else path or '.'


def choose_flags(chance):
    flags = chance.choice((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR)) | os.O_NONBLOCK
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
        return [kind, path(), choose_flags(chance), chance.choice((os.O_RDONLY, os.O_PATH))]
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


def write_policy(rules, extra, mechanism):
    return harness.policy(
        f'[policy]\nmechanism = {mechanism}\n[syscalls]\ndeny EPERM = @mount\n[files]\n' +
        '\n'.join(rules) + PROGRAM.format(extra=extra))


def mechanisms(policy):
    result = harness.usher('check', '--mechanisms', '--json', policy)
    answer = json.loads(result.stdout)[0]
    if 'mechanisms' not in answer:
        raise AssertionError(f'{answer}')
    return answer['mechanisms']


class Trial:
    """One policy, tree and list of calls."""

    def __init__(self, place, seed):
        self.seed = seed
        self.place = place
        self.root = place / 'tree'
        self.chance = random.Random(seed)
        self.calls_file = place / 'calls'

    def make_tree(self):
        if self.root.exists():
            remove_tree(self.root)
        make_tree(random.Random(self.seed), self.root)

    def choose(self):
        self.make_tree()
        self.rules = choose_rules(self.chance, self.root)
        names = sorted(str(path.relative_to(self.root)) for path in self.root.rglob('*'))
        self.calls = [choose_call(self.chance, self.root, names) for _ in range(CALLS)]
        self.calls_file.write_text(json.dumps(self.calls))
        self.policies = {name: write_policy(self.rules, self.calls_file, name)
                         for name in ('automatic', 'broker')}

    def perform(self, mode, mechanism):
        self.make_tree()
        result = harness.run([PYTHON, '-I', '-S', '-c', CALLER, self.calls_file, self.root], mode,
                             policy=self.policies[mechanism])
        if result.returncode:
            raise AssertionError(f'seed {self.seed}: {result.stderr.decode()}')
        return json.loads(result.stdout), describe(self.root)

    def native(self, calls):
        """What the last of these calls gives natively, after the others."""
        caller = {'__name__': 'caller', 'root': str(self.root)}
        here, mask = os.getcwd(), os.umask(0o022)
        self.make_tree()
        try:
            exec(CALLER, caller)
            return caller['perform'](calls)[-1]
        finally:
            os.chdir(here)
            os.umask(mask)

    def may_differ(self, number, answers):
        """Both fail, and the call fails by itself, with the errno of one of the two."""
        pair = [given[number] for given in answers]
        if not all(isinstance(answer, str) for answer in pair):
            return False
        done = [call for call, answer in zip(self.calls[:number], answers[0])
                if not isinstance(answer, str)]
        return self.native(done + [self.calls[number]]) in pair

    def compare(self, test, mode):
        by_landlock, by_broker = (self.perform(mode, name) for name in ('automatic', 'broker'))
        story = f'USHER_TEST_SEED={self.seed}\n' + '\n'.join(self.rules)
        test.assertEqual(by_landlock[1], by_broker[1], f'what has become of the tree: {story}')
        answers = [by_landlock[0], by_broker[0]]
        for number, call in enumerate(self.calls):
            if answers[0][number] != answers[1][number]:
                test.assertTrue(self.may_differ(number, answers),
                                f'{call}: {answers[0][number]} by Landlock, '
                                f'{answers[1][number]} by the broker: {story}')
        return sum(not isinstance(answer, str) for answer in answers[0])


@harness.both_modes
class Mechanism(unittest.TestCase):
    def setUp(self):
        self.place = Path(tempfile.mkdtemp(dir=harness.workdir('mechanism')))
        self.addCleanup(remove_tree, self.place)

    def test_same_answers(self, mode):
        """Policies and calls at random: Landlock and the broker give the same answers"""
        first = int(os.environ.get('USHER_TEST_SEED', 0)) or random.randrange(1, 1 << 30)
        end = time.monotonic() + float(os.environ.get('USHER_TEST_MECHANISM_SECONDS', 0))
        seed, tried, succeeded, taken = first, 0, 0, set()
        while tried < POLICIES or len(taken) < len(OPERATIONS) or time.monotonic() < end:
            trial = Trial(self.place, seed)
            trial.choose()
            landlocks = {name for name, choice in mechanisms(trial.policies['automatic']).items()
                         if name in OPERATIONS and choice['by'] == 'Landlock'}
            if landlocks:
                succeeded += trial.compare(self, mode)
                taken |= landlocks
                tried += 1
            seed += 1
        print(f'# seeds {first} to {seed - 1}: {tried} policies, {tried * CALLS} calls, '
              f'{succeeded} of them allowed')
        self.assertGreater(succeeded, tried)
