# SPDX-License-Identifier: Apache-2.0
"""Reading that is left to the kernel: `mechanism = kernel`.

What may be read is read, and what may not is not, as by the broker, to which the same policy goes
with `mechanism = broker`; and what differs is what usher-policy(5) says. That the answers are alike
for any policy is for test_mechanism.py.
"""

import json
import os
import shutil
import stat
import subprocess
import unittest
from pathlib import Path

import harness

POLICY = """
[policy]
mechanism = {mechanism}
[syscalls]
deny EPERM = @mount
[files]
default = deny EACCES
{rules}
deny create remove = {place}/work
allow read write create remove = {place}/work/**
allow read = /usr/** /lib/** /lib64/** /bin/** /etc/**
allow read write = /dev/null
"""
# What the shipped policies keep of other processes.
PROCESSES = """
deny EACCES read write create remove metadata =
	/proc/[1-9]*/environ /proc/[1-9]*/mem /proc/[1-9]*/maps /proc/[1-9]*/fd/**
	/proc/[1-9]*/root/** /proc/[1-9]*/cwd/** /proc/kallsyms
allow read = /proc/**
"""
GIVEN_UP = 1 << 17 | 1 << 21 | 1 << 34 | 1 << 38  # RAWIO, ADMIN, SYSLOG, PERFMON


