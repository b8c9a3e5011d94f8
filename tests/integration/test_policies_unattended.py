# SPDX-License-Identifier: Apache-2.0
"""The shipped policies of what nobody sits before: web, interpreter, job and app. As in
test_policies.py each test has a pair.
"""

import errno
import json
import os
import shutil
import socket
import subprocess
import threading
import unittest

import harness
from shipped import PYTHON, LocalServer, PolicyCase, environment, nginx_site


def status_of(url):
    command = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--path-as-is', url]
    return harness.run(command, 'native').stdout.decode()


@harness.both_modes
class Web(PolicyCase):
    def test_nginx(self, mode):
        """web: nginx serves its tree, not what is not for visitors, and fetches nothing inside"""
        with LocalServer() as inside:
            wanted = {'native': ['200', '200', '200'], mode: ['200', '403', '502']}
            for how in ('native', mode):
                place, port, command = nginx_site(inside.port)
                before = inside.count
                with harness.server(command, how, 'web', port, cwd=place, env=environment()):
                    got = [status_of(f'http://127.0.0.1:{port}/{path}')
                           for path in ('index.html', '.git/config', 'inside/')]
                log = (place / 'logs/error.log').read_text()
                self.assertEqual(got, wanted[how], log)
                self.assertEqual(inside.count - before, 1 if how == 'native' else 0)
                self.assertIn('/index.html', (place / 'logs/access.log').read_text())
            self.assertIn(os.strerror(errno.EACCES), log)
            self.assertIn(os.strerror(errno.ECONNREFUSED), log)


LUA = """
print(6 * 7)
local file, message, number = io.open(arg and arg[1] or "%s", "r")
print(file and file:read("l"), number)
local made, _, number = io.open("made", "w")
print(made ~= nil, number)
print(os.execute("true"))
"""

WORKER = """
import errno, os, socket
def attempt(name, call, *arguments):
    try:
        call(*arguments)
        print(name, 'done')
    except OSError as error:
        print(name, errno.errorcode[error.errno])
print(sum(range(10)))
attempt('read', open, '%s')
attempt('write', open, 'made', 'w')
attempt('socket', socket.socket)
attempt('fork', lambda: os.fork() or os._exit(0))
attempt('kill', os.kill, os.getppid(), 0)
attempt('mkdir', os.mkdir, 'folder')
"""


@harness.both_modes
class Interpreter(PolicyCase):
    def place(self):
        place = harness.workdir('interpreter')
        (place / 'data').write_text('data\n')
        return place

    def test_lua(self, mode):
        """interpreter: lua5.4 runs a script from standard input; no file, no process"""
        wanted = {'native': ('data\tnil', 'true\tnil'), mode: ('nil\t13', 'false\t13')}
        for how, (data, made) in wanted.items():
            place = self.place()
            result = self.run_in(place, ['lua5.4', '-'], how, 'interpreter',
                                 input=(LUA % (place / 'data')).encode())
            lines = result.stdout.decode().splitlines()
            self.assertEqual(lines[:3], ['42', data, made], result.stderr)
            self.assertEqual(lines[3].startswith('true'), how == 'native', lines)
            self.assertEqual((place / 'made').exists(), how == 'native')

    def test_mruby(self, mode):
        """interpreter: mruby runs a script from standard input"""
        result = self.run_in(self.place(), ['mruby', '-'], mode, 'interpreter',
                             input=b'puts [3, 1, 2].sort.inspect\n')
        self.assert_allowed(result, b'[1, 2, 3]\n')

    def test_python(self, mode):
        """interpreter: python3 computes; files, sockets, processes and signals are refused"""
        wanted = {
            'native': ['45', 'read done', 'write done', 'socket done', 'fork done', 'kill done',
                       'mkdir done'],
            mode: ['45', 'read EACCES', 'write EACCES', 'socket EACCES', 'fork EPERM', 'kill EPERM',
                   'mkdir EACCES']}
        for how in ('native', mode):
            place = self.place()
            result = self.run_in(place, [PYTHON, '-'], how, 'interpreter',
                                 input=(WORKER % (place / 'data')).encode())
            self.assertEqual(result.stdout.decode().splitlines(), wanted[how], result.stderr)
            self.assertEqual((place / 'made').exists(), how == 'native')
            self.assertEqual((place / 'folder').exists(), how == 'native')


COMPUTE = """
import collections, random
counted = collections.Counter(random.Random(7).randrange(5) for _ in range(1000))
with open('out/result', 'w') as file:
    print(sum(counted.values()), file=file)
"""


