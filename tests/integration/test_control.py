#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket (usher-control(7)): what may be asked, by whom, and what nonsense gets; and
the commands that ask."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import usherd  # noqa: E402
from usherd import AS_NOBODY, IS_ROOT, Daemon, running, workdir  # noqa: E402

MANUAL = harness.SOURCE / 'docs/usher-control.7.scd'


class Stream:
    """A connection to the control socket, greeted."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(daemon.control))
        self.file = self.socket.makefile('rw')
        self.greeting = self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def read(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, request, **keys):
        if not isinstance(request, str) or request[:1] not in '{[':
            request = json.dumps({'request': request, **keys})
        self.file.write(request + '\n')
        self.file.flush()
        return self.read()


def commands(daemon, *words, **more):
    return harness.usher(*words, '--socket', daemon.socket, **more)


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.daemon.process)

    def test_greeting(self):
        """a connection is greeted with the version of the protocol"""
        with Stream(self.daemon) as stream:
            self.assertEqual(stream.greeting['hello'], 'usherd')
            self.assertEqual(stream.greeting['version'], 1)
            self.assertEqual(stream.greeting['sees'], 'all')
            self.assertEqual(stream.ask('version')['version'], 1)

    def test_sessions(self):
        """status and sessions tell of a session what is to be known"""
        with running(self.daemon, 'cat', policy='everything') as process:
            harness.wait_until(lambda: self.daemon.session_of(process)['allowed'] > 0,
                               'a call is counted')
            self.daemon.wait_for_sessions(1)
            # What is counted of a call that is being answered is not all counted yet.
            harness.wait_until_at_rest(process.pid, self.daemon.session_of(process)['broker'])
            answer = self.daemon.ask()
            self.assertEqual(answer['reply'], 'status')
            self.assertEqual(answer['daemon']['pid'], self.daemon.pid())
            self.assertEqual(answer['daemon']['sessions'], 1)
            session, = answer['sessions']
            self.assertEqual(session['policy'], 'everything')
            self.assertEqual(session['command'], 'cat')
            self.assertEqual(session['uid'], os.geteuid())
            self.assertEqual(session['pid'], process.pid)
            self.assertEqual(session['state'], 'running')
            self.assertEqual(session['broker_starts'], 1)
            self.assertLessEqual(session['age'], time.time() - session['started'] + 2)
            self.assertEqual((session['denied'], session['injected']), (0, 0))
            self.assertEqual(sum(session['delays']), session['answers'])
            self.assertGreaterEqual(session['answers'], session['allowed'])
            with Stream(self.daemon) as stream:
                ids = [s['id'] for s in stream.ask('sessions', policy='everything')['sessions']]
                self.assertEqual(ids, [session['id']])
                self.assertEqual(stream.ask('sessions', policy='other')['sessions'], [])
                self.assertEqual(stream.ask('sessions', session=10**9)['sessions'], [])

    def test_nonsense(self):
        """nonsense is answered with an error that names what is wrong, and the connection goes on"""
        cases = [
            ('[nonsense', 'not-json', None), ('[]', 'not-json', None), ('{} {}', 'not-json', None),
            ('[' * 100, 'not-json', None), ('{"request":"status"', 'not-json', None),
            ('{"request":"status",}', 'not-json', None), ('{"a":{"b":{"c":{"d":1}}}}', 'not-json',
                                                          None),
            ('{}', 'missing-key', 'request'), ('{"request":5}', 'wrong-type', 'request'),
            ('{"version":2,"request":"status"}', 'wrong-version', 'version'),
            ('{"version":"1","request":"status"}', 'wrong-version', 'version'),
            ('{"request":"reboot"}', 'unknown-request', 'request'),
            ('{"request":"status","sesion":1}', 'unknown-key', 'sesion'),
            ('{"request":"sessions","session":"1"}', 'wrong-type', 'session'),
            ('{"request":"sessions","session":null}', 'wrong-type', 'session'),
            ('{"request":"sessions","session":1.5}', 'wrong-type', 'session'),
            ('{"request":"sessions","session":-1}', 'wrong-value', 'session'),
            ('{"request":"sessions","policy":"' + 'x' * 2000 + '"}', 'wrong-value', 'policy'),
            ('{"request":"sessions","policy":"a\\u0000b"}', 'wrong-value', 'policy'),
            ('{"request":"end"}', 'missing-key', 'session'),
            ('{"request":"end","session":1,"grace":601}', 'wrong-value', 'grace'),
            ('{"request":"end","session":999}', 'not-found', 'session'),
            ('{"request":"status","tag":[1]}', 'wrong-type', 'tag'),
        ]
        with Stream(self.daemon) as stream:
            for request, code, key in cases:
                with self.subTest(request[:60]):
                    error = stream.ask(request)['error']
                    self.assertEqual((error['code'], error.get('key')), (code, key), error)
                    self.assertTrue(error['text'])
            stream.file.write('{"request":"status"}\n' * 3)
            stream.file.flush()
            for _ in range(3):
                self.assertIn('sessions', stream.read())

    def test_tag(self):
        """a request's tag comes back with its answer, also with an error"""
        with Stream(self.daemon) as stream:
            self.assertEqual(stream.ask('version', tag=7)['tag'], 7)
            self.assertEqual(stream.ask('end', session=999, tag='x')['tag'], 'x')
            self.assertNotIn('tag', stream.ask('version'))

    def test_too_long(self):
        """a line without end is refused and hung up on"""
        with Stream(self.daemon) as stream:
            with contextlib.suppress(ConnectionError):
                stream.socket.sendall(b'x' * 100000)
            with contextlib.suppress(ConnectionError):
                self.assertEqual(stream.read()['error']['code'], 'too-long')
                self.assertIsNone(stream.read())
        self.assertEqual(self.daemon.ask()['reply'], 'status')

    def test_slow(self):
        """one who asks much and reads nothing holds up nobody"""
        with Stream(self.daemon) as stream:
            stream.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    stream.socket.send(b'{"request":"metrics"}\n' * 100)
            self.assertEqual(self.daemon.ask()['reply'], 'status')

    def test_many(self):
        """connections have a limit, and those who have theirs are served"""
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(Stream(self.daemon))
            for _ in range(200):
                other = stack.enter_context(socket.socket(socket.AF_UNIX))
                other.connect(str(self.daemon.control))
            self.assertEqual(first.ask('version')['version'], 1)
        harness.wait_until(self.answers, 'there is room again')

    def answers(self):
        with contextlib.suppress(ConnectionError, TypeError, ValueError):
            return self.daemon.ask()['reply'] == 'status'
        return False


