#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usherd: whom it serves, what it refuses and with which words, and what it keeps alive.

Its clients here are handover.py: the wire format from its description, step by step, so that each
step can be done wrong.
"""

import contextlib
import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import handover  # noqa: E402
import harness  # noqa: E402
from handover import Refused  # noqa: E402
from usherd import (  # noqa: E402
    AS_NOBODY, DIALOUT, IS_ROOT, NOBODY, Case, Daemon, public, running, unserved, workdir)


class HandOver(Case):
    def test_program(self):
        """a program runs under its policy: a file is read, another denied"""
        with Daemon() as daemon:
            directory = workdir('files')
            (directory / 'open').write_text('open\n')
            (directory / 'closed').write_text('closed\n')
            daemon.write_policy('one', '[files]\ndefault = allow\n'.replace(
                'default', f'deny EXDEV all = {directory}/closed\ndefault'))
            done = daemon.run('cat', directory / 'open', directory / 'closed', policy='one')
            self.assertEqual(done.stdout, 'open\n')
            self.assertIn(os.strerror(errno.EXDEV), done.stderr)
            self.assertEqual(done.returncode, 1)

    def test_sets(self):
        """NAME=VALUE of the client is a variable of the policy"""
        with Daemon() as daemon:
            daemon.write_policy('set', '[files]\ndeny EACCES all = ${WHERE}\ndefault = allow\n')
            with daemon.client() as client:
                client.filter('set', sets=['WHERE=/nowhere'])
            with daemon.client() as client:
                self.refused(errno.EINVAL, 'WHERE', client.filter, 'set')

    def test_working_directory(self):
        """${CWD} is the client's own, as the kernel knows it"""
        with Daemon() as daemon:
            directory = workdir('cwd')
            (directory / 'secret').write_text('secret\n')
            daemon.write_policy('cwd', '[files]\ndeny EXDEV all = ${CWD}/secret\n'
                                       'default = allow\n')
            path = directory / 'secret'
            inside = daemon.run('cat', path, policy='cwd', cwd=directory)
            outside = daemon.run('cat', path, policy='cwd', cwd='/')
            self.assertIn(os.strerror(errno.EXDEV), inside.stderr)
            self.assertEqual(outside.stdout, 'secret\n')

    def test_command(self):
        """a command line of any bytes is shown in letters that no terminal obeys"""
        with Daemon() as daemon, running(daemon, 'sh', '-c', 'cat', '\x1b[2J\udc9b\n\\') as process:
            self.assertEqual(daemon.session_of(process)['command'],
                             'sh -c cat \\x1b[2J\\x9b\\x0a\\\\')

    def test_audit(self):
        """a denial of a session without a log of its own is in the daemon's"""
        with Daemon(audit='yes') as daemon:
            daemon.write_policy('one', '[files]\ndeny EXDEV all = /etc/hosts\ndefault = allow\n')
            daemon.run('cat', '/etc/hosts', policy='one')
            daemon.wait_for_log('EXDEV')

    def test_own_log(self):
        """a log of the client's is written by its broker, and only if it is open for writing"""
        with Daemon(audit='yes') as daemon:
            with open('/dev/null', 'rb') as null, daemon.client() as client:
                self.refused(errno.EBADF, 'not open for writing', client.filter, 'plain',
                             flags=handover.HELLO_LOG, fds=[null.fileno()])
            with open('/dev/null', 'wb') as null, daemon.client() as client:
                client.filter('plain', flags=handover.HELLO_VERBOSE, fds=[null.fileno()])


class Silence(Case):
    def test_silence(self):
        """a client that says nothing is refused in time, and others are served meanwhile"""
        with Daemon(limits='handshake-timeout = 2') as daemon, daemon.client() as client:
            # On a busy machine these may be too late themselves.
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'others are served')
            self.refused(errno.ETIMEDOUT, 'no HELLO came within 2 seconds', client.receive)

    def test_silence_after_filter(self):
        """a client that never hands its listener over is refused in time"""
        with Daemon(limits='handshake-timeout = 2') as daemon, daemon.client() as client:
            client.filter('plain')
            self.refused(errno.ETIMEDOUT, 'no LISTENER came within 2 seconds', client.receive)


