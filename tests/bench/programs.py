#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What whole programs take under usher, beside alone and under tools that do comparable work.

  tests/bench/programs.py BUILD_DIR [--rounds N] [--json FILE] [--only SETUP,...]
                          [--workload NAME,...]

Each round runs every workload under each setup, in another order each time. Figures are wall time;
of servers it is the time of a load from outside: all of redis-benchmark's, and wrk's for a thousand
requests, on connections that are kept and on one for each. `floor` is start.c, the least that a start
with a broker is, and is measured for that alone. `everything` sends every open and connect
through a broker and allows it; `build` is the shipped policy, and `kernel` is kernel.c: the kernel
enforces its part of `build`, and nobody is asked about the rest. strace looks at opens only, proot
maps nothing, bwrap and firejail show the same files: each does the least that it can. What is not
installed is left out, and said.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, 'tests/driver'))
import place  # noqa: E402
import report  # noqa: E402

RUN_SECONDS = 300
SERVER_SECONDS = 10
FILES_OF_C = 60
FILES_OF_TREE = 4000
REQUESTS = 20000
WRK_SECONDS = 2


def usher(mode, policy):
    def prefix(build):
        return [os.path.join(build, 'client/usher'), 'run', f'--{mode}', '--policy', policy, '--']
    return prefix


def tool(*words):
    return lambda build: list(words)


# setup -> (the program that it needs, what stands in front of a command)
SETUPS = {
    'native': (None, tool()),
    'floor': (None, lambda build: [os.path.join(build, 'tests/bench/start')]),
    'everything': (None, usher('embedded', 'everything')),
    'daemon': (None, usher('daemon', 'everything')),
    'build': (None, usher('embedded', 'build')),
    'kernel': (None, lambda build: [os.path.join(build, 'tests/bench/kernel'), 'filter,landlock',
                                    os.path.join(build, 'conf/policies/build.ini')]),
    'bwrap': ('bwrap', tool('bwrap', '--dev-bind', '/', '/', '--')),
    'firejail': ('firejail', tool('firejail', '--quiet', '--noprofile', '--')),
    'strace': ('strace', tool('strace', '-f', '--seccomp-bpf', '-qqq', '-o', '/dev/null', '-e',
                              'trace=open,openat,connect', '--')),
    'proot': ('proot', tool('proot')),
}


# ---- what is run: each makes its files in a directory and returns a command ----

def make_project(directory):
    names = [f'part{number}' for number in range(FILES_OF_C)]
    for name in names:
        with open(os.path.join(directory, name + '.c'), 'w', encoding='ascii') as file:
            file.write('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
                       '#include <sys/socket.h>\n#include <netinet/in.h>\n'
                       f'int {name}(int x)\n{{\n\treturn x + (int)strlen("{name}");\n}}\n')
    with open(os.path.join(directory, 'Makefile'), 'w', encoding='ascii') as file:
        file.write(f"all: {' '.join(name + '.o' for name in names)}\n"
                   '%.o: %.c\n\tcc -O1 -c -o $@ $<\nclean:\n\trm -f *.o\n')
    return ['sh', '-c', 'make -s clean && make -s -j2']


