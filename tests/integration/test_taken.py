#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A broker has no rights but its session's, and all that it says and writes usherd reads: what a
broker that was taken over (taken.py) can do with that to usherd, to other sessions and to the machine.
"""

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_control import Stream  # noqa: E402
from usherd import AS_NOBODY, IS_ROOT, Daemon, workdir  # noqa: E402

BROKER = 'daemon/broker/usher-broker'
HERE = Path(__file__).resolve().parent
LOG_MOST = 1 << 20  # bytes that one session may have written into usherd's log in these seconds


class Taken(Daemon):
    """An usherd whose brokers do a deed."""

    def __init__(self, deed, **more):
        self.place = workdir('taken')
        broker = self.place / BROKER
        broker.parent.mkdir(parents=True)
        (self.place / 'daemon/usherd').write_bytes((harness.BUILD / 'daemon/usherd').read_bytes())
        (self.place / 'daemon/usherd').chmod(0o755)
        shutil.copy(HERE / 'taken.py', broker)
        broker.chmod(0o755)
        self.deed = broker.parent / 'deed'
        self.do(deed)
        (broker.parent / 'modules').write_text(str(HERE))
        self.notes = broker.parent / 'notes'
        self.notes.mkdir()
        self.notes.chmod(0o777)
        super().__init__(program=self.place / 'daemon/usherd', **more)

    def __exit__(self, *_):
        (self.notes / 'over').touch()
        super().__exit__()
        harness.wait_until(lambda: not self.brokers(), 'all its brokers have ended')

    def brokers(self):
        """Also those that are no brokers, and were once."""
        found = []
        for process in Path('/proc').glob('[0-9]*'):
            with contextlib.suppress(OSError):
                if str(self.deed.parent).encode() in (process / 'cmdline').read_bytes():
                    found.append(process)
        return found

    def do(self, deed):
        """What brokers do that are started from now on."""
        self.deed.write_text(deed)

    def wait_for(self, name):
        harness.wait_until((self.notes / name).exists, f'the broker has noted {name!r}')
        return (self.notes / name).read_text()

    def state_of(self, process):
        return [session['state'] for session in self.sessions() if session['pid'] == process.pid]

    def watcher(self, **filters):
        """Somebody who is told of decisions."""
        self.wait_for_sessions(1)
        stream = Stream(self)
        assert stream.ask('monitor', **filters)['reply'] == 'monitor'
        return stream

    @contextlib.contextmanager
    def session(self):
        """One of nobody's where that is somebody else, until its program is killed."""
        process = self.popen('true', prefix=AS_NOBODY if IS_ROOT else ())
        try:
            yield process
        finally:
            (self.notes / 'over').touch()
            process.kill()
            process.communicate()


def process_of_number(number):
    """A process of ours that has this number, which was another's; or None, if somebody else has."""
    for _ in range(200):
        Path('/proc/sys/kernel/ns_last_pid').write_text(str(number - 1))
        process = subprocess.Popen(['sleep', '1000'])
        if process.pid == number:
            return process
        process.kill()
        process.wait()
    return None


class TakenOver(unittest.TestCase):
    @unittest.skipUnless(IS_ROOT, 'only root gives numbers to processes')
    def test_lock(self):
        """who is said to serve a session, and is somebody else, is not ended for it"""
        self.assertTrue(any(self.leave_victim_alone() for _ in range(10)), 'each number was taken')

    def leave_victim_alone(self):
        with Taken('lock') as daemon, daemon.session():
            victim = process_of_number(int(daemon.wait_for('locker')))
            (daemon.notes / 'go').touch()
            if victim is None:
                return False
            try:
                daemon.wait_for_log('another takes over')
                harness.wait_until(lambda: victim.poll() is not None or
                                   'cannot be started again' in daemon.log(), 'it was looked for')
                self.assertIsNone(victim.poll(), 'a process of root was killed for nobody')
            finally:
                victim.kill()
                victim.wait()
        return True

    def test_linger(self):
        """descriptors in what it has said are let go of without waiting for anybody"""
        with Taken('linger') as daemon, daemon.session():
            daemon.wait_for_log('another takes over')
            self.assertTrue(daemon.is_answering())
            # What usherd keeps is let go of by its holder, which every new session needs.
            daemon.do('idle')
            with daemon.session() as other:
                harness.wait_until(lambda: daemon.state_of(other) == ['running'],
                                   'another session begins')

    def test_chatter(self):
        """what it says without end is not all written down"""
        with Taken('chatter') as daemon, daemon.session():
            daemon.wait_for('said')
            self.assertTrue(daemon.is_answering())
            self.assertLess(daemon.log_path.stat().st_size, LOG_MOST)

    def test_scribble(self):
        """what it writes into its session's memory is asked for and told, and that is all"""
        with Taken('scribble') as daemon, daemon.session():
            daemon.wait_for('begun')
            for _ in range(30):
                for request in ('status', 'sessions', 'metrics', 'reload'):
                    answer = daemon.ask({'request': request})
                    self.assertEqual(answer['reply'], request, answer)
            self.assertIsNone(daemon.process.poll())

    def test_decisions(self):
        """what it tells of decisions is told to who watches, as far as it is sense"""
        with Taken('decide') as daemon, daemon.session():
            with daemon.watcher() as stream:  # which fails on what is no JSON
                (daemon.notes / 'go').touch()
                daemon.wait_for('told')
                self.assertTrue(daemon.is_answering())
                while (event := stream.read())['event'] != 'decision':
                    pass
                self.assertEqual(event['verdict'], 'deny')

    def test_embellished(self):
        """what it tells does nothing to the terminal that shows it"""
        with Taken('embellish') as daemon, daemon.session():
            daemon.wait_for_sessions(1)
            primary, secondary = pty.openpty()
            with subprocess.Popen(
                    [harness.BUILD / 'client/usher', 'monitor', '--count', '1', '--socket',
                     daemon.socket], stdin=secondary, stdout=secondary, stderr=secondary,
                    env={**harness.environment(), 'NO_COLOR': '1'}) as watcher:
                os.close(secondary)
                watcher.wait(harness.SECONDS)
            shown = os.read(primary, 65536)
            os.close(primary)
        self.assertIn(b'deny', shown)
        self.assertRegex(shown, rb'\A([\x20-\x7e]*\r\n)+\Z')

    def test_stopped(self):
        """one that does not end with its session, since its user has stopped it, is ended"""
        with Daemon() as daemon:
            as_user = AS_NOBODY if IS_ROOT else []
            process = daemon.popen('sleep', '1000', policy='everything', prefix=as_user)
            session, = daemon.wait_until_all_run(1)
            subprocess.run([*as_user, 'kill', '-STOP', str(session['broker'])], check=True)
            process.kill()
            process.communicate()
            answer = daemon.ask({'request': 'end', 'session': session['id'], 'grace': 0})
            self.assertEqual(answer['reply'], 'end')
            daemon.wait_for_sessions(0)


if __name__ == '__main__':
    sys.exit('the tests are run by run.py')