class Ending(unittest.TestCase):
    def test_end(self):
        """end ends a session's programs by SIGTERM, its children too"""
        with Daemon() as daemon:
            process = daemon.popen('sh', '-c', 'sleep 100 & sleep 100; exit 7')
            daemon.wait_until_all_run(1)
            other = daemon.popen('sleep', '100')
            daemon.wait_until_all_run(2)
            harness.wait_until(lambda: children(process.pid) == 2, 'both sleep')
            done = commands(daemon, 'sessions', 'end', '1')
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))
            self.assertEqual(process.wait(harness.SECONDS), -signal.SIGTERM)
            self.assertEqual([session['id'] for session in daemon.sessions()], [2])
            self.assertIsNone(other.poll())
            self.assertEqual(commands(daemon, 'sessions', 'end', '2').returncode, 0)
            for ended in (process, other):
                ended.communicate(timeout=harness.SECONDS)

    def test_stubborn(self):
        """what does not end by SIGTERM is killed after the grace"""
        with Daemon() as daemon:
            process = daemon.popen('sh', '-c', 'trap "" TERM; while :; do sleep 1; done')
            daemon.wait_until_all_run(1)
            harness.wait_until(lambda: children(process.pid) == 1, 'it sleeps')
            began = time.monotonic()
            done = commands(daemon, 'sessions', 'end', '--grace', '1', '1')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(time.monotonic() - began, 0.9)
            self.assertEqual(process.wait(harness.SECONDS), -signal.SIGKILL)
            process.communicate()

    def test_orphan(self):
        """what has left the session's tree is killed at its next notified call"""
        with Daemon() as daemon:
            place = workdir('orphan')
            script = (f'setsid sh -c "echo \\$\\$ >{place}/pid; while :; do echo x >{place}/beat; '
                      'sleep 0.05; done" >/dev/null 2>&1 & '
                      f'while ! [ -e {place}/beat ]; do sleep 0.05; done')
            daemon.run('sh', '-c', script, policy='everything')
            self.assertEqual(len(daemon.sessions()), 1)
            done = commands(daemon, 'sessions', 'end', '--grace', '0', '1')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            pid = (place / 'pid').read_text().strip()
            harness.wait_until(lambda: not is_alive(pid), 'it has ended')

    def test_sleeping_orphan(self):
        """what has left the session's tree and sleeps is ended too: it gets SIGTERM, then SIGKILL"""
        gentle = 'trap "echo ended >{place}/ended; exit" TERM; '
        for how, trap in (('SIGTERM', gentle), ('SIGKILL', 'trap "" TERM; ')):
            with self.subTest(how), Daemon() as daemon:
                place = workdir('sleeper')
                (place / 'sleeper').write_text(
                    trap.format(place=place) + f'sleep 1000 & echo $$ $! >{place}/pids; wait; wait')
                daemon.run('sh', '-c', f'setsid sh {place}/sleeper >/dev/null 2>&1 & '
                           f'while ! [ -s {place}/pids ]; do sleep 0.05; done', policy='everything')
                pids = (place / 'pids').read_text().split()
                done = commands(daemon, 'sessions', 'end', '--grace', '1', '1')
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                self.assertEqual(daemon.sessions(), [])
                # The session is over when they have let go of its filter, just before their end.
                harness.wait_until(lambda: not any(map(is_alive, pids)), 'both have ended')
                self.assertEqual((place / 'ended').exists(), how == 'SIGTERM')

    def check_left_alone(self, as_user=()):
        """Ends a session whose first process had a child before it was one."""
        with Daemon() as daemon, subprocess.Popen(
                ['sh', '-c', 'sleep 1000 & echo $!; exec "$@"', 'sh', *as_user, '/usr/bin/python3',
                 *daemon.command('sh', '-c', 'sleep 100 & sleep 100; exit 7')[1:]],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            elder = int(process.stdout.readline())
            try:
                daemon.wait_until_all_run(1)
                harness.wait_until(lambda: children(process.pid) == 3, 'all sleep')
                answer = daemon.ask({'request': 'end', 'session': 1, 'grace': 0}, as_user=as_user)
                self.assertEqual(answer['signalled'], 3)
                self.assertIn(process.wait(harness.SECONDS), (-signal.SIGTERM, -signal.SIGKILL))
                harness.wait_until(lambda: not daemon.sessions(), 'the session has ended')
                self.assertTrue(is_alive(elder), 'a process outside of it was ended')
            finally:
                os.kill(elder, signal.SIGKILL)

    def test_elder_child(self):
        """a child that its caller had before the session is none of its processes"""
        self.check_left_alone()

    @unittest.skipUnless(IS_ROOT, 'needs root')
    def test_child_of_another(self):
        """nor is one of another user's, whom he may not signal, though usherd may"""
        self.check_left_alone(as_user=AS_NOBODY)

    def test_mistakes(self):
        """what is not a session's number is a usage error, and what is none of yours is refused"""
        with Daemon() as daemon:
            self.assertEqual(commands(daemon, 'sessions', 'end', 'x').returncode, 2)
            self.assertEqual(commands(daemon, 'sessions', 'end', '-1').returncode, 2)
            self.assertEqual(commands(daemon, 'sessions', 'end').returncode, 2)
            self.assertEqual(commands(daemon, 'sessions', 'stop').returncode, 2)
            self.assertEqual(commands(daemon, 'sessions', '--grace', '601').returncode, 2)
            done = commands(daemon, 'sessions', 'end', '5')
            self.assertEqual(done.returncode, 1)
            self.assertIn('you have no session 5', done.stderr)


def is_alive(pid):
    with contextlib.suppress(OSError):
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text()
    return False


def children(pid):
    text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return len(text.split())


class Others(unittest.TestCase):
    def ask_as_nobody(self, daemon, **request):
        return daemon.ask(request, as_user=AS_NOBODY)

    @unittest.skipUnless(IS_ROOT, 'needs root')
    def test_own(self):
        """a user sees and ends the own sessions and no other, and gets the metrics of these"""
        with Daemon() as daemon, running(daemon, policy='everything'):
            self.assertEqual(self.ask_as_nobody(daemon, request='status')['sessions'], [])
            error = self.ask_as_nobody(daemon, request='end', session=1)['error']
            self.assertEqual(error['code'], 'not-found')
            text = self.ask_as_nobody(daemon, request='metrics')['metrics']
            self.assertIn('usher_sessions{state="running"} 0', text)
            self.assertNotIn('usher_handovers', text)
            process = daemon.popen('sleep', '100', prefix=AS_NOBODY)
            daemon.wait_until_all_run(2)
            session, = self.ask_as_nobody(daemon, request='sessions')['sessions']
            self.assertEqual(session['uid'], 65534)
            answer = self.ask_as_nobody(daemon, request='end', session=session['id'])
            self.assertEqual(answer['signalled'], 1)
            self.assertEqual(process.wait(harness.SECONDS), -signal.SIGTERM)
            process.communicate()

    @unittest.skipUnless(IS_ROOT, 'needs root')
    def test_group(self):
        """members of control-group see all sessions"""
        with Daemon() as daemon, running(daemon, policy='everything'):
            daemon.config.write_text(daemon.config.read_text().replace(
                '[daemon]', '[daemon]\ncontrol-group = 30'))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log('was read again')
            self.assertEqual(len(self.ask_as_nobody(daemon, request='sessions')['sessions']), 1)


class Commands(unittest.TestCase):
    def test_status(self):
        """usher status and usher sessions show a table, and --json the answer itself"""
        with Daemon() as daemon, running(daemon, 'cat', policy='everything'):
            for command in ('status', 'sessions'):
                table = commands(daemon, command)
                self.assertEqual((table.returncode, table.stderr), (0, ''))
                *head, title, line = table.stdout.splitlines()
                self.assertEqual(title.split()[:3], ['SESSION', 'POLICY', 'USER'])
                self.assertEqual(line.split()[:2], ['1', 'everything'])
                self.assertEqual(line.split()[-1], 'cat')
                answer = json.loads(commands(daemon, command, '--json').stdout)
                self.assertEqual(answer['sessions'][0]['command'], 'cat')
            head = commands(daemon, 'status').stdout.splitlines()[0]
            self.assertRegex(head, rf'^usherd \S+, pid {daemon.pid()}, for \d+[sm]; sessions: 1 of 1024$')
            none = commands(daemon, 'sessions', '--policy', 'plain')
            self.assertEqual(len(none.stdout.splitlines()), 1)

    def test_escapes(self):
        """a command line cannot send escapes to the terminal that shows it"""
        with Daemon() as daemon, running(daemon, 'sh', '-c', 'cat # \x1b[31m\u009b5m'):
            self.assertIn(r'cat # \x1b[31m\xc2\x9b5m', commands(daemon, 'status').stdout)

    def test_without_daemon(self):
        """each command that asks a daemon says that there is none, exit 1"""
        for command in (['status'], ['sessions'], ['sessions', 'end', '1'], ['metrics'],
                        ['monitor'], ['reload'], ['stop']):
            with self.subTest(command):
                done = harness.usher(*command, '--socket', usherd.public() / 'none.sock')
                self.assertEqual((done.returncode, done.stdout), (1, ''))
                self.assertIn('no usherd is running', done.stderr)
                self.assertIn('--embedded', done.stderr)

    def test_usage(self):
        """each command has --help, and refuses what it does not know with 2"""
        for command in ('status', 'sessions', 'metrics', 'monitor', 'reload', 'stop', 'top'):
            with self.subTest(command):
                self.assertIn(f'Usage: usher {command}', harness.usher(command, '--help').stdout)
                done = harness.usher(command, '--nonsense')
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"usher {command}: there is no option '--nonsense'", done.stderr)
                done = harness.usher(command, 'nonsense')
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, f"^usher {command}: 'nonsense'(: it must be list or end| is a word too many)")