class Refusals(Case):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.pid = cls.daemon.pid()

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.daemon.process)

    def refuses_packet(self, words, data, fds=(), error=errno.EPROTO):
        with self.daemon.client() as client:
            client.send(data, fds)
            self.refused(error, words, client.receive)

    def test_half_message(self):
        """half a message is refused"""
        whole = handover.hello('plain')
        for length in (1, handover.HEADER.size - 1, handover.HEADER.size, 31, len(whole) - 1):
            with self.subTest(length):
                self.refuses_packet('malformed', whole[:length])

    def test_malformed(self):
        """a packet with a wrong header, size or tail is refused"""
        body = handover.hello('plain')[handover.HEADER.size:]
        wrong = {
            'magic': handover.packet(handover.HELLO, body, magic=1),
            'reserved': handover.packet(handover.HELLO, body, reserved=1),
            'size': handover.packet(handover.HELLO, body, size=32),
            'type': handover.packet(99, body),
            'no NUL': handover.packet(handover.HELLO, body[:-1] + b'x'),
            'two commands': handover.hello('plain', 'a\0b'),
            'set without =': handover.hello('plain', sets=['NAME']),
            'too many sets': handover.hello('plain', sets=['A=1'] * 65),
            'unknown flag': handover.hello('plain', flags=8),
        }
        for name, data in wrong.items():
            with self.subTest(name):
                self.refuses_packet('malformed', data)

    def test_too_large(self):
        """a packet that is larger than any may be is refused"""
        self.refuses_packet('too large', b'x' * 70000)

    def test_version(self):
        """another version of the protocol is told so"""
        body = handover.hello('plain')[handover.HEADER.size:]
        self.refuses_packet('same release', handover.packet(handover.HELLO, body,
                                                              version=handover.VERSION + 1),
                            error=errno.EPROTONOSUPPORT)

    def test_out_of_turn(self):
        """a packet out of turn is refused, in each phase"""
        with open('/dev/null', 'rb') as null:
            self.refuses_packet('out of turn', handover.listener(1), [null.fileno()])
        self.refuses_packet('out of turn', handover.packet(handover.READY, b'\0' * 8))
        self.refuses_packet('out of turn', handover.packet(handover.FILTER, b'\0' * 8))
        with self.daemon.client() as client:
            client.filter('plain')
            client.send(handover.hello('plain'))
            self.refused(errno.EPROTO, 'out of turn', client.receive)

    def test_descriptors(self):
        """descriptors that were not announced are refused, and closed"""
        pid = self.pid
        before = len(os.listdir(f'/proc/{pid}/fd')) if IS_ROOT else None
        with open('/dev/null', 'wb') as null:
            for count in (1, 2, 8):
                self.refuses_packet('malformed', handover.hello('plain'), [null.fileno()] * count)
            for flags in (handover.HELLO_LOG, 3):
                self.refuses_packet('malformed', handover.hello('plain', flags=flags))
        if IS_ROOT:
            # Fewer, if a client of the test before was not gone yet.
            harness.wait_until(lambda: len(os.listdir(
                f'/proc/{pid}/fd')) <= before, 'usherd has closed them')

    def test_not_a_listener(self):
        """a descriptor that is no listener is refused: file, pipe, socket, pidfd"""
        reader, writer = os.pipe()
        path = public() / 'anon_inode:seccomp notify'
        files = [os.open(path, os.O_RDWR | os.O_CREAT), reader, os.pidfd_open(os.getpid()),
                 socket.socket().detach()]
        for fd in files:
            with self.subTest(os.readlink(f'/proc/self/fd/{fd}')), self.daemon.client() as client:
                client.filter('plain')
                client.send(handover.listener(threading.get_native_id()), [fd])
                self.refused(errno.EINVAL, 'not a seccomp listener', client.receive)
        for fd in [*files, writer]:
            os.close(fd)

    def test_unknown_policy(self):
        """a policy that is not there is refused by its name"""
        with self.daemon.client() as client:
            self.refused(errno.ENOENT, "no policy 'no-such-policy'", client.filter,
                         'no-such-policy')

    def test_path_as_policy(self):
        """a path is not the name of a policy"""
        (public() / 'mine.ini').write_text('')
        for name in ('', '.', '..', '.plain', '../usherd', './plain', '/etc/passwd', 'x' * 200,
                     str(public() / 'mine.ini')):
            with self.subTest(name), self.daemon.client() as client:
                self.refused(errno.EINVAL, 'not the name of a policy', client.filter, name)

    def test_wrong_policy(self):
        """a policy with a mistake is refused with its place, and never used in part"""
        self.daemon.write_policy('wrong', '[files]\ndefault = allow\nalow read = /x\n')
        with self.daemon.client() as client:
            self.refused(errno.EINVAL, 'wrong.ini:3:1: ', client.filter, 'wrong')
        self.daemon.wait_for_log('wrong.ini:3:1: ')

    def test_builtin_set(self):
        """a client cannot set what the system knows"""
        for name in ('HOME', 'USER', 'UID', 'CWD', 'TMPDIR', 'XDG_RUNTIME_DIR'):
            with self.subTest(name), self.daemon.client() as client:
                with self.assertRaises(Refused) as caught:
                    client.filter('plain', sets=[f'{name}=/'])
                self.assertIn(name, caught.exception.text)

    def test_foreign_thread(self):
        """a thread that is not the client's is refused"""
        for tid in (1, -1, 0, self.daemon.pid(), 2**31 - 1):
            with self.subTest(tid):
                done = self.listener_of_child(lambda _tid, tid=tid: tid)
                self.assertIn('is not one of the client', done)

    def listener_of_child(self, choose_tid):
        """A child hands over a real listener; returns what it was refused with."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with self.daemon.client() as client:
                    program, flags = client.filter('plain')
                    fd = handover.load_filter(program, flags)
                    client.send(handover.listener(choose_tid(threading.get_native_id())), [fd])
                    client.receive()
            except Refused as refused:
                os.write(writer, refused.text.encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as pipe:
            return pipe.read()

    def test_client_gives_up(self):
        """a client that could not load its filter says why, and is forgotten"""
        with self.daemon.client() as client:
            client.filter('plain')
            text = b'no user notification here\0'
            client.send(handover.packet(
                handover.REFUSED, (-errno.EINVAL).to_bytes(4, 'little', signed=True) +
                len(text).to_bytes(4, 'little') + text))
            self.assertRaises(EOFError, client.receive)
        self.daemon.wait_for_log('gave up: no user notification here')

    def test_escapes(self):
        """what a client says cannot forge a line of the log"""
        with self.daemon.client() as client:
            self.refused(errno.ENOENT, 'no policy', client.filter, 'evil\nusherd: forged\x1b[31m')
        self.daemon.wait_for_log('evil\\x0ausherd: forged\\x1b[31m')
        self.assertNotIn('\x1b', self.daemon.log())


class Limits(Case):
    def test_sessions_of_a_user(self):
        """one session too many of a user is refused, and served when another has ended"""
        with Daemon(limits='sessions-per-user = 1') as daemon:
            with running(daemon), daemon.client() as client:
                self.refused(errno.EUSERS, 'sessions-per-user', client.filter, 'plain')
            daemon.wait_for_sessions(0)
            self.answers(daemon)

    def test_sessions_in_all(self):
        """one session too many in all is refused"""
        with Daemon(limits='sessions = 2') as daemon:
            with running(daemon), running(daemon), daemon.client() as client:
                self.refused(errno.ENOSPC, 'serves 2 sessions', client.filter, 'plain')

    def test_place_is_given_back(self):
        """a hand-over that fails gives its place back"""
        with Daemon(limits='sessions = 1') as daemon:
            for _ in range(3):
                with daemon.client() as client:
                    self.refused(errno.ENOENT, 'no policy', client.filter, 'none')
                with daemon.client() as client:
                    client.filter('plain')
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'the place is free')

    def test_silent_clients(self):
        """of clients that say nothing there are so many and no more"""
        with Daemon(limits='clients-per-user = 3\nhandshake-timeout = 60') as daemon:
            with contextlib.ExitStack() as stack:
                for _ in range(3):
                    stack.enter_context(daemon.client())
                with daemon.client() as client:
                    self.refused(errno.EUSERS, 'too many connections', client.receive)
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'there is room again')

    def test_flood(self):
        """nine hundred connections do no harm to a session that runs"""
        with Daemon(limits='handshake-timeout = 2') as daemon, running(daemon):
            with contextlib.ExitStack() as clients:
                for _ in range(900):
                    clients.enter_context(daemon.client())
            harness.wait_until(lambda: daemon.run('true').returncode == 0, 'there is room again')
            self.assertGreaterEqual(len(daemon.sessions()), 1)


class Life(Case):
    def test_broker_is_killed(self):
        """a program whose broker is killed, again and again, sees nothing of it"""
        with Daemon() as daemon:
            script = ('until [ -e "$0.end" ]; do read line < "$0" || exit 1; '
                      '[ "$line" = right ] || exit 2; done; echo all')
            path = workdir('killed') / 'file'
            path.write_text('right\n')
            process = daemon.popen('bash', '-c', script, path, policy='everything')
            daemon.wait_until_all_run(1)
            kills = 0
            while process.poll() is None and kills < 10:
                for session in daemon.sessions():
                    if session['state'] == 'running':
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(session['broker'], signal.SIGKILL)
                            kills += 1
                time.sleep(0.01)
            path.with_name('file.end').write_text('')
            out, err = process.communicate(timeout=harness.SECONDS)
            self.assertEqual((process.returncode, out), (0, 'all\n'), err)

    def test_resumed_after_exec(self):
        """a successor serves the descendants of a client that has ended"""
        with Daemon() as daemon:
            process = daemon.popen('sh', '-c', 'exec 3<&0; (read x <&3; cat /etc/hostname) &',
                                   policy='everything', stdin=subprocess.PIPE)
            process.wait(harness.SECONDS)
            broker = daemon.wait_for_sessions(1)[0]['broker']
            os.kill(broker, signal.SIGKILL)
            daemon.wait_for_log('started again')
            out, err = process.communicate('\n', timeout=harness.SECONDS)
            self.assertEqual((out, err), (Path('/etc/hostname').read_text(), ''))
            daemon.wait_for_sessions(0)

    def test_client_goes_away(self):
        """a client that ends before READY leaves nothing behind"""
        with Daemon() as daemon:
            with unserved(daemon):
                broker = daemon.wait_for_sessions(1)[0]
                self.assertEqual(broker['state'], 'starting')
            daemon.wait_for_sessions(0)
            harness.wait_until(lambda: not os.path.exists(f'/proc/{broker["broker"]}'),
                               'the broker is gone')

    def test_daemon_ends(self):
        """SIGTERM ends the daemon and leaves its sessions to their brokers"""
        daemon = Daemon().start()
        process = daemon.popen('sh', '-c', 'read x; cat /etc/hostname', policy='everything',
                               stdin=subprocess.PIPE)
        daemon.wait_until_all_run(1)
        daemon.process.terminate()
        self.assertEqual(daemon.process.wait(harness.SECONDS), 0)
        self.assertIn('1 sessions go on without usherd', daemon.log())
        self.assertFalse(daemon.socket.exists() or daemon.control.exists())
        out, err = process.communicate('\n', timeout=harness.SECONDS)
        self.assertEqual((out, err), (Path('/etc/hostname').read_text(), ''))

    def test_reload(self):
        """SIGHUP puts a right configuration in force, and leaves it where the new is wrong"""
        with Daemon() as daemon:
            daemon.configure(limits='sessions-per-user = 1')
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log('was read again')
            with running(daemon), daemon.client() as client:
                self.refused(errno.EUSERS, 'sessions-per-user', client.filter, 'plain')
            daemon.configure(limits='sessions-per-usr = 5')
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log('stays so')
            self.assertIn("unknown key 'sessions-per-usr'", daemon.log())
            with running(daemon), daemon.client() as client:
                self.refused(errno.EUSERS, 'sessions-per-user', client.filter, 'plain')

    def test_second_daemon(self):
        """a socket that is served is not taken over; one that a dead daemon left is"""
        with Daemon(options=['--no-holder']) as first:
            again = subprocess.run(
                [harness.USHERD, '--config', first.config, '--socket', first.socket],
                stderr=subprocess.PIPE, text=True, timeout=harness.SECONDS, check=False)
            self.assertEqual(again.returncode, 1)
            self.assertIn('is served by another usherd', again.stderr)
            self.answers(first)
            first.process.kill()
            first.process.wait()
        self.assertTrue(first.socket.exists())
        with first:
            self.answers(first)


FAKE = """\
#!/usr/bin/python3
import array, os, socket, struct, sys, time
control = socket.socket(fileno=3)
data, fds, _, _ = socket.recv_fds(control, 65536, 8)
def say(kind, body):
    control.send(struct.pack('=IHHII', 0x72687375, VERSION, kind, 16 + len(body), 0) + body)
