# SPDX-License-Identifier: Apache-2.0
"""usher run: what the program, its caller and its terminal see is what they would see without."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import time
import unittest

import harness

NATIVE_LOOK = r'''
cd "$1"
echo "cwd $PWD"; umask
echo "args $#: $*"
env | sort
ulimit -a
grep -E '^(Sig[^Q]|Shd)' /proc/self/status
for fd in /proc/self/fd/*; do
	name=${fd##*/}
	test "$(readlink "$fd")" = "/proc/$$/fd" || echo "fd $name"
done | sort -u
ps -o nice= -p $$
'''


def processes_with(marker):
    """Those that have it among their arguments."""
    found = []
    for entry in pathlib.Path('/proc').glob('[1-9]*/cmdline'):
        try:
            if marker in entry.read_bytes():
                found.append(entry)
        except OSError:  # it has ended
            pass
    return found


@harness.both_modes
class ExitStatus(unittest.TestCase):
    def status(self, mode, *command, **more):
        return harness.run(command, mode, **more).returncode

    def test_some(self, mode):
        """The exit status is the program's."""
        for number in (0, 1, 2, 100, 124, 125, 126, 127, 128, 129, 254, 255):
            self.assertEqual(self.status(mode, 'sh', '-c', f'exit {number}'), number)

    def test_signals(self, mode):
        """A program that a signal ends: 128 and its number."""
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL,
                       signal.SIGUSR1, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTERM):
            status = self.status(mode, 'sh', '-c', f'ulimit -c 0; kill -{int(number)} $$')
            self.assertIn(status, (128 + number, -number), number.name)

    def test_missing(self, mode):
        """A program that is not there: 127, and it is named."""
        result = harness.run(['/nonexistent/program'], mode)
        self.assertEqual(result.returncode, 127)
        self.assertIn(b'/nonexistent/program', result.stderr)

    def test_missing_in_path(self, mode):
        """A program that is nowhere in PATH: 127."""
        self.assertEqual(self.status(mode, 'no-such-program-anywhere'), 127)

    def test_not_executable(self, mode):
        """A file that cannot be executed: 126."""
        file = harness.workdir('plain') / 'plain'
        file.write_text('no program\n')
        self.assertEqual(self.status(mode, file), 126)

    def test_unknown_policy(self, mode):
        """An unknown policy: 125, it is named, and nothing is run."""
        place = harness.workdir('unknown')
        result = harness.run(['touch', place / 'made'], mode, policy='no-such-policy')
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'no-such-policy', result.stderr)
        self.assertFalse((place / 'made').exists())

    def test_broken_policy(self, mode):
        """A policy with a mistake: 125, file and line are named, and nothing is run."""
        place = harness.workdir('broken')
        name = harness.policy('[files]\nallow raed = /**\n')
        result = harness.run(['touch', place / 'made'], mode, policy=name)
        self.assertEqual(result.returncode, 125)
        self.assertIn(f'{name}.ini:2:'.encode(), result.stderr)
        self.assertFalse((place / 'made').exists())


class EveryExitStatus(unittest.TestCase):
    def test_all(self):
        """All exit statuses from 0 to 255."""
        wrong = [number for number in range(256)
                 if harness.run(['/bin/sh', '-c', f'exit {number}']).returncode != number]
        self.assertEqual(wrong, [])


