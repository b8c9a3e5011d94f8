# SPDX-License-Identifier: Apache-2.0
"""Real programs: the same output natively, under `default` and under `everything`, in both modes.

What a program does is done once natively and its result kept; then it is done again under usher,
in a place made in the same way, and has to be the same: standard output, standard error, exit
status, and what is on the disk afterwards.
"""

import functools
import hashlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import unittest

import harness
from shipped import nginx_site

PROGRAMS = harness.SOURCE / 'tests/integration/programs'
# Where the driver runs everything again as an ordinary user, one policy will do.
POLICIES = ('default',) if 'USHER_TEST_AGAIN' in os.environ else ('default', 'everything')
PYTHON = '/usr/bin/python3'
AUTHOR = 'A <a@example.org> 1700000000 +0000'


def tree_of(place, left_out=()):
    """{path: (kind, mode, content)} of all below `place`."""
    found = {}
    for path in sorted(place.rglob('*')):
        name = str(path.relative_to(place))
        if any(part in left_out for part in path.relative_to(place).parts):
            continue
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ''
        found[name] = (oct(path.lstat().st_mode), content)
    return found


@functools.cache
def native(case, function):
    """What `function` returns natively, computed once."""
    return function(case, 'native', '')


def differences(wanted, got, where=''):
    """What differs, piece by piece: unittest's own takes minutes where much differs."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(wanted.keys() | got.keys()):
            yield from differences(wanted.get(key), got.get(key), f'{where}[{key!r}]')
    elif isinstance(wanted, (list, tuple)) and isinstance(got, (list, tuple)):
        for number, (one, other) in enumerate(itertools.zip_longest(wanted, got)):
            yield from differences(one, other, f'{where}[{number}]')
    elif wanted != got:
        yield f'{where}: natively {wanted!r:.300}\n{where}: under usher {got!r:.300}'


class Comparison(unittest.TestCase):
    def setUp(self):
        """What is done three times, natively as well, may take three times as long."""
        signal.alarm(int(3 * harness.SECONDS))

    def compare(self, function, mode):
        """`function(test class, mode, policy)` has the same result in all ways."""
        wanted = native(type(self), function)
        for policy in POLICIES:
            with self.subTest(policy=policy):
                found = list(differences(wanted, function(type(self), mode, policy)))
                self.assertFalse(found, f'{len(found)} differences\n' + '\n'.join(found[:20]))


def said(result):
    """What a run has said, as something that can be compared and read."""
    return result.returncode, result.stdout.decode(errors='replace'), \
        result.stderr.decode(errors='replace')


@functools.cache
def repository():
    """A repository with 300 files, directories, links and modes, in 30 commits."""
    place = harness.workdir('origin')
    subprocess.run(['git', 'init', '-q', '--bare', place], check=True, env=harness.environment())
    stream = []
    for commit in range(30):
        stream.append(f'commit refs/heads/main\ncommitter {AUTHOR}\ndata 2\nc{commit % 10}\n')
        for number in range(10):
            text = f'{commit} {number}\n' * (commit * 20 + number)
            mode = '100755' if number == 3 else '120000' if number == 7 else '100644'
            text = f'file-{commit}-1' if number == 7 else text
            name = f'dir-{commit % 7}/sub-{number % 3}/file-{commit}-{number}'
            stream.append(f'M {mode} inline {name}\ndata {len(text)}\n{text}\n')
    subprocess.run(['git', '-C', place, 'fast-import', '--quiet'], input=''.join(stream).encode(),
                   check=True, env=harness.environment())
    subprocess.run(['git', '-C', place, 'symbolic-ref', 'HEAD', 'refs/heads/main'], check=True)
    return place


def git_clone(_case, mode, policy):
    place = harness.workdir('clone')
    steps = (['git', 'clone', '-q', '--no-hardlinks', repository(), 'copy'],
             ['git', '-C', 'copy', 'fsck', '--full', '--no-progress'],
             ['git', '-C', 'copy', 'log', '--stat', '--format=%H'],
             ['git', '-C', 'copy', 'status', '--porcelain'],
             ['git', '-C', 'copy', 'gc', '-q'],
             ['git', '-C', 'copy', 'grep', '-c', '29 9'])
    results = [said(harness.run(step, mode, policy=policy, cwd=place)) for step in steps]
    return results, tree_of(place / 'copy', ['.git'])


SOURCE_FILES = 200
MAKEFILE = """
objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
\tgcc -o $@ $(sort $^)
%.o: %.c header.h
\tgcc -Wall -c -o $@ $<
"""


def c_project(_case, mode, policy):
    place = harness.workdir('project')
    calls = []
    for number in range(SOURCE_FILES):
        calls.append(f'function_{number}()')
        (place / f'part{number}.c').write_text(
            '#include "header.h"\n#include <errno.h>\n'
            f'long function_{number}(void) {{ return {number} * TWO + ENOENT; }}\n')
    (place / 'header.h').write_text('#define TWO 2\n' + ''.join(
        f'long function_{number}(void);\n' for number in range(SOURCE_FILES)))
    (place / 'main.c').write_text('#include "header.h"\n#include <stdio.h>\nint main(void) {\n'
                                  f'printf("%ld\\n", {" + ".join(calls)});\nreturn 0; }}\n')
    (place / 'Makefile').write_text(MAKEFILE)
    made = harness.run(['make', '-s', '-j2'], mode, policy=policy, cwd=place, timeout=200)
    return said(made), said(harness.run(['./program'], mode, policy=policy, cwd=place)), \
        tree_of(place)


def python_imports(_case, mode, policy):
    place = harness.workdir('imports')
    command = [PYTHON, '-I', '-B', PROGRAMS / 'imports.py']
    return said(harness.run(command, mode, policy=policy, cwd=place))


def node_work(_case, mode, policy):
    place = harness.workdir('node')
    return said(harness.run(['node', PROGRAMS / 'work.js'], mode, policy=policy, cwd=place)), \
        tree_of(place)


@functools.cache
def go_program():
    place = harness.workdir('go')
    shutil.copy(PROGRAMS / 'many.go', place)
    subprocess.run(['go', 'build', '-o', 'many', 'many.go'], check=True, cwd=place,
                   env=dict(harness.environment(), GOFLAGS='-mod=mod', CGO_ENABLED='0'))
    return place / 'many'


def go_threads(_case, mode, policy):
    place = harness.workdir('threads')
    return said(harness.run([go_program()], mode, policy=policy, cwd=place)), tree_of(place)


def nginx_load(_case, mode, policy):
    """500 files fetched three times by a client with 16 connections."""
    place, port, command = nginx_site()
    for number in range(500):
        (place / f'html/{number}.txt').write_text(f'{number}\n' * number)
        (place / f'html/{number}.txt').chmod(0o644)
    urls = f'http://127.0.0.1:{port}/[0-499].txt?[1-3]'
    client = ['curl', '-s', '-S', '-Z', '--parallel-max', '16', '-o', f'{place}/tmp/#1-#2', '-w',
              '%{http_code} %{size_download}\\n', urls]
    with harness.server(command, mode, policy, port, cwd=place):
        answer = harness.run(client, 'native', timeout=200)
    errors = (place / 'logs/error.log').read_text()
    accesses = (place / 'logs/access.log').read_text().count('" 200 ')
    fetched = {name: value[1] for name, value in tree_of(place / 'tmp').items() if '-' in name}
    # Beside these lines it shows how far it has come.
    lines = re.findall(r'^\d+ \d+$', answer.stdout.decode(), re.MULTILINE)
    return sorted(lines), accesses, errors, fetched


def redis_load(_case, mode, policy):
    """redis-benchmark, then known data, saved, and loaded by a second server."""
    place, port = harness.workdir('redis'), harness.free_port()
    command = ['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--dir', str(place),
               '--save', '', '--daemonize', 'no', '--appendonly', 'yes']
    client = ['redis-cli', '-p', str(port)]
    results = []
    with harness.server(command, mode, policy, port, cwd=place):
        bench = harness.run(['redis-benchmark', '-p', str(port), '-n', '5000', '-c', '20', '-t',
                             'set,get,lpush,incr', '--csv'], mode, policy=policy)
        results.append((bench.returncode, bench.stdout.count(b'\n'), bench.stderr))
        lines = ''.join(f'SET key:{number} {"v" * number}\r\n' for number in range(500))
        harness.run([*client, 'FLUSHALL'], 'native')
        results.append(said(harness.run([*client, '--pipe'], mode, policy=policy,
                                        input=lines.encode()))[0])
        results.append(said(harness.run([*client, 'SAVE'], mode, policy=policy)))
        results.append(said(harness.run([*client, 'BGREWRITEAOF'], mode, policy=policy)))
    with harness.server(command, mode, policy, port, cwd=place):
        harness.wait_until(lambda: harness.run([*client, 'PING'], 'native').stdout == b'PONG\n',
                           'redis has loaded its data')
        results.append(said(harness.run([*client, 'DBSIZE'], 'native')))
        values = harness.run([*client, 'MGET', *(f'key:{n}' for n in range(500))], 'native')
        results.append(hashlib.sha256(values.stdout).hexdigest())
    return results


@harness.both_modes
class Programs(Comparison):
    def test_git(self, mode):
        """git clones a repository, checks, packs and searches it as natively"""
        self.compare(git_clone, mode)

    def test_make(self, mode):
        """make -j2 builds a project of 200 files into the same objects as natively"""
        self.compare(c_project, mode)

    def test_python(self, mode):
        """python3 imports its whole standard library as natively"""
        self.compare(python_imports, mode)

    def test_node(self, mode):
        """node with workers, a server, children and signals does as natively"""
        self.compare(node_work, mode)

    def test_go(self, mode):
        """A Go program with a hundred goroutines under pre-emption and signals does as natively"""
        self.compare(go_threads, mode)

    def test_nginx(self, mode):
        """nginx serves 1500 requests on 16 connections as natively"""
        self.compare(nginx_load, mode)

    def test_redis(self, mode):
        """redis under redis-benchmark saves and loads its data as natively"""
        self.compare(redis_load, mode)


if __name__ == '__main__':
    unittest.main()