class Manual(unittest.TestCase):
    """usher-control(7) against what the daemon says of itself."""

    @classmethod
    def setUpClass(cls):
        cls.text = MANUAL.read_text()
        with Daemon() as daemon, running(daemon), Stream(daemon) as stream:
            cls.help = stream.ask('help')
            cls.status = stream.ask('status')

    def section(self, title):
        return re.search(rf'^# {title}$(.*?)(?=^# |\Z)', self.text, re.M | re.S)[1]

    def terms(self, title):
        lines = re.findall(r'^(\*[a-z_, *-]+\*)$', self.section(title), re.M)
        return sorted(term for line in lines for term in re.findall(r'\*([a-z_-]+)\*', line))

    def test_requests(self):
        """the manual has each request with its keys and types, and says which are not for all"""
        documented = {}
        for name, text in re.findall(r'^## (\w+)$(.*?)(?=^## |\Z)', self.section('REQUESTS'),
                                     re.M | re.S):
            keys = {key: {'type': kind, 'required': bool(required)} for key, kind, required in
                    re.findall(r'^\*(\w+)\* \(([a-z ]+)(, required)?\)$', text, re.M)}
            documented[name] = {'administrators': text.strip().startswith('For administrators.'),
                                'keys': keys}
        self.assertEqual(documented, self.help['requests'])

    def test_errors(self):
        """the manual has each error's code"""
        self.assertEqual(self.terms('ERRORS'), sorted(self.help['errors']))

    def test_members(self):
        """the manual has each member of a session and of the daemon"""
        self.assertEqual(self.terms('SESSIONS'), sorted(self.status['sessions'][0]))
        self.assertEqual(self.terms('DAEMON'), sorted(self.status['daemon']))

    def test_events(self):
        """the manual has each kind of event, and each member of a decision"""
        source = (harness.SOURCE / 'daemon/monitor.c').read_text()
        self.assertEqual(self.terms('EVENTS'),
                         sorted(set(re.findall(r'make_event\("([a-z-]+)"', source))))
        members = re.findall(r'\{"(\w+)", json_type_', source)
        self.assertGreater(len(members), 10)
        for member in members:
            self.assertIn(f'*{member}*', self.section('EVENTS'))