@harness.both_modes
class Surroundings(unittest.TestCase):
    def test_same(self, mode):
        """Directory, umask, environment, limits, signals and descriptors are the caller's."""
        place = harness.workdir('same')
        words = ['a', '', 'with blank', '--', '-x', '--policy', '\u00e9\n']

        def look(how):
            return harness.run(['/bin/bash', '-c', NATIVE_LOOK, 'look', place, *words], how,
                               policy='everything', cwd=place, preexec_fn=lambda: os.umask(0o027))
        native, under = look('native'), look(mode)
        self.assertEqual(under.stderr, native.stderr)
        self.assertEqual(under.stdout.decode(), native.stdout.decode())
        self.assertEqual(under.returncode, native.returncode)

    def test_descriptor(self, mode):
        """A descriptor that the caller has left open is there, with what is written to it."""
        read_end, write_end = os.pipe()
        result = harness.run(['/bin/sh', '-c', f'echo through >&{write_end}'], mode,
                             pass_fds=[write_end])
        os.close(write_end)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(os.read(read_end, 100), b'through\n')
        os.close(read_end)

    def test_streams(self, mode):
        """Standard input and output pass a megabyte unchanged; nothing is added."""
        data = os.urandom(1 << 20)
        result = harness.run(['cat'], mode, input=data)
        self.assertEqual(result.stdout, data)
        self.assertEqual(result.stderr, b'')

    def test_ignored_signal(self, mode):
        """A signal that the caller ignores is ignored by the program."""
        result = harness.run(['/bin/sh', '-c', 'kill -INT $$; echo alive'], mode,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.assertEqual(result.stdout, b'alive\n')

    def test_closed_streams(self, mode):
        """A program whose standard streams are all closed runs, and has them closed."""
        script = '''exec "$@" <&- >&- 2>&-'''
        place = harness.workdir('closed')
        program = ('ls -l /proc/$$/fd | grep -c -E " [012] ->" >' + str(place / 'count')
                   + '; exit 7')
        command = harness.usher_command(['/bin/sh', '-c', program], mode)
        result = subprocess.run(['/bin/sh', '-c', script, 'sh', *command], check=False,
                                timeout=harness.SECONDS, env=harness.environment(), cwd=place)
        self.assertEqual(result.returncode, 7)
        self.assertEqual((place / 'count').read_text(), '0\n')

    def test_background(self, mode):
        """What the program leaves in the background does not hold up its caller, and goes on."""
        place = harness.workdir('background')
        os.mkfifo(place / 'go')
        script = f'(read x <{place}/go; echo late >{place}/late) >/dev/null 2>&1 & exit 3'
        result = harness.run(['/bin/sh', '-c', script], mode, cwd=place)
        self.assertEqual(result.returncode, 3)
        (place / 'go').write_text('\n')
        harness.wait_until(lambda: (place / 'late').exists()
                           and (place / 'late').read_text() == 'late\n', 'it has written')

    def test_terminated(self, mode):
        """A signal to `usher run` is the program's."""
        place = harness.workdir('term')
        script = (f'trap "echo caught; exit 9" TERM; echo >{place}/ready; '
                  'while :; do sleep 0.05; done')
        process = subprocess.Popen(
            harness.usher_command(['/bin/sh', '-c', script], mode), stdout=subprocess.PIPE,
            env=harness.environment(), cwd=place)
        harness.wait_until((place / 'ready').exists, 'it runs')
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=harness.SECONDS)
        self.assertEqual((output, process.returncode), (b'caught\n', 9))

    def test_killed_at_start(self, mode):
        """usher run that is killed, whenever that is, leaves nobody who waits for ever."""
        marker = f'killed-{os.getpid()}-{mode}'
        for delay in range(16):
            process = subprocess.Popen(
                harness.usher_command(['/bin/true', marker], mode, 'everything'),
                env=harness.environment())
            time.sleep(delay / 2000)
            process.kill()
            process.wait()
        harness.wait_until(lambda: not processes_with(marker.encode()), 'nobody is left')

    def test_small_files(self, mode):
        """A limit of file sizes is the program's, which can lift it as far as its caller can."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 64 << 20))
        change = 'ulimit -S -f; ulimit -S -f hard; truncate -s 1M grown; stat -c %s grown'
        results = [harness.run(['/bin/bash', '-c', change], how, policy='everything',
                               cwd=harness.workdir('small'), preexec_fn=limit)
                   for how in ('native', mode)]
        self.assertEqual(results[1].stderr, results[0].stderr)
        self.assertEqual(results[1].stdout, b'1\n1048576\n')

    def test_layer_of_its_own(self, mode):
        """A program cannot confine itself by Landlock, which would not hold its broker: it is told."""
        script = ('import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n'
                  'abi = libc.syscall(444, None, 0, 1)\n'
                  'print(abi > 0, ctypes.get_errno() == errno.EOPNOTSUPP)')
        for how, answer in ('native', b'True False\n'), (mode, b'False True\n'):
            result = harness.run(['python3', '-c', script], how, 'everything')
            self.assertEqual(result.stdout, answer, result.stderr)

    def few_descriptors(self, mode, limit, *command):
        return harness.run(command, mode, 'everything', cwd=harness.workdir('few'),
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                 (limit, limit)))

    def test_few_descriptors(self, mode):
        """A program that may open few files runs, or is not run, for which the limit is named."""
        for limit in (7, 12, 20):
            result = self.few_descriptors(mode, limit, 'echo', 'ran')
            # Of nobody others may have so many on their way that not one more can be handed over.
            if mode == 'daemon' and b'wait to be received' not in result.stderr:
                self.assertEqual((result.returncode, result.stdout), (0, b'ran\n'), result.stderr)
            else:
                self.assertEqual((result.returncode, result.stdout), (125, b''), limit)
                self.assertIn(b'ulimit', result.stderr)

    def test_many_processes(self, mode):
        """Where few files may be open, what is kept of processes does not use all of them up."""
        script = 'i=0; while test $((i += 1)) -le 100; do (: >made); done'
        results = []

        def runs():
            results.append(self.few_descriptors(mode, 48, '/bin/sh', '-c', script))
            return b'wait to be received' not in results[-1].stderr
        harness.wait_until(runs, "others of this user have received theirs")
        self.assertEqual((results[-1].returncode, results[-1].stderr), (0, b''))

    def test_nested(self, mode):
        """A second usher inside says what is in its way: 125, not a hang."""
        inner = harness.usher_command(['true'], mode, policy='everything')
        result = harness.run(inner, mode, policy='everything')
        self.assertEqual(result.returncode, 125, result.stderr)
        self.assertRegex(result.stderr, b'(?i)another|already|EBUSY')


# Becomes a user of its own, sends more descriptors than it may open then, and starts a program.
SENT = """
import os, resource, socket, sys
pair = socket.socketpair()
uid = 100000 + os.getpid()
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
for _ in range(3):
    socket.send_fds(pair[0], [b'x'], [0] * 20)