def refuse(text):
    say(5, struct.pack('=iI', -1, len(text) + 1) + text.encode() + b'\\0')
assert not set(os.environ) - {'LC_CTYPE'}, os.environ  # Python's own
""".replace('VERSION', str(handover.VERSION))


class Brokers(Case):
    """What becomes of brokers that misbehave: usherd finds a fake one where its own would be."""

    @contextlib.contextmanager
    def daemon_with(self, script):
        tree = workdir('tree')
        (tree / 'daemon/broker').mkdir(parents=True)
        shutil.copy(harness.USHERD, tree / 'daemon/usherd')
        broker = tree / 'daemon/broker/usher-broker'
        broker.write_text(FAKE + script)
        broker.chmod(0o755)
        with Daemon(program=tree / 'daemon/usherd') as daemon:
            yield daemon

    def test_dies_at_once(self):
        """a broker that dies before READY: the client is told how"""
        with self.daemon_with('sys.exit(3)') as daemon:
            self.assertIn('the broker ended with status 3 before it was ready',
                          daemon.run('true').stderr)
        with self.daemon_with('os.kill(os.getpid(), 11)') as daemon:
            self.assertIn('the broker was killed by signal 11 (Segmentation fault)',
                          daemon.run('true').stderr)

    def test_refuses(self):
        """what a broker refuses with is what the client hears"""
        with self.daemon_with('refuse("Yama is against it")') as daemon:
            done = daemon.run('true')
            self.assertEqual((done.returncode, done.stderr),
                             (125, 'refused: Yama is against it\n'))
            self.assertEqual(daemon.sessions(), [])

    def test_talks_nonsense(self):
        """a broker that talks nonsense is killed"""
        with self.daemon_with('control.send(b"nonsense"); time.sleep(60)') as daemon:
            self.assertIn('the broker was killed by signal 9', daemon.run('true').stderr)

    def test_words(self):
        """what a broker writes to its standard error is in the log, with its session"""
        with self.daemon_with('print("help\\n\\x1b me", file=sys.stderr); sys.exit(1)') as daemon:
            daemon.run('true')
            daemon.wait_for_log('session 1: help\n')
            daemon.wait_for_log('session 1: \\x1b me\n')

    def test_never_ready(self):
        """a broker that is never ready holds the client no longer than a hand-over may take"""
        with self.daemon_with('time.sleep(60)') as daemon:
            daemon.configure(limits='handshake-timeout = 1')
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log('was read again')
            # On a busy machine the client may be too late itself.
            harness.wait_until(lambda: 'the broker was not ready within 1 seconds' in
                               daemon.run('true').stderr, 'the client is told')
            daemon.wait_for_sessions(0)

    def test_keeps_dying(self):
        """a broker that keeps dying is started again later and later, and given the same session"""
        script = ('log = open(os.path.dirname(sys.argv[0]) + "/starts", "a")\n'
                  'began = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]\n'
                  'log.write(f"{data[24:28].hex()} {len(fds)} {began}\\n"); log.close()\n'
                  'say(4, b"\\1" + b"\\0" * 7)\n')
        with self.daemon_with(script) as daemon:
            with unserved(daemon):
                path = daemon.program.parent / 'broker/starts'
                harness.wait_until(lambda: path.exists() and
                                   path.read_text().count('\n') >= 8, 'it has died often')
                starts = [line.split() for line in path.read_text().splitlines()[:8]]
                self.assertEqual(starts[0][:2], ['00000000', '3'])
                self.assertEqual({tuple(start[:2]) for start in starts[1:]}, {('04000000', '3')})
                # 5, 10, 20 ... ms after the death of the one before; started at, in 10 ms.
                times = [int(start[2]) for start in starts]
                for number, delay in ((5, 40), (6, 80), (7, 160)):
                    self.assertGreaterEqual(times[number] - times[number - 1], delay // 10 - 1,
                                            times)
            daemon.wait_for_sessions(0)


class Options(Case):
    def usherd(self, *arguments):
        return subprocess.run([harness.USHERD, *arguments], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=harness.SECONDS, check=False)

    def test_check(self):
        """--check tells where a configuration is wrong, exit 2, and of a right one so, exit 0"""
        path = workdir('check') / 'usherd.ini'
        path.write_text('[daemon]\nsokcet = /x\n')
        done = self.usherd('--check', '--config', path)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f'{path}:2:1: ', done.stderr)
        path.write_text('[limits]\nsessions = 5\n')
        self.assertEqual(self.usherd('--check', '--config', path).returncode, 0)
        done = self.usherd('--config', path.parent / 'none.ini', '--socket', path.parent / 's')
        self.assertEqual(done.returncode, 2)

    def test_usage(self):
        """--help and --version are answered; anything else is a usage error"""
        self.assertIn('--socket PATH', self.usherd('--help').stdout)
        self.assertRegex(self.usherd('--version').stdout, r'^usherd \d')
        self.assertEqual(self.usherd('--nonsense').returncode, 2)
        self.assertEqual(self.usherd('argument').returncode, 2)


class ForOthers(Case):
    def test_no_grant(self):
        """without a grant nobody may use a policy but root"""
        with Daemon(grants='') as daemon:
            done = daemon.run('true', prefix=AS_NOBODY)
            self.assertEqual(done.returncode, 125)
            self.assertIn("policy 'plain' may not be used: no grant is made to you", done.stderr)
            self.assertEqual(daemon.run('true').returncode, 0)

    def test_grants(self):
        """a user may use what is granted to it by name or group, and nothing else"""
        grants = f'[grant a]\nusers = {NOBODY}\npolicies = plain\n' \
                 f'[grant b]\ngroups = {DIALOUT}\npolicies = every*\n'
        with Daemon(grants=grants) as daemon:
            for policy, status in (('plain', 0), ('everything', 0), ('default', 125)):
                with self.subTest(policy):
                    done = daemon.run('true', prefix=AS_NOBODY, policy=policy)
                    self.assertEqual(done.returncode, status, done.stderr)

    def test_identity(self):
        """a broker is its client: ids, groups, no capability; root's stays root"""
        with Daemon() as daemon:
            with running(daemon, prefix=AS_NOBODY):
                broker, = daemon.sessions()
                status = self.status_of(broker['broker'])
                self.assertEqual(status['Uid'], [str(NOBODY)] * 4)
                self.assertEqual(status['Gid'], [str(NOBODY)] * 4)
                self.assertEqual(status['Groups'], [str(DIALOUT), '30'])
                self.assertEqual(set(status['CapPrm'] + status['CapEff'] + status['CapInh']),
                                 {'0' * 16})
                self.assertEqual(status['NoNewPrivs'], ['1'])
            daemon.wait_for_sessions(0)
            with running(daemon):
                broker, = daemon.sessions()
                status = self.status_of(broker['broker'])
                self.assertEqual(status['Uid'], ['0'] * 4)

    def test_capabilities(self):
        """a client of root without a capability has a broker without it"""
        with Daemon() as daemon:
            with running(daemon, prefix=['setpriv', '--bounding-set=-all,+kill',
                                         '--inh-caps=-all']):
                broker, = daemon.sessions()
                kill = f'{1 << 5:016x}'
                self.assertEqual(self.status_of(broker['broker'])['CapPrm'], [kill])

    @staticmethod
    def status_of(pid):
        lines = Path(f'/proc/{pid}/status').read_text().splitlines()
        return {name: value.split() for name, value in (line.split(':', 1) for line in lines)}

    def test_status_of_others(self):
        """a user sees the own sessions, root all"""
        with Daemon() as daemon, running(daemon), running(daemon, prefix=AS_NOBODY):
            self.assertEqual(len(daemon.sessions()), 2)
            self.assertEqual([session['uid'] for session in daemon.sessions(as_user=AS_NOBODY)],
                             [NOBODY])

    def test_writable_policy(self):
        """a policy that others can write is refused"""
        with Daemon() as daemon:
            daemon.write_policy('loose', '[files]\ndefault = allow\n')
            (daemon.policies / 'loose.ini').chmod(0o666)
            with daemon.client() as client:
                self.refused(errno.EPERM, 'loose.ini: others', client.filter, 'loose')

    def test_variables(self):
        """HOME is that of the user database, whatever the client's environment says"""
        with Daemon() as daemon:
            daemon.write_policy('home', '[files]\ndeny EXDEV all = ${HOME}/secret\n'
                                        'default = allow\n')
            home = workdir('home')
            (home / 'secret').write_text('secret\n')
            home.chmod(0o755)
            done = daemon.run('cat', home / 'secret', policy='home', prefix=AS_NOBODY,
                              env={**os.environ, 'HOME': str(home)})
            self.assertEqual(done.stdout, 'secret\n', done.stderr)

    def test_namespaces(self):
        """a client in a pid or mount namespace of its own is served as what it is"""
        with Daemon() as daemon:
            done = daemon.run('sh', '-c', 'echo $$; cat /etc/hostname', policy='everything',
                              prefix=['unshare', '--pid', '--fork'])
            self.assertEqual(done.stdout, '1\n' + Path('/etc/hostname').read_text(), done.stderr)
            directory = workdir('mounted')
            command = daemon.command('cat', directory / 'inside', policy='everything')
            done = subprocess.run(
                ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none "$0" && '
                 'echo inside >"$0/inside" && exec "$@"', directory, *command],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.SECONDS, check=False)
            self.assertEqual(done.stdout, 'inside\n', done.stderr)

    def test_daemon_of_a_user(self):
        """a user's own daemon serves this user, and not even root"""
        runtime = workdir('nobody')
        os.chown(runtime, NOBODY, NOBODY)
        daemon = Daemon(prefix=AS_NOBODY)
        daemon.socket, daemon.control = runtime / 'usherd.sock', runtime / 'usherd.control'
        with daemon:
            self.assertEqual(stat.S_IMODE(daemon.socket.stat().st_mode), 0o600)
            self.assertEqual(daemon.run('true', prefix=AS_NOBODY).returncode, 0)
            with daemon.client() as client:
                self.refused(errno.EACCES, "another user's own", client.filter, 'plain')
            other_groups = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups']
            done = daemon.run('true', prefix=other_groups)
            self.assertIn('groups are not those', done.stderr)


if not IS_ROOT:
    del ForOthers  # a user's daemon serves no others; what it says to them is tested by root


if __name__ == '__main__':
    unittest.main()
