# SPDX-License-Identifier: Apache-2.0
"""What is left to Landlock is answered as the broker answers it, for policies and calls at random
(trials.py), and it is left to it where that can be.

The seed is told (harness.seed); USHER_TEST_MECHANISM_SECONDS lets it go on for longer.
"""

import json
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import harness
from trials import (CALLS, OPERATIONS, POLICIES, PYTHON, KernelTrial, Trial, mechanisms, policy_text,
                    remove_tree)


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
