#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usherd: whom it serves, and what it keeps alive.

Its clients here are handover.py: the wire format from its description, step by step, so that each
step can be done wrong.
"""

import contextlib
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import handover  # noqa: E402
import harness  # noqa: E402
from usherd import (  # noqa: E402
    AS_NOBODY, DIALOUT, IS_ROOT, NOBODY, Case, Daemon, running, unserved, workdir)


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
        self.assertIn('sessions that go on without usherd: 1', daemon.log())
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