for end in pair:
    os.set_inheritable(end.fileno(), True)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Sent(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, 'only root makes a user whose descriptors nobody else counts')
    def test_descriptors_on_their_way(self):
        """Where a user's descriptors that nobody has received are too many, the limit is named."""
        result = harness.run(['python3', '-c', SENT, *harness.usher_command(
            ['echo', 'ran'], policy='everything')], 'native', cwd='/')
        self.assertEqual((result.returncode, result.stdout), (125, b''), result.stderr)
        self.assertIn(b'wait to be received are more than you may open; raise the limit (ulimit -n)',
                      result.stderr)


HOLD = """
import errno, os, sys
for name, flags in ('environ', os.O_RDONLY), ('mem', os.O_RDWR), ('cmdline', os.O_RDONLY):
    try:
        os.close(os.open(f'/proc/{sys.argv[1]}/{name}', flags))
        print('opened')
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


@harness.both_modes
class Elder(unittest.TestCase):
    """What the process that becomes the program had for children before"""

    def hold(self, mode, before, after):
        """What the program can do with the child that `before` or `after` usher was started"""
        policy = harness.policy('[files]\ndefault = allow\ndeny EACCES read = /nowhere/**\n')
        child = 'sleep 60 >/dev/null 2>&1 & echo $!; '
        program = ['bash', '-c', f'{child if after else ""}exec /usr/bin/python3 -c "$1" $!$2', 'bash',
                   HOLD]
        command = ['bash', '-c', f'{child if before else ""}exec "$@" $!', 'bash',
                   *harness.usher_command(program, mode, policy)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                check=False, env=harness.environment())
        number, *words = result.stdout.decode().split() or ['0']
        if int(number) > 0:
            os.kill(int(number), signal.SIGKILL)
        return words or result.stderr

    def test_children(self, mode):
        """A child from before usher was started is none of the session's; the program's own is"""
        self.assertEqual(self.hold(mode, True, False), ['EACCES', 'EACCES', 'opened'])
        self.assertEqual(self.hold(mode, False, True), ['opened'] * 3)


@harness.both_modes
class Told(unittest.TestCase):
    POLICY = '''
[files]
deny ENOENT read = ${CWD}/secret
audit allow read = ${CWD}/looked-at
default = allow
'''

    def place(self):
        place = harness.workdir('told')
        (place / 'secret').write_text('secret\n')
        (place / 'looked-at').write_text('plain\n')
        return place

    def test_log(self, mode):
        """--log FILE: JSON lines with path, verdict, errno and the rule's place."""
        place, name = self.place(), harness.policy(self.POLICY)
        result = harness.run(['cat', 'secret', 'looked-at'], mode, policy=name, cwd=place,
                             options=['--log', place / 'log'])
        self.assertEqual(result.stdout, b'plain\n')
        harness.wait_until(lambda: (place / 'log').read_text().count('\n') >= 2, 'logged')
        records = [json.loads(line) for line in (place / 'log').read_text().splitlines()]
        denied = [record for record in records if record.get('verdict') == 'deny']
        allowed = [record for record in records if record.get('verdict') == 'allow']
        self.assertEqual([len(denied), len(allowed)], [1, 1], records)
        self.assertEqual(denied[0]['errno'], 'ENOENT')
        self.assertEqual(denied[0]['asked'], 'secret')
        self.assertEqual(denied[0]['resolved'], str(place / 'secret'))
        self.assertIn(f'{name}.ini:3', denied[0]['rule'])

    def test_verbose(self, mode):
        """--verbose: a line for each decision on standard error, nothing on standard output."""
        place, name = self.place(), harness.policy(self.POLICY)
        result = harness.run(['cat', 'looked-at'], mode, policy=name, cwd=place,
                             options=['--verbose'])
        self.assertEqual(result.stdout, b'plain\n')
        self.assertIn(str(place / 'looked-at').encode(), result.stderr)


if __name__ == '__main__':
    unittest.main()
