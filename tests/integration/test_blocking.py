# SPDX-License-Identifier: Apache-2.0
"""Calls that wait, and such as are ended in the middle, leave nothing behind in the broker."""

import os
import signal
import unittest
from pathlib import Path

import harness
from test_broker import IS_ROOT, broker_of, links_of, running

ROUGH = harness.SOURCE / 'tests/integration/programs/rough.py'
ROUNDS = 6
KEPT_MAX = 3 * 64 + 8  # pidfds, fdinfo and status of targets, and what is the broker's own


def held(broker):
    """How many descriptors (root alone can see those of a broker) and threads it has. Those by
    which it looks at its targets are counted apart: of them it keeps some (target_fd.c)."""
    links = links_of(broker).values() if IS_ROOT else []
    looking = sum(link == 'anon_inode:[pidfd]' or link.startswith('/proc/') for link in links)
    return len(links) - looking, looking, len(os.listdir(f'/proc/{broker}/task'))


# One who was root opens a FIFO and waits there; root goes on.
WAITING = """
import errno, os
os.mkfifo('fifo')
os.chmod('fifo', 0o666)
child = os.fork()
if child == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    os.open('fifo', os.O_RDONLY)
    os._exit(0)
while True:
    try:
        os.open('fifo', os.O_WRONLY | os.O_NONBLOCK)
        break
    except OSError as error:
        assert error.errno == errno.ENXIO, error
os.waitpid(child, 0)
print(open('closed/file').read())
"""


@harness.both_modes
class Leaks(unittest.TestCase):
    def rounds(self, process, count):
        process.stdin.write(f'{count}\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), 'done\n')

    def test_ends(self, mode):
        """SIGKILL, exec, exit and SIGALRM in the middle of calls: no descriptor and no thread stays"""
        place = harness.workdir('rough')
        with running(mode, '/usr/bin/python3', ROUGH, place) as process:
            broker = broker_of(process, mode)
            self.rounds(process, 2)
            before = held(broker)
            self.rounds(process, ROUNDS)
            # Threads are kept for later: as many as ever waited at once, and none for each round.
            allowed = (before[0], KEPT_MAX, before[2] + 8)
            harness.wait_until(lambda: all(map(int.__le__, held(broker), allowed)),
                               f'the broker holds no more than {allowed}')
            process.stdin.close()
            self.assertEqual(process.wait(harness.SECONDS), 0)


@harness.both_modes
class Rights(unittest.TestCase):
    @unittest.skipUnless(IS_ROOT, 'only root can give rights up')
    def test_waiting(self, mode):
        """who serves while somebody waits has not got his rights"""
        place = harness.workdir('waiting')
        place.chmod(0o755)
        (place / 'closed').mkdir(mode=0o700)
        (place / 'closed/file').write_text('root\n')
        policy = harness.policy('[files]\ndefault = allow\ndeny EACCES all = /nonexistent/**\n')
        for _ in range(5):
            (place / 'fifo').unlink(missing_ok=True)
            done = harness.run(('/usr/bin/python3', '-c', WAITING), mode, policy, cwd=place)
            self.assertEqual(done.stdout.split(), [b'root'], done.stderr)


# Connects, with a limit of time, to a listener that has no room for anybody.
CONNECTS = """
import errno, socket, struct
with socket.socket() as listener, socket.socket() as s:
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    others = [socket.socket() for _ in range(3)]
    for other in others:
        other.setblocking(False)
        other.connect_ex(listener.getsockname())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('=qq', 2, 0))
    print('connects', flush=True)
    print(errno.errorcode[s.connect_ex(listener.getsockname())])
"""


def is_stopped(pid):
    return '\nState:\tT' in Path(f'/proc/{pid}/status').read_text()


@harness.both_modes
class Stopped(unittest.TestCase):
    def test_connect(self, mode):
        """a broker that is stopped for a moment connects as if it had not been"""
        with running(mode, '/usr/bin/python3', '-c', CONNECTS) as process:
            broker = broker_of(process, mode)
            self.assertEqual(process.stdout.readline(), 'connects\n')
            harness.wait_until_at_rest(process.pid, broker)
            os.kill(broker, signal.SIGSTOP)
            harness.wait_until(lambda: is_stopped(broker), 'it is stopped')
            os.kill(broker, signal.SIGCONT)
            self.assertEqual(process.stdout.readline(), 'EINPROGRESS\n')


if __name__ == '__main__':
    unittest.main()
