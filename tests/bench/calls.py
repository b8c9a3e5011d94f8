#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a brokered call costs, beside the native call and the least that any supervisor could do.

  tests/bench/calls.py BUILD_DIR [--quick] [--json FILE] [--markdown] [--rounds N] [--user NAME]
                     [--only SETUP,...] [--workload NAME,...] [--placement NAME,...]

Every round runs each setup once (native, floor, embedded, daemon), in another order each time, on
one processor and on all of them. A row with xN is of N threads or processes at once, and counts the
time from their common start to the end of the last over all calls; the others are of the typical
call of a lone caller. `start` is a whole run of /bin/true. It judges nothing: figures are read by
people. The exit status is 1 only where something could not be run at all.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, 'tests/driver'))
import place  # noqa: E402
import report  # noqa: E402

SETUPS = ('native', 'floor', 'embedded', 'daemon')
PLACEMENTS = ('one processor', 'all processors')
POLICIES = ('bench.ini', 'bench-landlock.ini', 'bench-sockets.ini')
RUN_SECONDS = 120
STARTS = 5

# name -> (policy, what the floor notifies, arguments of the bench program, iterations)
SINGLE = ('clock,open,open_relative,open_link,open_merged_usr,open_missing,open_denied,create,unlink,'
          'connect_tcp,connect_udp,connect_unix,connect_denied,stat,getppid,read,chdir,setuid,'
          'open_after_setuid')
LANDLOCK = 'open,open_relative,open_link,open_merged_usr,open_denied,create'
TOGETHER = 'open,open_missing,connect_udp'
WORKLOADS = {
    'single': ('bench', 'openat,connect,newfstatat,unlink', ['--cases', SINGLE], 2000),
    'landlock': ('bench-landlock', 'openat', ['--cases', LANDLOCK], 2000),
    'sockets': ('bench-sockets', 'socket', ['--cases', 'socket'], 2000),
    'threads2': ('bench', 'openat,connect', ['--cases', TOGETHER, '--workers', '2'], 1000),
    'threads8': ('bench', 'openat,connect', ['--cases', TOGETHER, '--workers', '8'], 500),
    'processes2': ('bench', 'openat,connect',
                   ['--cases', TOGETHER, '--workers', '2', '--processes'], 1000),
    'processes8': ('bench', 'openat,connect',
                   ['--cases', TOGETHER, '--workers', '8', '--processes'], 500),
    'start': ('bench', 'openat,connect', None, STARTS),
}


def parse_arguments():
    def one_of(known):
        def parse(text):
            chosen = text.split(',')
            for name in chosen:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
            return chosen
        return parse

    parser = argparse.ArgumentParser(prog='./dev bench', description=__doc__.splitlines()[0])
    parser.add_argument('build', metavar='BUILD_DIR')
    parser.add_argument('--quick', action='store_true', help='fewer rounds and calls')
    parser.add_argument('--json', metavar='FILE', help='all figures, for programs')
    parser.add_argument('--markdown', action='store_true', help='tables for a page, with p99')
    parser.add_argument('--rounds', type=int, help='7, or 2 with --quick')
    parser.add_argument('--user', metavar='NAME', help='measure as this user')
    parser.add_argument('--only', type=one_of(SETUPS), default=list(SETUPS), metavar='SETUP,...')
    parser.add_argument('--workload', type=one_of(WORKLOADS), default=list(WORKLOADS),
                        metavar='NAME,...')
    parser.add_argument('--placement', type=one_of([name.split()[0] for name in PLACEMENTS]),
                        default=[name.split()[0] for name in PLACEMENTS], metavar='one|all')
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    options.rounds = options.rounds or (2 if options.quick else 7)
    return options