@harness.both_modes
class Job(PolicyCase):
    def place(self):
        place = harness.workdir('job')
        (place / 'out').mkdir()
        (place / 'compute').write_text(f'#!{PYTHON}\n{COMPUTE}')
        (place / 'compute').chmod(0o755)
        (place.parent / 'private').write_text('private\n')
        return place

    def test_compute(self, mode):
        """job: a program of the directory computes and leaves its result in out"""
        place = self.place()
        self.assert_allowed(self.run_in(place, ['./compute'], mode, 'job'))
        self.assertEqual((place / 'out/result').read_text(), '1000\n')

    def test_confined(self, mode):
        """job: nothing else is read or written, nothing connected; natively it would be"""
        script = ('cat ../private; echo x >made; mkdir out/sub && rmdir out/sub && rmdir out; '
                  'cat out/result /proc/self/comm; true')
        for how in ('native', mode):
            place = self.place()
            (place / 'out/result').write_text('result\n')
            result = self.run_in(place, ['sh', '-c', script], how, 'job')
            self.assertEqual(b'private' in result.stdout, how == 'native', result.stderr)
            self.assertIn(b'result', result.stdout)
            self.assertEqual((place / 'made').exists(), how == 'native')
            self.assertEqual((place / 'out').exists(), True)
            self.assertEqual(result.stderr.count(b'Permission denied'), 0 if how == 'native' else 4)
        result = self.run_in(place, [PYTHON, '-c', 'import socket; socket.socket()'], mode, 'job')
        self.assert_denied(result, errno.EAFNOSUPPORT)

    def test_mechanisms(self, mode):
        """job: files are left to the kernel, where `out` is there; else the broker does the same"""
        place = self.place()
        for has_out in (True, False):
            answer = harness.usher('check', '--mechanisms', '--json', 'job', cwd=place)
            by = json.loads(answer.stdout)[0]['mechanisms']
            self.assertEqual({by[name]['by'] for name in ('read', 'write', 'create', 'remove')},
                             {'Landlock' if has_out else 'broker'}, answer.stdout)
            self.assert_allowed(self.run_in(place, ['cat', 'compute'], mode, 'job'))
            if has_out:
                shutil.rmtree(place / 'out')


# Serves one request on the published port with what the database says and what it reaches besides.
APP = """
import errno, socket, sys
published, database, other = map(int, sys.argv[1:])
server = socket.create_server(('0.0.0.0', published))
inside = socket.create_server(('127.0.0.1', 0))
print('serves', flush=True)
client = server.accept()[0]
said = [socket.create_connection(('127.0.0.1', database)).recv(100).decode()]
for port in (other, inside.getsockname()[1]):
    with socket.socket() as trial:
        said.append(errno.errorcode.get(trial.connect_ex(('127.0.0.1', port)), 'connected'))
client.sendall(' '.join(said).encode())
"""


def listener():
    server = socket.create_server(('127.0.0.1', 0))
    server.settimeout(harness.SECONDS)
    return server, server.getsockname()[1]


@harness.both_modes
class App(PolicyCase):
    def ask(self, place, mode, published, *others):
        """What the application answers on its published port."""
        command = [PYTHON, '-c', APP, str(published), *map(str, others)]
        with subprocess.Popen(harness.usher_command(command, mode, 'app-here'), cwd=place,
                              env=environment(), stdout=subprocess.PIPE, text=True) as process:
            try:
                self.assertEqual(process.stdout.readline(), 'serves\n')
                with socket.create_connection(('127.0.0.1', published), harness.SECONDS) as client:
                    return client.makefile().read()
            finally:
                process.kill()

    def test_network(self, mode):
        """app: reached by its port, reaches its database and itself, and nobody else"""
        place = harness.workdir('app')
        published = harness.free_port()
        (database, database_port), (other, other_port) = listener(), listener()

        def answer():
            for _ in range(2):
                with database.accept()[0] as client:
                    client.sendall(b'rows')
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        text = (harness.SOURCE / 'conf/policies/app.ini').read_text()
        policy = harness.policy_directory() / 'app-here.ini'
        policy.write_text(text.replace('8080', str(published)).replace('5432', str(database_port)))
        ports = published, database_port, other_port
        self.assertEqual(self.ask(place, 'native', *ports), 'rows connected connected')
        self.assertEqual(self.ask(place, mode, *ports), 'rows ECONNREFUSED connected')
        thread.join()
        database.close()
        other.close()


if __name__ == '__main__':
    unittest.main()
