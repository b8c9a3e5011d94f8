# SPDX-License-Identifier: Apache-2.0
"""usher run on a terminal: Ctrl-C, Ctrl-Z, fg, bg, window size, and who may read from it.

An interactive bash on a pseudo-terminal starts usher as a person would.
"""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import termios
import time
import unittest
from pathlib import Path

import harness

PROMPT = 'ready> '
INTERRUPT, SUSPEND, END_OF_FILE = '\x03', '\x1a', '\x04'


def descendants(pid):
    try:
        text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    except OSError:
        return
    for child in map(int, text.split()):
        yield child
        yield from descendants(child)


def name_of(pid):
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return None


class Terminal:
    """bash on a pseudo-terminal, spoken to by what one types and what one sees."""

    def __init__(self):
        environment = dict(harness.environment(), PS1=PROMPT, TERM='dumb', HISTFILE='')
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            harness.reset_signals()
            os.execve('/bin/bash', ['bash', '--norc', '--noprofile', '--noediting', '-i'],
                      environment)
        self.seen = ''
        self.wait_for(PROMPT)
        self.command('stty -echo')

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, text, seconds=harness.SECONDS):
        """Waits until `text` (a string) is seen; returns what came up to and with it."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f'{text!r} was not seen in {self.seen!r}')
            try:
                self.seen += os.read(self.fd, 4096).decode(errors='replace').replace('\r', '')
            except OSError as error:
                raise TimeoutError(f'the terminal ended: {self.seen!r}') from error
        end = self.seen.index(text) + len(text)
        head, self.seen = self.seen[:end], self.seen[end:]
        return head

    def wait_for_program(self, name):
        """Until a program of that name runs below the shell; its pid. (Between vfork and exec of its
        child a shell loses what is typed at it, natively as well.)"""
        found = []

        def runs():
            found[:] = [pid for pid in descendants(self.pid) if name_of(pid) == name]
            return found
        harness.wait_until(runs, f'{name} runs')
        return found[0]

    def command(self, line):
        """Runs a line to its end; returns what it printed."""
        self.type(line + '\n')
        return self.wait_for(PROMPT).removesuffix(PROMPT)

    def status(self):
        return int(re.search(r'status=(\d+)', self.command('echo status=$?'))[1])

    def close(self):
        os.close(self.fd)
        try:
            os.kill(self.pid, 1)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def line(mode, *command):
    words = harness.usher_command(command, mode, policy='everything')
    return ' '.join(shlex.quote(word) for word in words)


@harness.both_modes
class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)

    def test_interrupt(self, mode):
        """Ctrl-C ends the program as it would natively, and the shell goes on"""
        self.terminal.type(line(mode, 'sh', '-c', 'echo begun; sleep 300; echo not reached') + '\n')
        self.terminal.wait_for('begun')
        self.terminal.wait_for_program('sleep')
        self.terminal.type(INTERRUPT)
        self.assertNotIn('not reached', self.terminal.wait_for(PROMPT))
        self.assertEqual(self.terminal.status(), 130)

    def test_interrupt_caught(self, mode):
        """Ctrl-C that the program catches does not end it"""
        script = 'trap "echo caught" INT; echo begun; sleep 300; sleep 0.1; echo done; exit 4'
        self.terminal.type(line(mode, 'bash', '-c', script) + '\n')
        self.terminal.wait_for('begun')
        self.terminal.wait_for_program('sleep')
        self.terminal.type(INTERRUPT)
        text = self.terminal.wait_for(PROMPT)
        self.assertIn('caught', text)
        self.assertIn('done', text)
        self.assertEqual(self.terminal.status(), 4)

    def test_suspend(self, mode):
        """Ctrl-Z stops it, the shell says so, fg goes on where it was"""
        self.terminal.type(line(mode, 'cat') + '\n')
        self.terminal.type('first\n')
        self.terminal.wait_for('first')
        self.terminal.type(SUSPEND)
        self.assertIn('Stopped', self.terminal.wait_for(PROMPT))
        self.assertIn('Stopped', self.terminal.command('jobs'))
        self.terminal.type('fg\n')
        self.terminal.wait_for('cat')
        self.terminal.type('second\n')
        self.terminal.wait_for('second')
        self.terminal.type(END_OF_FILE)
        self.terminal.wait_for(PROMPT)
        self.assertEqual(self.terminal.status(), 0)

    def test_background(self, mode):
        """A stopped program goes on in the background with bg, and ends there"""
        script = 'echo begun; sleep 300; echo over'
        self.terminal.type(line(mode, 'sh', '-c', script) + '\n')
        self.terminal.wait_for('begun')
        sleep = self.terminal.wait_for_program('sleep')
        self.terminal.type(SUSPEND)
        self.terminal.wait_for(PROMPT)
        self.terminal.command('bg')
        os.kill(sleep, signal.SIGTERM)
        self.terminal.wait_for('over')
        self.assertIn('done-waiting', self.terminal.command('wait; echo done-waiting'))

    def test_reads(self, mode):
        """The program reads what is typed and is in the terminal's foreground"""
        self.terminal.type(line(mode, 'bash', '-c',
                                'read -p "name? " name; echo "hello $name"; tty; '
                                'test "$(ps -o tpgid= -p $$)" = "$(ps -o pgid= -p $$)" && echo fore'
                                ) + '\n')
        self.terminal.wait_for('name? ')
        self.terminal.type('usher\n')
        text = self.terminal.wait_for(PROMPT)
        self.assertIn('hello usher', text)
        self.assertIn('/dev/pts/', text)
        self.assertIn('fore', text)

    def test_dev_tty(self, mode):
        """/dev/tty is the program's own terminal"""
        script = 'echo through >/dev/tty; read line </dev/tty; echo "got $line"'
        self.terminal.type(line(mode, 'bash', '-c', script) + ' </dev/null\n')
        self.terminal.wait_for('through')
        self.terminal.type('typed\n')
        self.assertIn('got typed', self.terminal.wait_for(PROMPT))

    def test_window(self, mode):
        """A change of the window's size reaches the program"""
        script = 'trap "stty size </dev/tty; exit" WINCH; echo begun; while :; do sleep 0.05; done'
        self.terminal.type(line(mode, 'bash', '-c', script) + '\n')
        self.terminal.wait_for('begun')
        fcntl.ioctl(self.terminal.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
        self.assertIn('33 77', self.terminal.wait_for(PROMPT))

    def test_pipeline(self, mode):
        """In a pipeline, and with its output cut off, it ends as natively"""
        text = self.terminal.command(line(mode, 'yes') + ' | head -2; echo "${PIPESTATUS[*]}"')
        self.assertIn('y\ny\n', text)
        self.assertIn('141 0', text)


if __name__ == '__main__':
    unittest.main()
