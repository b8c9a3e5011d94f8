#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What outlives what: sessions a killed usherd that was started by hand, and hand-overs the death of
whoever takes part in them. (Under systemd: tests/guest.)
"""

import contextlib
import fcntl
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from usherd import Case, Daemon, running, workdir  # noqa: E402

HANDOVERS = 20

# Binds a port when it is told to, and serves one client.
BIND_LATER = """
import socket, sys
sys.stdin.readline()
with socket.socket() as s:
    s.bind(('', 80))
    s.listen()
    s.accept()[0].sendall(b'published')
"""


def children(pid):
    try:
        text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def is_a(pid, name):
    """Not one that is dead and waits for somebody to take note of it."""
    try:
        return f' ({name}) ' in (stat := Path(f'/proc/{pid}/stat').read_text()) and \
            ') Z ' not in stat
    except OSError:
        return False


def is_broker(pid):
    return is_a(pid, 'usher-broker')


def kill(pid):
    """Of a pid; 0, nobody, would be ourselves to the kernel."""
    try:
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_whole(pid):
    """Returns when the last thread has ended: /proc tells of the first one's end."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], harness.SECONDS)
    finally:
        os.close(pidfd)


class Kept(Daemon):
    """A daemon that `usher run` finds, and that may be killed."""

    def __init__(self, **more):
        super().__init__(**more)
        self.runtime = workdir('runtime')
        (self.runtime / 'usher').symlink_to(self.directory)
        self.environment = dict(harness.environment(), XDG_RUNTIME_DIR=str(self.runtime))

    def usher(self, *command, **more):
        return subprocess.Popen(
            [str(harness.USHER), 'run', '--daemon', '--policy', 'everything', '--', *command],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **more)

    def serving(self):
        """The process that serves: the holder's child."""
        found = children(self.process.pid)
        return found[0] if found else 0

    def kill(self):
        before = self.serving()
        kill(before)
        harness.wait_until(lambda: self.serving() not in (0, before), 'another has begun')
        return before