@harness.both_modes
class Kernel(unittest.TestCase):
    def setUp(self):
        self.place = harness.workdir('kernel')
        (self.place / 'work').mkdir()

    def policy(self, rules, mechanism='kernel'):
        return harness.policy(POLICY.format(rules=rules, mechanism=mechanism, place=self.place))

    def reader(self, policy):
        """Who decides on reading, and why, if it is not Landlock."""
        answer = json.loads(harness.usher('check', '--mechanisms', '--json', policy).stdout)
        choice = answer[0]['mechanisms']['read']
        return choice['by'], choice.get('text', '')

    def shell(self, mode, policy, script, **more):
        result = harness.run(['sh', '-c', script], mode, policy=policy, cwd=self.place, **more)
        return result.stdout.decode(), result.stderr.decode()

    def make_files(self, *names):
        for name in names:
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place / name).write_text(f'{os.path.basename(name)}\n')

    def test_apart(self, mode):
        """A directory with denials inside is granted by its other entries, as they are at the start"""
        self.make_files('tree/open', 'tree/kept', 'tree/sub/free', 'tree/sub/kept2', 'tree/all/one')
        rules = (f'deny read = {self.place}/tree/kept {self.place}/tree/s*/kep?2\n'
                 f'allow read = {self.place}/tree/**')
        script = ('cd tree; cat open sub/free all/one; cat kept; cat sub/kept2; cat sub/../kept; '
                  'ls all; ls . 2>&1; ln -s ../tree/kept ../work/link; cat ../work/link')
        answers = {}
        for mechanism in ('kernel', 'broker'):
            policy = self.policy(rules, mechanism)
            self.assertEqual(self.reader(policy)[0], 'Landlock' if mechanism == 'kernel' else 'broker')
            answers[mechanism], told = self.shell(mode, policy, script)
            self.assertEqual(told.count('Permission denied'), 4, told)
            (self.place / 'work/link').unlink()
        self.assertEqual(answers['broker'], 'open\nfree\none\none\nall\nkept\nopen\nsub\n')
        self.assertEqual(answers['kernel'],
                         "open\nfree\none\none\nls: cannot open directory '.': Permission denied\n")

    def test_later(self, mode):
        """What comes later is granted where its whole directory is"""
        self.make_files('tree/kept', 'tree/all/one')
        policy = self.policy(f'deny read = {self.place}/tree/kept\nallow read = {self.place}/tree/**')
        with subprocess.Popen(
                harness.usher_command(['sh', '-c', 'echo; read line; cat tree/later tree/all/later'],
                                      mode, policy),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                cwd=self.place, env=harness.environment()) as waits:
            waits.stdout.readline()
            self.make_files('tree/later', 'tree/all/later')
            output, told = waits.communicate(b'go\n', timeout=harness.SECONDS)
        self.assertEqual(output, b'later\n')
        self.assertIn(b'tree/later: Permission denied', told)

    def test_wildcards(self, mode):
        """A wildcard means what is there at the start, where the program cannot make such names"""
        self.make_files('etc/a.conf', 'etc/b.conf', 'etc/c.other', 'etc/py3.1/in/side')
        policy = self.policy(f'allow read = {self.place}/etc/*.conf {self.place}/etc/py[0-9]*/**')
        self.assertEqual(self.reader(policy)[0], 'Landlock')
        output, told = self.shell(mode, policy, 'cat etc/*.other etc/a.conf; cat etc/py3.1/in/side; '
                                                'cat etc/c.other; cat etc/b.conf; ls etc/py3.1')
        self.assertEqual(output, 'a.conf\nside\nb.conf\nin\n')
        self.assertIn('etc/c.other: Permission denied', told)

    def test_absent(self, mode):
        """Another errno, or a name among what the program makes: Landlock while nothing is there"""
        for rule, error in ((f'deny ENOENT read create = {self.place}/token', 'No such file'),
                            (f'deny read create = {self.place}/work/tok*', 'Permission denied')):
            policy = self.policy(rule)
            name = 'token' if 'ENOENT' in rule else 'work/token'
            self.assertEqual(self.reader(policy)[0], 'Landlock')
            _, told = self.shell(mode, policy, f'cat {name}; echo x >{name}')
            self.assertIn('No such file', told)
            self.assertFalse((self.place / name).exists())
            self.make_files(name)
            by, why = self.reader(policy)
            self.assertEqual(by, 'broker')
            self.assertIn(f'{name} is there', why)
            output, told = self.shell(mode, policy, f'cat {name}')
            self.assertEqual(output, '')
            self.assertIn(error, told)
            (self.place / name).unlink()

    @unittest.skipUnless(os.geteuid() == 0, 'root makes files of others')
    def test_closed(self, mode):
        """What another user keeps for himself is no reason to ask the broker"""
        place = Path(f'/run/lock/usher-test-{os.getpid()}')
        place.mkdir(mode=0o755)
        self.addCleanup(shutil.rmtree, place)
        (place / 'token').write_text('token\n')
        (place / 'p.ini').write_text(POLICY.format(
            mechanism='kernel', rules=f'deny ENOENT read create = {place}/tok*', place=self.place))
        check = [harness.USHER, 'check', '--mechanisms', '--json', place / 'p.ini']
        for mode_of_file, by in ((0o604, 'broker'), (0o600, 'Landlock')):
            (place / 'token').chmod(mode_of_file)
            result = harness.run(['setpriv', '--reuid', '65534', '--regid', '65534',
                                  '--clear-groups', *check], 'native')
            self.assertEqual(json.loads(result.stdout)[0]['mechanisms']['read']['by'], by)

    def test_closed_directory(self, mode):
        """What lies in a closed directory of one's own could be opened later: the broker is asked"""
        if os.geteuid() == 0:
            return  # nothing is closed to root
        self.make_files('work/inner/token')
        (self.place / 'work/inner').chmod(0)
        self.addCleanup((self.place / 'work/inner').chmod, 0o700)
        policy = self.policy(f'deny read create = {self.place}/work/inner/token\n'
                             f'allow metadata = {self.place}/work/**')
        by, why = self.reader(policy)
        self.assertEqual(by, 'broker')
        self.assertIn('cannot be looked at', why)
        _, told = self.shell(mode, policy, 'chmod 700 work/inner; cat work/inner/token')
        self.assertIn('token: Permission denied', told)

    def test_made(self, mode):
        """A directory that the program may make is made for it, and is for its user alone"""
        rules = (f'deny remove = {self.place}/cache\n'
                 f'allow read write create remove = {self.place}/cache/**')
        policy = self.policy(rules)
        self.assertEqual(self.reader(policy)[0], 'Landlock')
        self.assertFalse((self.place / 'cache').exists())
        output, told = self.shell(mode, policy, 'mkdir -p cache/d && echo x >cache/d/f; cat cache/d/f')
        self.assertEqual((output, told), ('x\n', ''))
        self.assertEqual(stat.S_IMODE((self.place / 'cache').stat().st_mode), 0o700)

    def test_processes(self, mode):
        """Of processes outside of the session the kernel shows what ps(1) shows, and no more"""
        policy = self.policy(PROCESSES)
        self.assertEqual(self.reader(policy)[0], 'Landlock')
        outside = os.getpid()
        self.make_files('kept')
        keeps = ('environ', 'maps', f'root{self.place}/kept', f'cwd/{os.path.basename(__file__)}', 'fd/0')
        script = '; '.join(f'head -c 1 /proc/{outside}/{name} >/dev/null && echo {name}'
                           for name in keeps + ('cmdline', 'status'))
        here = os.getcwd()
        os.chdir(os.path.dirname(__file__))
        self.addCleanup(os.chdir, here)
        self.assertEqual(self.shell('native', '', script)[0].split(), [*keeps, 'cmdline', 'status'])
        for mechanism in ('kernel', 'broker'):
            output, told = self.shell(mode, self.policy(PROCESSES, mechanism), script)
            self.assertEqual(output.split(), ['cmdline', 'status'], mechanism)
            self.assertEqual(told.count('Permission denied'), len(keeps), told)
        self.make_files('work/given')
        output, told = self.shell(mode, policy, 'exec 3<work/given; head -c 1 /proc/self/maps '
                                                '/proc/self/environ >/dev/null && cat /dev/fd/3')
        self.assertEqual(output, 'given\n', told)

    def test_capabilities(self, mode):
        """Where /proc is granted nobody has the capabilities that show memory of the kernel there"""
        script = "sed -n 's/^CapEff:.//p' /proc/self/status; head -n 1 /proc/kallsyms"
        mine = int(self.shell('native', '', script)[0].splitlines()[0], 16)
        output, told = self.shell(mode, self.policy(PROCESSES), script)
        shown, symbol = output.splitlines()
        self.assertEqual(int(shown, 16), mine & ~GIVEN_UP, told)
        self.assertRegex(symbol, '^0+ ')
        output, _ = self.shell(mode, self.policy(PROCESSES, 'broker'), script)
        self.assertEqual([int(line, 16) for line in output.splitlines()], [mine])

    def test_execute(self, mode):
        """What may not be read cannot be executed; by the broker it can"""
        shutil.copy('/bin/true', self.place / 'program')
        for mechanism, status in (('kernel', 126), ('broker', 0)):
            result = harness.run([self.place / 'program'], mode, policy=self.policy('', mechanism))
            self.assertEqual(result.returncode, status, result.stderr)

    def test_log(self, mode):
        """What is denied of reading is in no log, but with --verbose; the rest is"""
        self.make_files('kept')
        policy, log = self.policy(''), self.place / 'log'
        script = 'cat kept; echo x >kept'
        self.shell(mode, policy, script, options=['--log', log])
        harness.wait_until(lambda: log.read_text().endswith('\n'), 'logged')
        operations = [json.loads(line)['operation'] for line in log.read_text().splitlines()]
        self.assertEqual(set(operations), {'write create'})
        _, told = self.shell(mode, policy, script, options=['--verbose'])
        self.assertRegex(told, r'kept')
