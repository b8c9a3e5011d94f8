# SPDX-License-Identifier: Apache-2.0
"""For tests of programs in a network of their own: who answers them outside, and how they run."""

import os
import socket
import threading
import unittest

import harness

PYTHON = os.path.realpath('/usr/bin/python3')
BROKER = '[policy]\nnet = broker\n[network]\ndefault = deny EHOSTUNREACH\n'


class Greeter:
    """Says a word to everyone who connects, while the block runs."""

    def __init__(self, listener, word):
        self.listener, self.word = listener, word.encode()
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                peer.sendall(self.word)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def tcp_greeter(word, host='127.0.0.1'):
    listener = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    listener.bind((host, 0))
    return Greeter(listener, word)


class Case(unittest.TestCase):
    def python(self, mode, program, *arguments, policy, options=()):
        result = harness.run([PYTHON, '-c', program, *arguments], mode, policy=policy,
                             options=options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode().split('\n')[:-1]