def make_repository(directory):
    for number in range(FILES_OF_TREE):
        folder = os.path.join(directory, f'd{number % 50}/e{number % 7}')
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f'f{number}'), 'w', encoding='ascii') as file:
            file.write(f'{number}\n' * 20)
    for words in (['init', '-q', '.'], ['add', '.'],
                  ['-c', 'user.name=n', '-c', 'user.email=e', 'commit', '-qm', 'all']):
        subprocess.run(['git', *words], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    return ['git', 'status', '--short']


def make_imports(directory):
    del directory
    return ['python3', '-c', 'import asyncio, json, http.client, sqlite3, unittest, '
                             'xml.dom.minidom, multiprocessing, email.message, decimal']


def make_tree(directory):
    make_repository(directory)
    return ['sh', '-c', 'find . -path ./.git -prune -o -type f -print0 | xargs -0 cat >/dev/null']


def make_true(directory):
    del directory
    return ['/bin/true']


def make_redis(directory, port):
    del directory
    return (['redis-server', '--port', str(port), '--save', '', '--appendonly', 'no', '--bind',
             '127.0.0.1', '--loglevel', 'warning'],
            ['redis-benchmark', '-p', str(port), '-q', '-n', str(REQUESTS), '-t', 'get,set'])


def make_nginx(directory, port):
    with open(os.path.join(directory, 'index.html'), 'w', encoding='ascii') as file:
        file.write('x' * 4096)
    path = os.path.join(directory, 'nginx.conf')
    with open(path, 'w', encoding='ascii') as file:
        file.write(f'daemon off; pid {directory}/pid; error_log stderr crit; master_process off;\n'
                   'events {}\nhttp { access_log off; ' +
                   ' '.join(f'{name}_temp_path {directory}/{name};' for name in
                            ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')) +
                   f' server {{ listen 127.0.0.1:{port}; root {directory}; }} }}\n')
    return (['nginx', '-p', directory, '-c', path],
            ['wrk', '-t1', '-c16', f'-d{WRK_SECONDS}s', f'http://127.0.0.1:{port}/index.html'])


def make_nginx_closing(directory, port):
    server, load = make_nginx(directory, port)
    return server, load + ['-H', 'Connection: close']


# workload -> (what makes it, whether it is a server)
WORKLOADS = {
    'start': (make_true, False),
    'make -j2': (make_project, False),
    'git status': (make_repository, False),
    'python3 imports': (make_imports, False),
    'find and cat': (make_tree, False),
    'redis': (make_redis, True),
    'nginx kept': (make_nginx, True),
    'nginx closed': (make_nginx_closing, True),
}


def of_wrk(output):
    """Requests in a second."""
    return float(output.split('Requests/sec:')[1].split()[0])


def free_port():
    with socket.socket() as bound:
        bound.bind(('127.0.0.1', 0))
        return bound.getsockname()[1]


def wait_for(port, server):
    end = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError('the server did not start')


class Bench:
    def __init__(self, options, scratch):
        self.options = options
        self.build = os.path.abspath(options.build)
        self.failed = {}
        self.here = place.Place(scratch, 'here', None)
        self.environment = self.here.environment(SOURCE, self.build, None)
        if 'daemon' in options.only:
            self.here.start_daemon(self.build, self.environment)
        self.made = {}
        for name in options.workload:
            make, is_server = WORKLOADS[name]
            directory = self.here.path('work', name.replace(' ', '-'))
            os.mkdir(directory)
            self.made[name] = (directory, None if is_server else make(directory))

    def run(self, command, directory):
        """Nanoseconds, and what it printed."""
        begin = time.perf_counter_ns()
        done = subprocess.run(command, cwd=directory, env=self.environment, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=RUN_SECONDS)
        taken = time.perf_counter_ns() - begin
        if done.returncode != 0:
            raise RuntimeError(f'exit status {done.returncode}: {done.stderr.strip()[-200:]}')
        return taken, done.stdout

    def run_server(self, prefix, make, directory):
        port = free_port()
        command, load = make(directory, port)
        with subprocess.Popen(prefix + command, cwd=directory, env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True) as server:
            try:
                wait_for(port, server)
                taken, output = self.run(load, directory)
                return 1e12 / of_wrk(output) if load[0] == 'wrk' else taken
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(SERVER_SECONDS)

    def measure(self, setup, name):
        """Nanoseconds, or None where it cannot be run."""
        if (setup, name) in self.failed or (setup == 'floor' and name != 'start'):
            return None
        directory, command = self.made[name]
        prefix = SETUPS[setup][1](self.build)
        try:
            if command is None:
                return self.run_server(prefix, WORKLOADS[name][0], directory)
            return self.run(prefix + command, directory)[0]
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            self.failed[(setup, name)] = str(error)
            print(f'bench: {name} under {setup}: {error}', file=sys.stderr)
            return None

    def reader_of_build(self):
        """Why reading is not the kernel's under `build` here; '' if it is."""
        command = [os.path.join(self.build, 'client/usher'), 'check', '--mechanisms', '--json', 'build']
        done = subprocess.run(command, cwd=self.made[self.options.workload[0]][0], check=False,
                              env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=RUN_SECONDS)
        return json.loads(done.stdout)[0]['mechanisms']['read'].get('text', '')

    def finish(self):
        self.here.stop_daemon()
        self.here.remove()


def summarise(samples, setups, workloads):
    rows = []
    for name in workloads:
        row = {'name': name, 'setups': {}}
        for setup in setups:
            figures = samples.get((setup, name), {})
            if figures:
                row['setups'][setup] = {
                    'median_ns': statistics.median(figures.values()),
                    'spread_percent': report.spread(list(figures.values())),
                    'to_native': report.paired_ratio(figures, samples.get(('native', name), {}))}
        rows.append(row)
    return rows


def print_table(rows, setups, out):
    print('milliseconds natively, and the ratio to it (median of the rounds, +- spread)', file=out)
    print(f'{"":18}' + ''.join(f'{setup:>16}' for setup in setups), file=out)
    for row in rows:
        cells = []
        for setup in setups:
            figures = row['setups'].get(setup)
            if figures is None:
                cells.append(f'{"-":>16}')
            elif setup == 'native':
                cells.append(f"{figures['median_ns'] / 1e6:9.1f} {figures['spread_percent']:4.0f}% ")
            else:
                cells.append(f"{figures['to_native'] or 0:9.2f} {figures['spread_percent']:4.0f}% ")
        print(f"{row['name']:18}" + ''.join(cells), file=out)


def parse_arguments():
    parser = argparse.ArgumentParser(prog='./dev bench programs',
                                     description=__doc__.splitlines()[0])
    parser.add_argument('build', metavar='BUILD_DIR')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--json', metavar='FILE', help='all figures, for programs')
    parser.add_argument('--only', metavar='SETUP,...', default=','.join(SETUPS))
    parser.add_argument('--workload', metavar='NAME,...', default=','.join(WORKLOADS))
    options = parser.parse_args()
    for name, known in (('only', SETUPS), ('workload', WORKLOADS)):
        chosen = getattr(options, name).split(',')
        unknown = [word for word in chosen if word not in known]
        if unknown:
            parser.error(f"'{unknown[0]}' is none of {', '.join(known)}")
        setattr(options, name, chosen)
    return options


def installed(setups):
    kept = []
    for setup in setups:
        if SETUPS[setup][0] and not shutil.which(SETUPS[setup][0]):
            print(f'bench: {SETUPS[setup][0]} is not installed, and is left out', file=sys.stderr)
        else:
            kept.append(setup)
    return kept


def main():
    options = parse_arguments()
    options.only = installed(options.only)
    samples = {}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix='usher-bench.') as scratch:
        bench = Bench(options, scratch)
        why = bench.reader_of_build() if 'build' in options.only else ''
        if why:
            print(f'bench: under build reading is left to the broker here: {why}', file=sys.stderr)
        try:
            for number in range(options.rounds):
                turn = number % len(options.only)
                for name in options.workload:
                    report.show_progress(f'round {number + 1} of {options.rounds}, {name}')
                    for setup in options.only[turn:] + options.only[:turn]:
                        taken = bench.measure(setup, name)
                        if taken is not None:
                            samples.setdefault((setup, name), {})[number] = taken
        finally:
            report.show_progress('')
            bench.finish()
    rows = summarise(samples, options.only, options.workload)
    print(f'Linux {platform.release()}, {os.cpu_count()} processors, load {load:.1f}, '
          f'{options.rounds} rounds')
    print_table(rows, options.only, sys.stdout)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'kernel': platform.release(), 'processors': os.cpu_count(), 'load': load,
                       'rounds': options.rounds, 'rows': rows}, file, indent=1)
    return 1 if bench.failed else 0


if __name__ == '__main__':
    sys.exit(main())