class Life(Case):
    def open_slowly(self, daemon):
        """A fifo, a program that opens it, and its broker, which waits for a writer."""
        fifo = workdir('slowly') / 'fifo'
        os.mkfifo(fifo)
        process = daemon.usher('cat', fifo)
        broker = daemon.wait_until_all_run(1)[0]['broker']
        harness.wait_until(lambda: is_a(process.pid, 'cat'), 'it has begun')
        return fifo, process, broker

    def kill_together(self, daemon, *brokers):
        """usherd and these; the next usherd begins when all of them are dead."""
        daemon.process.send_signal(signal.SIGSTOP)  # the holder
        kill_whole(daemon.serving())
        for broker in brokers:
            kill_whole(broker)
        daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_for_log(f'of 0 the broker serves on, of {len(brokers)} another is started')

    def test_daemon_is_killed(self):
        """a session and its broker go on when usherd is killed, and the next one knows them"""
        with Kept() as daemon, running(daemon, 'cat', policy='everything'):
            before, = daemon.sessions()
            pid = daemon.kill()
            after, = daemon.wait_until_all_run(1)
            self.assertNotEqual(daemon.pid(), pid)
            for key in ('id', 'broker', 'policy', 'command', 'uid', 'pid', 'started'):
                self.assertEqual(before[key], after[key], key)
            kill(after['broker'])
            harness.wait_until(lambda: daemon.sessions()[0]['broker'] not in (0, after['broker']),
                               'its broker is replaced')

    def test_both_are_killed(self):
        """what waits for an answer when usherd and its broker are killed gets it from the next"""
        with Kept() as daemon:
            fifo, process, broker = self.open_slowly(daemon)
            harness.wait_until_at_rest(process.pid, broker)
            kill(daemon.serving())
            kill(broker)
            # Until it is dead it has the fifo open for reading, and what is written would go with it.
            harness.wait_until(lambda: not is_broker(broker) and
                               daemon.sessions()[0]['broker'] not in (0, broker), 'another serves')
            fifo.write_text('through\n')
            self.assertEqual(process.communicate(timeout=harness.SECONDS), ('through\n', ''))

    def test_both_are_killed_again(self):
        """a call is done however often usherd and its broker are killed together: it did nothing wrong"""
        with Kept() as daemon:
            fifo, process, broker = self.open_slowly(daemon)
            for _ in range(3):
                harness.wait_until_at_rest(process.pid, broker)
                self.kill_together(daemon, broker)
                broker = daemon.wait_until_all_run(1)[0]['broker']
            harness.wait_until_at_rest(process.pid, broker)
            fifo.write_text('through\n')
            self.assertEqual(process.communicate(timeout=harness.SECONDS), ('through\n', ''))

    def test_order(self):
        """of many whose brokers are dead the one is served first whose broker is the oldest"""
        with Kept() as daemon, contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(running(daemon, 'cat', policy='everything'))
            first, *others = sorted(daemon.wait_until_all_run(4), key=lambda one: one['id'])
            kill(first['broker'])
            daemon.wait_for_log(f'session {first["id"]}: broker started again')
            served = daemon.wait_until_all_run(4)
            self.kill_together(daemon, *(one['broker'] for one in served))
            daemon.wait_until_all_run(4)
            told = daemon.log().rpartition('took over')[2]
            self.assertEqual(list(map(int, re.findall(r'session (\d+): broker started again', told))),
                             [one['id'] for one in [*others, first]])

    def test_killed_too_soon(self):
        """one broker killed before it has served does not count for as many as were killed before"""
        with Kept() as daemon, \
                running(daemon, 'sh', '-c', 'while read x; do : </etc/hostname; echo $x; done',
                        policy='everything') as process:
            def ask(number):
                process.stdin.write(f'{number}\n')
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), f'{number}\n')

            def end_broker():
                kill(daemon.wait_until_all_run(1)[0]['broker'])
                daemon.wait_for_log('its broker was killed')
            for number in range(12):
                ask(number)
                end_broker()
            end_broker()
            began = time.monotonic()
            ask('at last')
            self.assertLess(time.monotonic() - began, 4 * harness.PATIENCE)  # 5: the long delay

    def test_given_sockets(self):
        """a socket that a policy gives is there when usherd and its broker have been killed"""
        with Kept() as daemon, socket.create_server(('127.0.0.1', 0)) as listener:
            daemon.write_policy('given', '[network]\ndefault = deny\n'
                                'inject bind = tcp *:80 -> fd web\n')
            command = [str(harness.USHER), 'run', '--daemon', '--policy', 'given', '--',
                       '/usr/bin/python3', '-c', BIND_LATER]
            passed = fcntl.fcntl(listener, fcntl.F_DUPFD, 20)
            start = ['bash', '-c', f'exec 3<&{passed}; LISTEN_PID=$$ LISTEN_FDS=1 '
                     'LISTEN_FDNAMES=web exec "$@"', 'bash', *command]
            with subprocess.Popen(start, stdin=subprocess.PIPE, pass_fds=[passed], text=True,
                                  env=daemon.environment) as process:
                os.close(passed)
                broker = daemon.wait_until_all_run(1)[0]['broker']
                daemon.kill()
                kill(broker)
                harness.wait_until(lambda: daemon.sessions()[0]['broker'] not in (0, broker),
                                   'another serves')
                process.stdin.write('\n')
                process.stdin.flush()
                with socket.create_connection(listener.getsockname()) as client:
                    client.settimeout(harness.SECONDS)
                    self.assertEqual(client.recv(100), b'published')

    def test_audit(self):
        """lines that a broker writes while there is no usherd are in the log of the next"""
        with Kept(audit='yes') as daemon:
            daemon.write_policy('one', '[files]\ndeny EXDEV read = /etc/hosts\ndefault = allow\n')
            with running(daemon, 'sh', '-c', 'read x; cat /etc/hosts; read x', policy='one') as sh:
                os.kill(daemon.serving(), signal.SIGSTOP)
                sh.stdin.write('\n')
                sh.stdin.flush()
                time.sleep(0.2)
                daemon.kill()
                daemon.wait_for_log('EXDEV')

    def test_never_two_brokers(self):
        """usherd killed in the moment in which it starts a broker: there is one, not two"""
        choice = random.Random(3)
        with Kept() as daemon, running(daemon, 'cat', policy='everything'):
            seen = set()
            for _ in range(20):
                broker = daemon.wait_until_all_run(1)[0]['broker']
                seen.add(broker)
                serving = daemon.serving()
                kill(broker)
                time.sleep(choice.uniform(0, 0.006))
                seen.update(filter(is_broker, children(serving)))
                kill(serving)

            def is_one():
                last = daemon.wait_until_all_run(1)[0]['broker']  # it may still be one that dies
                return set(filter(is_broker, seen | {last})) == {last}
            harness.wait_until(is_one, 'there is one broker')

    def test_reuse(self):
        """a session that has ended leaves nothing behind that a next usherd would find"""
        with Kept() as daemon:
            for _ in range(3):
                self.assertEqual(daemon.usher('true').wait(harness.SECONDS), 0)
            daemon.wait_for_sessions(0)
            daemon.kill()
            self.assertEqual(daemon.sessions(), [])
            self.assertNotIn('took over', daemon.log())