class Bench:
    """The places to measure in: a directory and a usherd for each placement."""

    def __init__(self, options, scratch):
        self.options = options
        tree = place.Tree(SOURCE, options.build, scratch, options.user)
        self.source, self.build = tree.source, tree.build
        self.all_processors = os.sched_getaffinity(0)
        self.places, self.environments, self.failed = {}, {}, {}
        for number, placement in enumerate(PLACEMENTS):
            if placement.split()[0] in options.placement:
                self._prepare(scratch, number, placement)

    def _prepare(self, scratch, number, placement):
        here = place.Place(scratch, f'place{number}', self.options.user)
        for name in POLICIES:
            shutil.copy(os.path.join(SOURCE, 'tests/bench', name),
                        here.path('config/usher/policies', name))
        for name in ('existing', 'denied'):
            with open(here.path('work', name), 'w', encoding='ascii') as file:
                file.write(f'{name}\n')
        os.symlink('existing', here.path('work/link'))
        environment = here.environment(self.source, self.build, None)
        self.places[placement], self.environments[placement] = here, environment
        if 'daemon' in self.options.only:
            self.enter(placement)
            try:
                here.start_daemon(self.build, environment)
            except (RuntimeError, OSError) as error:
                self.fail('daemon', str(error))

    def enter(self, placement):
        """Goes where the runs of a placement belong; children and usherd stay there."""
        whole = placement == PLACEMENTS[1]
        os.sched_setaffinity(0, self.all_processors if whole else {max(self.all_processors)})

    def fail(self, setup, reason):
        if setup not in self.failed:
            self.failed[setup] = reason
            print(f'bench: {setup} cannot be measured: {reason}', file=sys.stderr)

    def command(self, setup, placement, policy, notify, program):
        sets = [f'--set=BUILD={self.build}'] if policy == 'bench-landlock' else []
        usher = [os.path.join(self.build, 'client/usher'), 'run', f'--{setup}', '--policy', policy,
                 *sets, '--']
        floor = [os.path.join(self.build, 'tests/bench/floor'), '--notify', notify, '--deny-path',
                 self.places[placement].path('work/denied'), '--deny-port', '1']
        prefix = {'native': [], 'floor': floor}.get(setup, usher)
        return place.as_user(self.options.user, prefix + program)

    def execute(self, command, placement):
        here = self.places[placement]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=RUN_SECONDS,
                              cwd=here.path('work'), env=self.environments[placement])

    def measure(self, setup, placement, workload):
        """[(name, figures)] of one workload; RuntimeError where it cannot be run."""
        policy, notify, arguments, iterations = WORKLOADS[workload]
        if arguments is None:
            return [self.measure_start(setup, placement, policy, notify)]
        program = [os.path.join(self.build, 'tests/bench/bench'), *arguments, '--iterations',
                   str(iterations // 4 if self.options.quick else iterations)]
        if setup != 'native':
            program.append('--expect-denied')
        done = self.execute(self.command(setup, placement, policy, notify, program), placement)
        if done.returncode != 0:
            raise RuntimeError(f'{workload}: exit status {done.returncode}: '
                               f'{done.stderr.strip() or "no message"}')
        # The same calls in another way have names of their own.
        prefix = 'landlock: ' if workload == 'landlock' else ''
        return [(prefix + name, figures)
                for name, figures in map(read_line, done.stdout.splitlines())]

    def measure_start(self, setup, placement, policy, notify):
        command = self.command(setup, placement, policy, notify, ['/bin/true'])
        times = []
        for _ in range(STARTS):
            start = time.perf_counter_ns()
            done = self.execute(command, placement)
            times.append(time.perf_counter_ns() - start)
            if done.returncode != 0:
                raise RuntimeError(f'/bin/true: exit status {done.returncode}: '
                                   f'{done.stderr.strip() or "no message"}')
        times.sort()
        return 'start', {'p50_ns': times[len(times) // 2], 'p99_ns': times[-1],
                         'p999_ns': times[-1]}

    def round(self, number, placement):
        """All setups of a workload follow each other: they are what is compared."""
        self.enter(placement)
        turn = number % len(self.options.only)
        order = self.options.only[turn:] + self.options.only[:turn]
        for workload in self.options.workload:
            for setup in order:
                for name, figures in self.try_to_measure(setup, placement, workload):
                    yield {'round': number, 'placement': placement, 'setup': setup, 'name': name,
                           'figures': figures}

    def try_to_measure(self, setup, placement, workload):
        if setup in self.failed:
            return []
        try:
            return self.measure(setup, placement, workload)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            self.fail(setup, str(error))
            return []

    def finish(self):
        os.sched_setaffinity(0, self.all_processors)
        for here in self.places.values():
            complaint = here.stop_daemon()
            if complaint:
                self.fail('daemon', complaint)
            here.remove()


def read_line(line):
    fields = dict(word.split('=', 1) for word in line.split())
    name = fields.pop('case')
    kind, workers = fields.pop('kind'), fields.pop('workers')
    if workers != '1':
        name = f'{name} {kind} x{workers}'
    return name, {key: float(value) for key, value in fields.items()}


def main():
    options = parse_arguments()
    samples = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix='usher-bench.') as scratch:
        os.chmod(scratch, 0o755)
        bench = Bench(options, scratch)
        try:
            for number in range(options.rounds):
                for placement in bench.places:
                    report.show_progress(f'round {number + 1} of {options.rounds}, {placement}')
                    samples.extend(bench.round(number, placement))
        finally:
            report.show_progress('')
            bench.finish()
    rows = report.summarise(samples, options.only, list(bench.places))
    about = {'kernel': platform.release(), 'processors': len(bench.all_processors),
             'user': options.user or os.environ.get('USER', str(os.getuid())),
             'rounds': options.rounds, 'load_before': load, 'failed': bench.failed}
    print(f"Linux {about['kernel']}, {about['processors']} processors, load {load:.1f}, "
          f"{options.rounds} rounds, as {about['user']}")
    show = report.print_markdown if options.markdown else report.print_table
    show(rows, options.only, sys.stdout)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'about': about, 'rows': rows, 'samples': samples}, file, indent=1)
    return 1 if bench.failed else 0


if __name__ == '__main__':
    sys.exit(main())
