# SPDX-License-Identifier: Apache-2.0
"""What is left to Landlock is answered as the broker answers it.

Policies, trees and calls are made at random; the calls are made in two sessions, of which one has
`mechanism = broker`, on trees that are alike. Each answer and what has become of the trees are
compared. The seed is told (harness.seed); USHER_TEST_MECHANISM_SECONDS lets it go on for longer.

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
import subprocess
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


@harness.both_modes
class Mechanism(unittest.TestCase):
    def setUp(self):
        self.place = Path(tempfile.mkdtemp(dir=harness.workdir('mechanism')))
        self.addCleanup(remove_tree, self.place)

    def test_same_answers(self, mode):
        """Policies and calls at random: Landlock and the broker give the same answers"""
        self.compare_policies(mode, Trial, set(OPERATIONS))

    def test_same_answers_of_kernel(self, mode):
        """The same with `mechanism = kernel`, but for the listing of what is allowed in part"""
        self.compare_policies(mode, KernelTrial, {'read'})

    def compare_policies(self, mode, kind, wanted):
        first = harness.seed()
        end = time.monotonic() + float(os.environ.get('USHER_TEST_MECHANISM_SECONDS', 0))
        seed, tried, succeeded, taken = first, 0, 0, set()
        while tried < POLICIES or not wanted <= taken or time.monotonic() < end:
            trial = kind(self.place, seed)
            trial.choose()
            landlocks = {name for name, choice in mechanisms(trial.policies[kind.mechanism]).items()
                         if name in OPERATIONS and choice['by'] == 'Landlock'}
            if landlocks & wanted:
                succeeded += trial.compare(self, mode)
                taken |= landlocks
                tried += 1
            seed += 1
        print(f'# seeds {first} to {seed - 1}: {tried} policies, {tried * CALLS} calls, '
              f'{succeeded} of them allowed')
        self.assertGreater(succeeded, tried)


# Tells by which errno something is denied that fails by itself, too: the kernel's comes first.
WITNESS = """
import errno, os, sys

denied = sys.argv[1]
answers = []
for call in (lambda: os.open(denied + '/f', os.O_RDONLY | os.O_DIRECTORY),
             lambda: os.open(denied, os.O_WRONLY),
             lambda: os.mkdir(denied + '/d')):
    try:
        call()
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
print(*answers)
"""
BY_LANDLOCK, BY_BROKER = 'ENOTDIR EISDIR EEXIST', 'EACCES EACCES EACCES'


# Mounts a file system that nobody serves over one in memory, and starts a program beside it.
SILENT = """
import ctypes, os, subprocess, sys
fuse = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
for kind, options in (b'tmpfs', b''), (b'fuse', b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse):
    assert libc.mount(b'none', sys.argv[1].encode(), kind, 0, options) == 0, os.strerror(ctypes.get_errno())