class Stopping(unittest.TestCase):
    def test_refused(self):
        """stop is refused while sessions live, and done when there are none"""
        daemon = Daemon().start()
        with running(daemon):
            done = commands(daemon, 'stop')
            self.assertEqual(done.returncode, 1)
            self.assertIn('sessions live: 1', done.stderr)
        done = commands(daemon, 'stop')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(daemon.process.wait(harness.SECONDS), 0)

    def test_wait(self):
        """stop --wait serves nobody new, and stops with the end of the last session"""
        daemon = Daemon().start()
        process = daemon.popen('cat', stdin=subprocess.PIPE)
        daemon.wait_until_all_run(1)
        stop = subprocess.Popen([str(harness.USHER), 'stop', '--wait', '--socket', daemon.socket],
                                env=harness.environment())
        daemon.wait_for_log('sessions: wait')
        self.assertIn('about to stop', daemon.run('true').stderr)
        self.assertIn('about to stop', commands(daemon, 'stop', '--wait').stderr)
        self.assertIsNone(stop.poll())
        process.communicate('', timeout=harness.SECONDS)
        self.assertEqual((stop.wait(harness.SECONDS), daemon.process.wait(20)), (0, 0))

    def test_hidden(self):
        """stop --end does not wait for what nobody can find: that is left to its broker"""
        daemon = Daemon().start()
        hide = ('import os, signal\nif pid := os.fork(): os.write(1, b"%d" % pid); os._exit(0)\n'
                'os.closerange(0, 3)\nsignal.pause()')
        pid = int(daemon.run('python3', '-c', hide, policy='everything').stdout)
        try:
            broker = daemon.sessions()[0]['broker']
            done = commands(daemon, 'stop', '--end', '--grace', '0')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertEqual(daemon.process.wait(harness.SECONDS), 0)
            self.assertTrue(is_alive(pid) and is_alive(broker))
        finally:
            os.kill(pid, signal.SIGKILL)
        harness.wait_until(lambda: not is_alive(broker), 'its broker ends with it')

    def test_interrupted(self):
        """a wait that is interrupted leaves the daemon as it was"""
        with Daemon() as daemon, running(daemon):
            stop = subprocess.Popen([str(harness.USHER), 'stop', '--wait', '--socket',
                                     daemon.socket], env=harness.environment())
            daemon.wait_for_log('sessions: wait')
            stop.send_signal(signal.SIGINT)
            self.assertEqual(stop.wait(harness.SECONDS), -signal.SIGINT)
            daemon.wait_for_log('serves on')
            self.assertEqual(daemon.run('true').returncode, 0)

    def test_end(self):
        """stop --end ends the sessions first"""
        daemon = Daemon().start()
        processes = [daemon.popen('sleep', '100'), daemon.popen('sleep', '100')]
        daemon.wait_until_all_run(2)
        self.assertEqual(commands(daemon, 'stop', '--end').returncode, 0)
        self.assertEqual(daemon.process.wait(harness.SECONDS), 0)
        for process in processes:
            self.assertEqual(process.wait(harness.SECONDS), -signal.SIGTERM)
            process.communicate()

    def test_words(self):
        """what is none of the three words is refused"""
        with Daemon() as daemon, Stream(daemon) as stream:
            error = stream.ask('stop', sessions='kill')['error']
            self.assertEqual((error['code'], error['key']), ('wrong-value', 'sessions'))
        self.assertEqual(harness.usher('stop', '--grace', 'x').returncode, 2)


if __name__ == '__main__':
    unittest.main()
