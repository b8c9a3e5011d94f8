#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What usherd refuses, and with which words: messages that are none, listeners, policies and users,
and who is one too many.

Its clients here are handover.py: the wire format from its description, step by step, so that each
step can be done wrong.
"""

import contextlib
import errno
import os
import socket
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import handover  # noqa: E402
import harness  # noqa: E402
from handover import Refused  # noqa: E402
from usherd import IS_ROOT, Case, Daemon, public, running  # noqa: E402


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


if __name__ == '__main__':
    unittest.main()