subprocess.run(sys.argv[2:], timeout=30, check=False)
"""


@harness.both_modes
class Choice(unittest.TestCase):
    def setUp(self):
        self.place = harness.workdir('choice')
        for name in ('denied/d', 'work'):
            (self.place / name).mkdir(parents=True)
        (self.place / 'denied/f').write_text('')

    def policy_text(self, *rules, mechanism='automatic'):
        work = self.place / 'work'
        return policy_text([f'quiet deny create remove = {work}',
                            f'allow read write create remove = {work}/**', *rules], '', mechanism)

    def policy(self, *rules, **more):
        return harness.policy(self.policy_text(*rules, **more))

    def witness(self, mode, policy, options=()):
        result = harness.run([PYTHON, '-I', '-S', '-c', WITNESS, self.place / 'denied'], mode,
                             policy=policy, options=options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode().strip()

    def enforcers(self, policy):
        return {mechanisms(policy)[name]['by'] for name in OPERATIONS}

    def test_both(self, mode):
        """What the kernel answers is the kernel's, and with `mechanism = broker` or --verbose the broker's"""
        policy = self.policy()
        self.assertEqual(self.enforcers(policy), {'Landlock'})
        self.assertEqual(self.witness(mode, policy), BY_LANDLOCK)
        self.assertEqual(self.witness(mode, policy, ['--verbose']), BY_BROKER)
        policy = self.policy(mechanism='broker')
        self.assertEqual(self.enforcers(policy), {'broker'})
        self.assertEqual(self.witness(mode, policy), BY_BROKER)

    def expect_fallback(self, mode, rule, reason):
        policy = self.policy(rule)
        self.assertEqual(self.enforcers(policy), {'broker'})
        choice = mechanisms(policy)['read']
        self.assertEqual(choice['obstacle'], 'machine')
        self.assertIn(reason, choice['text'])
        self.assertEqual(self.witness(mode, policy), BY_BROKER)
        return policy

    def test_no_landlock(self, mode):
        """On a kernel without Landlock what it could do is the broker's, and that is told"""
        without = harness.policy('[syscalls]\ndeny ENOSYS = landlock_create_ruleset\n')
        result = harness.run([harness.USHER, 'check', '--mechanisms', '--json', self.policy()],
                             mode, policy=without)
        choice = json.loads(result.stdout)[0]['mechanisms']['write']
        self.assertEqual((choice['by'], choice['obstacle']), ('broker', 'machine'))
        self.assertIn('off, or not there', choice['text'])

    def test_missing(self, mode):
        """What is not there yet is allowed when it comes: so the broker is asked"""
        late = self.place / 'late'
        policy = self.expect_fallback(mode, f'allow read = {late}/**', 'No such file')
        with subprocess.Popen(
                harness.usher_command(['sh', '-c', 'read line; cat "$0/f"', late], mode, policy),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=harness.environment()) as waits:
            late.mkdir()
            (late / 'f').write_text('here')
            self.assertEqual(waits.communicate(b'go\n', timeout=harness.SECONDS)[0], b'here')
        self.assertEqual(self.enforcers(policy), {'Landlock'})

    def test_other_names(self, mode):
        """A file with a second name is not what its first name says: so the broker is asked"""
        (self.place / 'one').write_text('content')
        os.link(self.place / 'one', self.place / 'denied/two')
        policy = self.expect_fallback(mode, f'allow read = {self.place}/one', 'other names')
        for name, expected in (('one', b'content'), ('denied/two', b'')):
            result = harness.run(['cat', self.place / name], mode, policy=policy)
            self.assertEqual(result.stdout, expected, result.stderr)

    def test_kinds(self, mode):
        """A directory where a file was meant, and the other way round"""
        (self.place / 'file').write_text('')
        self.expect_fallback(mode, f'allow read = {self.place}/denied', 'is a directory')
        self.expect_fallback(mode, f'allow read = {self.place}/file/**', 'is no directory')

    @unittest.skipUnless(os.geteuid() == 0, 'root mounts')
    def test_mounts(self, mode):
        """What is mounted elsewhere, too, has two names, and a procfs has one for each who asks"""
        for options, source in ((['--bind'], self.place / 'work'), (['-t', 'proc'], 'none')):
            inside = self.place / 'tree/inside'
            inside.mkdir(parents=True, exist_ok=True)
            rule = f'allow read = {self.place}/tree/**'
            subprocess.run(['mount', *options, source, inside], check=True)
            try:
                self.expect_fallback(mode, rule, 'by the mount at' if '--bind' in options
                                     else 'has a procfs in it')
            finally:
                subprocess.run(['umount', inside], check=True)
        self.assertEqual(self.enforcers(self.policy(rule)), {'Landlock'})

    @unittest.skipUnless(os.geteuid() == 0, 'root mounts')
    def test_silent_mount(self, mode):
        """A mount that never answers holds nobody up"""
        silent = self.place / 'silent'
        silent.mkdir()
        command = harness.usher_command(['echo', 'ran'], mode, self.policy())
        done = harness.run(['unshare', '-m', PYTHON, '-I', '-c', SILENT, silent, *command], 'native')
        self.assertEqual(done.stdout, b'ran\n', done.stderr)

    def test_explained(self, mode):
        """`usher explain` names Landlock, and else the rule because of which it is the broker"""
        policy = self.policy(f'deny write = {self.place}/denied')
        for question, words in ((['open', '-r', '/etc/passwd'], ['Landlock: openat']),
                                (['open', '-w', '/etc/passwd'], ['broker: openat', 'because',
                                                                 'deny write', 'log']),
                                (['remove', '/etc/passwd'], ['Landlock: unlink'])):
            answer = harness.usher('explain', '--policy', policy, *question).stdout
            for word in words:
                self.assertIn(word, answer)
        self.assertEqual(self.witness(mode, policy), 'ENOTDIR EACCES EEXIST')

    def reload(self, policy, *rules, **more):
        """What becomes of the one session when the policy has these rules now."""
        (harness.policy_directory() / f'{policy}.ini').write_text(self.policy_text(*rules, **more))
        answer = json.loads(harness.usher('reload', '--json').stdout)
        return next((session['outcome'], session.get('reason', ''))
                    for session in answer['sessions'] if session['policy'] == policy)

    def test_reload(self):
        """A running session follows where the broker decides, and is told that what is the kernel's stays"""
        denied = f'deny write = {self.place}/denied'
        policy = self.policy(denied)
        harness.run(['true'], 'daemon', policy=policy)
        with subprocess.Popen(
                harness.usher_command(['cat'], 'daemon', policy), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env=harness.environment()) as session:
            session.stdin.write(b'x')
            session.stdin.flush()
            session.stdout.read(1)
            self.assertEqual(self.reload(policy, denied, f'deny write = {self.place}/free/f')[0],
                             'followed')
            for rules in ([denied, f'allow read = {self.place}/**'], [denied, 'allow remove = /x/**'],
                          ['allow read = /**']):
                outcome, reason = self.reload(policy, *rules)
                self.assertEqual(outcome, 'refused')
                self.assertIn('by Landlock', reason)
            self.assertEqual(self.reload(policy, denied, mechanism='broker')[0], 'refused')
            self.assertEqual(self.reload(policy, denied)[0], 'followed')
            session.communicate(timeout=harness.SECONDS)
