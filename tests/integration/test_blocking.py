# SPDX-License-Identifier: Apache-2.0
"""Calls that are ended in the middle leave nothing behind in the broker that worked on them."""

import os
import unittest

import harness
from test_broker import IS_ROOT, broker_of, running

ROUGH = harness.SOURCE / 'tests/integration/programs/rough.py'
ROUNDS = 6


def held(broker):
    """How many descriptors (root alone can see those of a broker) and threads it has."""
    descriptors = len(os.listdir(f'/proc/{broker}/fd')) if IS_ROOT else 0
    return descriptors, len(os.listdir(f'/proc/{broker}/task'))


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
            allowed = (before[0], before[1] + 8)
            harness.wait_until(lambda: all(map(int.__le__, held(broker), allowed)),
                               f'the broker holds no more than {allowed}')
            process.stdin.close()
            self.assertEqual(process.wait(harness.SECONDS), 0)


if __name__ == '__main__':
    unittest.main()
