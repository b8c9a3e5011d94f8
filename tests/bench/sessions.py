#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What sessions cost: memory of an idle one, and what many of them do to the calls of another.

  tests/bench/sessions.py BUILD_DIR [--counts 0,10,100,...] [--rounds N] [--json FILE]

A usherd serves so many idle sessions (each a `sleep` under the policy `everything`); one more
measures its opens. Memory is PSS and private memory of the brokers, the median, and of usherd;
`start` is what it took to start the idle ones, twenty at a time.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, 'tests/driver'))
import place  # noqa: E402
import report  # noqa: E402

START_SECONDS = 300
OPENS = 3000
LIMITS = """
[limits]
sessions = 100000
sessions-per-user = 100000
clients-per-user = 64
"""


def memory(pid):
    """{'pss': KiB, 'private': KiB}"""
    figures = {}
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
        for line in file:
            words = line.split()
            if len(words) == 3 and words[2] == 'kB':
                figures[words[0].rstrip(':')] = int(words[1])
    return {'pss': figures['Pss'],
            'private': figures['Private_Clean'] + figures['Private_Dirty']}


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(word) for word in file.read().split()]


class Bench:
    def __init__(self, options, scratch):
        self.build = os.path.abspath(options.build)
        self.here = place.Place(scratch, 'here', None)
        self.environment = self.here.environment(SOURCE, self.build, None)
        self.here.start_daemon(self.build, self.environment, LIMITS)
        with open(self.here.path('work/existing'), 'w', encoding='ascii') as file:
            file.write('existing\n')
        self.sleepers = []

    def usher(self, *command):
        return [os.path.join(self.build, 'client/usher'), 'run', '--daemon', '--policy',
                'everything', '--', *command]

    def usherd(self):
        """Who has been started holds what must outlive usherd, which is its child."""
        return children(self.here.daemon.pid)[0]

    def brokers(self):
        return children(self.usherd())

    def grow(self, count):
        while len(self.sleepers) < count:
            batch = [subprocess.Popen(self.usher('sleep', '100000'), env=self.environment,
                                      cwd=self.here.path('work'), stdin=subprocess.DEVNULL)
                     for _ in range(min(20, count - len(self.sleepers)))]
            self.sleepers += batch
            end = time.monotonic() + START_SECONDS
            while len(self.brokers()) < len(self.sleepers) and time.monotonic() < end \
                    and all(sleeper.poll() is None for sleeper in batch):
                time.sleep(0.05)
            if len(self.brokers()) < len(self.sleepers):
                raise RuntimeError(f'only {len(self.brokers())} of {len(self.sleepers)} run')

    def latency(self):
        """Figures of one more session's open."""
        done = subprocess.run(
            self.usher(os.path.join(self.build, 'tests/bench/bench'), '--cases', 'open',
                       '--iterations', str(OPENS)),
            env=self.environment, cwd=self.here.path('work'), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, check=True, text=True, timeout=START_SECONDS)
        fields = dict(word.split('=', 1) for word in done.stdout.split())
        return {key: float(fields[key]) for key in ('p50_ns', 'p99_ns', 'p999_ns')}

    def measure(self, count, rounds):
        missing = count - len(self.sleepers)
        began = time.monotonic()
        self.grow(count)
        start_ms = (time.monotonic() - began) * 1000 / missing if missing else None
        figures = [self.latency() for _ in range(rounds)]
        row = {key: statistics.median(each[key] for each in figures) for key in figures[0]}
        sizes = [memory(pid) for pid in self.brokers()[:100]]
        for key in ('pss', 'private'):
            row[f'broker_{key}_kib'] = statistics.median(
                size[key] for size in sizes) if sizes else None
        row['usherd_pss_kib'] = memory(self.usherd())['pss']
        return {'sessions': count, 'start_ms': start_ms, **row}

    def finish(self):
        for sleeper in self.sleepers:
            sleeper.kill()
        for sleeper in self.sleepers:
            sleeper.wait()
        self.here.stop_daemon()
        self.here.remove()


def print_table(rows, out):
    print(f'{"idle sessions":>13} {"open p50":>9} {"p99":>9} {"p99.9":>9}  '
          f'{"broker PSS":>10} {"private":>8} {"usherd PSS":>10} {"start":>8}'
          '   (microseconds; KiB; milliseconds each)', file=out)
    for row in rows:
        times = ' '.join(f'{row[key] / 1000:9.2f}' for key in ('p50_ns', 'p99_ns', 'p999_ns'))
        rest = ' '.join(f'{row[key]:{width}.0f}' if row[key] is not None else ' ' * width
                        for key, width in (('broker_pss_kib', 10), ('broker_private_kib', 8),
                                           ('usherd_pss_kib', 10), ('start_ms', 8)))
        print(f"{row['sessions']:13} {times}  {rest}", file=out)


def main():
    parser = argparse.ArgumentParser(prog='./dev bench sessions',
                                     description=__doc__.splitlines()[0])
    parser.add_argument('build', metavar='BUILD_DIR')
    parser.add_argument('--counts', default='0,1,10,100,1000')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--json', metavar='FILE', help='all figures, for programs')
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix='usher-bench.') as scratch:
        bench = Bench(options, scratch)
        try:
            for count in sorted(int(word) for word in options.counts.split(',')):
                report.show_progress(f'{count} sessions')
                rows.append(bench.measure(count, options.rounds))
        finally:
            report.show_progress('')
            bench.finish()
    print(f'Linux {platform.release()}, {os.cpu_count()} processors, {options.rounds} rounds')
    print_table(rows, sys.stdout)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'kernel': platform.release(), 'processors': os.cpu_count(),
                       'rows': rows}, file, indent=1)
    return 0


if __name__ == '__main__':
    sys.exit(main())
