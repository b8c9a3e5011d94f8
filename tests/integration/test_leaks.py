#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What many sessions leave behind: usherd has no more memory, descriptors or processes after them
than before, and neither has one broker after many calls.

    USHER_TEST_SESSIONS=10000 tests/integration/run.py tests/integration/test_leaks.py

by hand, for longer than the driver would wait.
"""

import operator
import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_keep import Kept, children  # noqa: E402

SESSIONS = int(os.environ.get('USHER_TEST_SESSIONS', '120'))
CHECKED = SESSIONS if 'USHER_TEST_SESSIONS' in os.environ else 30  # a fifth of a second each
WARM_UP = max(40, SESSIONS // 10)
# An allocator keeps some pages, more with each thread that it serves apart; what leaks leaks with each
# session, or with each call.
SLACK_KIB = 768
# A leader that got no processor for a while is relieved by another, which stays, and that one by a third;
# with a leak there were thousands.
SPARE_THREADS = 16
SANITIZED = harness.PATIENCE > 1  # their allocators keep what was freed


def memory_of(pid):
    """KiB of its own that a process has."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith(('Private_Dirty', 'Swap:')))


def holds(pid):
    return len(os.listdir(f'/proc/{pid}/fd')), len(os.listdir(f'/proc/{pid}/task'))


@unittest.skipIf(os.geteuid() != 0, 'looking into an undumpable process takes root')
class Leaks(unittest.TestCase):
    def setUp(self):
        harness.environment()['MALLOC_ARENA_MAX'] = '1'
        signal.alarm(signal.alarm(0) + SESSIONS // 10)  # what each test has, and more for more

    def run_sessions(self, daemon, count):
        for first in range(0, count, 4):
            processes = [daemon.usher('true') for _ in range(min(4, count - first))]
            for process in processes:
                self.assertEqual(process.communicate(timeout=harness.SECONDS), ('', ''))
        daemon.wait_for_sessions(0)

    def grows(self, before, after, what, count):
        print(f'# {what}: {before} KiB before, {after} KiB after {count}', flush=True)
        if not SANITIZED:
            self.assertLess(after - before, SLACK_KIB)

    def test_sessions(self):
        """usherd has after many sessions what it had before"""
        with Kept() as daemon:
            self.run_sessions(daemon, WARM_UP)
            serving = daemon.serving()
            memory, others = memory_of(serving), holds(serving)
            self.run_sessions(daemon, SESSIONS)
            # Before, something of the last sessions may have been open still.
            harness.wait_until(lambda: all(map(operator.le, holds(serving), others)),
                               'all descriptors are closed')
            self.grows(memory, memory_of(serving), 'usherd', f'{SESSIONS} sessions')
            self.assertEqual(children(serving), [])

    @unittest.skipUnless(harness.need('valgrind') and not SANITIZED, 'there is no valgrind')
    def test_valgrind(self):
        """valgrind finds no leak and no error in usherd after many sessions"""
        report = harness.workdir('valgrind') / 'report'
        with Kept(prefix=['valgrind', '--quiet', '--leak-check=full', '--show-leak-kinds=all',
                          '--errors-for-leak-kinds=all', '--child-silent-after-fork=yes',
                          f'--log-file={report}'], options=['--no-holder']) as daemon:
            self.run_sessions(daemon, CHECKED)
        said = report.read_text()
        self.assertNotRegex(said, 'lost in loss record|Invalid|uninitialised|reachable in loss')
        self.assertEqual(daemon.process.returncode, 0, said)

    def test_calls(self):
        """a broker has after many calls, allowed, denied and failed ones, what it had before"""
        script = ('i=0; while read count; do while [ $i -lt $count ]; do i=$((i+1)); '
                  ': </etc/hostname; : </etc/hosts; : </none; done 2>/dev/null; echo $i; done')
        with Kept(audit='yes') as daemon:
            daemon.write_policy('one', '[files]\ndeny EXDEV read = /etc/hosts\ndefault = allow\n')
            process = subprocess.Popen(
                [str(harness.USHER), 'run', '--daemon', '--policy', 'one', '--', 'bash', '-c',
                 script], env=daemon.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True)

            def call(until):
                process.stdin.write(f'{until}\n')
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), f'{until}\n')
            call(500)
            broker = daemon.sessions()[0]['broker']
            memory, others = memory_of(broker), holds(broker)
            call(500 + 20 * SESSIONS)
            self.grows(memory, memory_of(broker), 'a broker', f'{60 * SESSIONS} calls')
            # What the last call needed is closed after its answer.
            harness.wait_until(lambda: holds(broker)[0] <= others[0], 'all descriptors are closed')
            self.assertLessEqual(holds(broker)[1], others[1] + SPARE_THREADS)
            process.communicate(timeout=harness.SECONDS)


if __name__ == '__main__':
    sys.exit('the tests are run by run.py')