class Holder(Case):
    """A usherd whose holder is killed, and which then is no child of anybody that waits for it."""

    @contextlib.contextmanager
    def daemon_without_its_holder(self):
        daemon = Kept().start()
        try:
            self.kill_holder(daemon, daemon.process.pid)
            daemon.process.wait()
            yield daemon
        finally:
            with contextlib.suppress(OSError):
                os.kill(daemon.pid(), signal.SIGTERM)
            harness.wait_until(lambda: not daemon.is_answering(), 'it has ended')

    def kill_holder(self, daemon, pid):
        kill(pid)
        daemon.wait_for_log('another holder keeps what the next usherd needs')

    def holder_of(self, daemon):
        """Its child that has no other name than its own."""
        pids = [pid for pid in children(daemon.pid())
                if Path(f'/proc/{pid}/comm').read_text() == 'usherd\n']
        self.assertEqual(len(pids), 1)
        return pids[0]

    def kill_usherd(self, daemon):
        before = daemon.pid()
        kill(before)
        harness.wait_until(lambda: daemon.is_answering() and daemon.pid() != before,
                           'another has begun')

    def test_replaced(self):
        """a holder that is killed is replaced, again and again, and keeps what the first one kept"""
        with self.daemon_without_its_holder() as daemon, \
                running(daemon, 'cat', policy='everything'):
            before, = daemon.sessions()
            for _ in range(3):
                self.kill_holder(daemon, self.holder_of(daemon))
            self.kill_usherd(daemon)
            after, = daemon.wait_until_all_run(1)
            for key in ('id', 'broker', 'policy', 'command', 'uid', 'pid', 'started'):
                self.assertEqual(before[key], after[key], key)
            kill(after['broker'])
            harness.wait_until(lambda: daemon.sessions()[0]['broker'] not in (0, after['broker']),
                               'its broker is replaced')
            # The holder is its parent again.
            self.kill_usherd(daemon)
            self.assertEqual(len(daemon.wait_until_all_run(1)), 1)

    def test_new_sessions(self):
        """sessions that begin and end with another holder are kept and forgotten by it"""
        with self.daemon_without_its_holder() as daemon:
            self.assertEqual(daemon.usher('true').wait(harness.SECONDS), 0)
            with running(daemon, 'cat', policy='everything'):
                self.kill_usherd(daemon)
                self.assertEqual(len(daemon.wait_until_all_run(1)), 1)
            self.kill_usherd(daemon)
            self.assertEqual(daemon.sessions(), [])

    def test_end(self):
        """a usherd that is told to end is not started again by another holder, which ends, too"""
        with self.daemon_without_its_holder() as daemon:
            holder = self.holder_of(daemon)
            os.kill(daemon.pid(), signal.SIGTERM)
            harness.wait_until(lambda: not is_a(holder, 'usherd'), 'the holder has ended')
            self.assertFalse(daemon.is_answering())
            self.assertFalse(daemon.socket.exists())

    def test_signal(self):
        """a signal to another holder is usherd's"""
        with self.daemon_without_its_holder() as daemon:
            os.kill(self.holder_of(daemon), signal.SIGTERM)
            daemon.wait_for_log('ends by signal 15')


class HandOver(Case):
    def ends_well(self, process, what):
        out, err = process.communicate(timeout=harness.SECONDS)
        self.assertEqual((process.returncode, out, err), (0, 'done\n', ''), what)

    def test_embedded(self):
        """a broker that is killed during the hand-over is replaced (embedded)"""
        choice = random.Random(1)
        for i in range(HANDOVERS):
            process = subprocess.Popen(
                harness.usher_command(['echo', 'done'], 'embedded', 'everything'), text=True,
                env=harness.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            self.kill_first_broker(process.pid, choice.uniform(0, 0.006), process)
            self.ends_well(process, i)

    def kill_first_broker(self, parent, delay, process):
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            found = list(filter(is_broker, children(parent)))
            if found:
                time.sleep(delay)
                kill(found[0])
                return

    def test_broker(self):
        """a broker that is killed during the hand-over is replaced (daemon)"""
        choice = random.Random(1)
        with Kept() as daemon:
            for i in range(HANDOVERS):
                process = daemon.usher('echo', 'done')
                self.kill_first_broker(daemon.serving(), choice.uniform(0, 0.006), process)
                self.ends_well(process, i)

    def test_daemon(self):
        """a usherd that is killed during the hand-over is waited for"""
        choice = random.Random(2)
        with Kept() as daemon:
            for i in range(HANDOVERS):
                process = daemon.usher('echo', 'done')
                time.sleep(choice.uniform(0, 0.012))
                kill(daemon.serving())
                self.ends_well(process, i)
            daemon.wait_for_sessions(0)

    def test_storm(self):
        """sessions that begin while usherd and brokers are killed are all served"""
        ended, served = threading.Event(), []
        with Kept() as daemon:
            def storm():
                choice, calm, before = random.Random(4), 1, 0
                while not ended.wait(choice.uniform(0.05, 0.25) * calm):
                    # Where nothing is done between two kills the machine is left more time.
                    calm, before = 1 if len(served) > before else calm * 1.25, len(served)
                    serving = daemon.serving()
                    for pid in filter(is_broker, children(serving)):
                        kill(pid)
                    kill(serving)
            killer = threading.Thread(target=storm)
            killer.start()
            try:
                for i in range(HANDOVERS):
                    self.ends_well(daemon.usher('echo', 'done'), i)
                    served.append(i)
            finally:
                ended.set()
                killer.join()
            daemon.wait_for_sessions(0)

    def test_policy_changes(self):
        """a policy that has changed while usherd was away is not taken for the other"""
        with Kept() as daemon:
            daemon.write_policy('one', '[files]\ndefault = allow\n')
            os.kill(daemon.serving(), signal.SIGSTOP)
            process = subprocess.Popen(
                [str(harness.USHER), 'run', '--daemon', '--policy', 'one', '--', 'true'],
                env=daemon.environment, stderr=subprocess.PIPE, text=True)
            time.sleep(0.1)
            daemon.write_policy('one', '[syscalls]\ndefault = deny EPERM\n')
            daemon.kill()
            _, err = process.communicate(timeout=harness.SECONDS)
            self.assertEqual(process.returncode, 125, err)
            self.assertIn('no program can be started', err)


if __name__ == '__main__':
    sys.exit('the tests are run by run.py')
