# SPDX-License-Identifier: Apache-2.0
"""Real programs in `net = broker`, as clients of servers that are 3 ms away and as servers that are
reached from there: they do what they do natively, and only where rules let them.
"""

import functools
import json
import os
import subprocess
import time
import unittest

import harness
import world

world.enter()

FAR, FAR6, HERE = world.FAR, world.FAR6, world.HERE
WEB, REDIS, DNS, IPERF, SSH, UDP = 8000, 6379, 5353, 5201, 2222, 9000

POLICY = f"""\
[policy]
net = broker
[network]
default = deny ENETUNREACH
allow connect =
    tcp {FAR}:* udp {FAR}:* tcp [{FAR6}]:* udp [{FAR6}]:* tcp [fd78::/64]:*
    tcp 10.77.1.0/24:*
allow bind = tcp *:8080-8090 udp *:8080
"""

# As http.server, for more than five at once.
WEB_SERVER = """
import http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    address_family, request_queue_size = socket.AF_INET6, 128
Server(('::', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

# Answers queries with one A record, and everything else with itself.
UDP_SERVER = """
import socket, sys, threading
def serve(port, answer):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(('::', port))
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(answer(data), peer)
def dns(query):
    end = query.index(b'\\0', 12) + 5
    return (query[:2] + b'\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0' + query[12:end] +
            b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4' + bytes([192, 0, 2, 53]))
threading.Thread(target=serve, args=(int(sys.argv[1]), dns)).start()
serve(int(sys.argv[2]), bytes)
"""

NGINX = """\
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
    uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
    server {{
        listen 8080;
        location / {{ proxy_pass http://{far}:{web}; }}
        location /private/ {{ proxy_pass http://127.0.0.1:8099/; }}
    }}
    server {{ listen 127.0.0.1:8099; location / {{ return 200 private; }} }}
}}
"""

ASYNC = """
import asyncio, sys
async def get(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b'GET /file HTTP/1.0\\r\\n\\r\\n')
    body = (await reader.read()).split(b'\\r\\n\\r\\n', 1)[1]
    writer.close()
    return len(body)
async def main():
    sizes = await asyncio.gather(*(get(sys.argv[1], int(sys.argv[2])) for _ in range(40)))
    print(len(sizes), set(sizes))
asyncio.run(main())
"""

NODE = """
const [host, port] = process.argv.slice(1)
const http = require('http'), dgram = require('dgram')
let left = 20, bytes = 0
for (let i = 0; i < left; i++)
    http.get({host, port, path: '/file', agent: false}, answer => {
        answer.on('data', data => bytes += data.length)
        answer.on('end', () => { if (--left == 0) udp() })
    })
function udp() {
    const s = dgram.createSocket('udp4')
    s.on('message', m => { console.log(bytes, m.toString()); s.close() })
    s.send('echo', 9000, host)
}
"""

# Sixteen datagrams by one sendmmsg(2), as resolvers and QUIC do, and what comes back.
MESSAGES = """
import ctypes, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
name = ctypes.create_string_buffer(struct.pack('=H', socket.AF_INET) +
                                   struct.pack('!H', int(sys.argv[2])) +
                                   socket.inet_aton(sys.argv[1]) + bytes(8), 16)
keep, headers = [], b''
for i in range(16):
    data = ctypes.create_string_buffer(b'%02d' % i, 2)
    part = ctypes.create_string_buffer(struct.pack('=QQ', ctypes.addressof(data), 2), 16)
    keep += [data, part]
    headers += struct.pack('=QIxxxxQQQQixxxxIxxxx', ctypes.addressof(name), 16,
                           ctypes.addressof(part), 1, 0, 0, 0, 0)
sent = libc.syscall(307, s.fileno(), ctypes.create_string_buffer(headers, len(headers)), 16, 0)
print(sent, len({s.recv(100) for _ in range(16)}))
"""

# Forty connections at once by threads, while two others go where nothing answers: one of them gives
# up after a second, one waits on.
THREADS = """
import os, socket, struct, sys, threading, time
host, port, silent = sys.argv[1], int(sys.argv[2]), sys.argv[3]
begin, done = time.monotonic(), []
def connect():
    with socket.create_connection((host, port)) as s:
        s.sendall(b'GET /file HTTP/1.0\\r\\n\\r\\n')
        done.append(len(s.recv(100)) > 0)
def wait(seconds):
    global outcome
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('=qq', seconds, 0))
    try:
        s.connect((silent, 80))
    except OSError as error:
        outcome = error.errno, time.monotonic() - begin > 0.9
slow, endless = (threading.Thread(target=wait, args=(seconds,), daemon=True) for seconds in (1, 0))
slow.start()
endless.start()
threads = [threading.Thread(target=connect) for _ in range(40)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(done), all(done), endless.is_alive())
slow.join()
print(*outcome, flush=True)
os._exit(0)
"""


@functools.cache
def far():
    """The servers of the far side."""
    place = harness.workdir('far')
    (place / 'file').write_bytes(b'x' * 100000)
    git = dict(cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
               env=harness.environment())
    subprocess.run(['git', 'init', '-q', 'tree'], **git)
    (place / 'tree/readme').write_text('cloned')
    for command in (['add', '.'], ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'x'],
                    ['update-server-info']):
        subprocess.run(['git', '-C', 'tree', *command], **git)
    result = world.World()
    result.serve('/usr/bin/python3', '-c', WEB_SERVER, WEB, cwd=place)
    result.serve('redis-server', '--bind', FAR, '--port', REDIS, '--save', '', '--daemonize', 'no',
                 '--protected-mode', 'no', cwd=place)
    result.serve('/usr/bin/python3', '-c', UDP_SERVER, DNS, UDP)
    result.serve('iperf3', '-s', '-p', IPERF)
    for port in WEB, REDIS, IPERF:
        harness.wait_until(lambda port=port: world.is_open(port), f'port {port} is open')
    return result


@harness.both_modes
class Clients(unittest.TestCase):
    def setUp(self):
        far()
        self.policy = harness.policy(POLICY)

    def run_client(self, mode, *command, status=0, **more):
        result = harness.run(command, mode, self.policy, **more)
        self.assertEqual(result.returncode, status, result.stderr.decode(errors='replace'))
        return result.stdout.decode(errors='replace').strip()

    def test_curl(self, mode):
        """curl and wget: IPv4, IPv6, what is not allowed, and what cannot be reached"""
        size = ('-sS', '-m', '20', '-o', '/dev/null', '-w', '%{http_code} %{size_download}')
        for host in FAR, f'[{FAR6}]':
            self.assertEqual(self.run_client(mode, 'curl', *size, f'http://{host}:{WEB}/file'),
                             '200 100000')
        self.run_client(mode, 'curl', *size, f'http://{HERE}:{WEB}/', status=7)
        self.run_client(mode, 'curl', *size, 'http://10.77.1.1/', status=7)
        self.assertEqual(len(self.run_client(mode, 'wget', '-q', '-t', '1', '-O', '-',
                                             f'http://{FAR}:{WEB}/file')), 100000)

    def test_happy_eyeballs(self, mode):
        """curl turns to IPv4 when nothing answers by IPv6"""
        self.assertEqual(self.run_client(
            mode, 'curl', '-sS', '-m', '20', '-o', '/dev/null', '-w', '%{http_code} %{remote_ip}',
            '--resolve', f'two.test:{WEB}:[{world.SILENT6}],{FAR}', f'http://two.test:{WEB}/file'),
            f'200 {FAR}')

    def test_git(self, mode):
        """git clones over http"""
        place = harness.workdir('clone')
        self.run_client(mode, 'git', 'clone', '-q', f'http://{FAR}:{WEB}/tree/.git', place / 'tree')
        self.assertEqual((place / 'tree/readme').read_text(), 'cloned')

    def test_redis(self, mode):
        """redis-cli and redis-benchmark with pipelines"""
        self.assertEqual(self.run_client(mode, 'redis-cli', '-h', FAR, 'set', 'key', 'value'), 'OK')
        self.assertEqual(self.run_client(mode, 'redis-cli', '-h', FAR, 'get', 'key'), 'value')
        self.assertIn('requests per second', self.run_client(
            mode, 'redis-benchmark', '-h', FAR, '-n', '2000', '-c', '20', '-P', '8', '-t', 'set',
            '-q'))

    def test_dig(self, mode):
        """dig asks over udp"""
        self.assertEqual(self.run_client(mode, 'dig', '+short', '+tries=1', '-p', DNS, f'@{FAR}',
                                         'name.test'), '192.0.2.53')

    def test_asyncio(self, mode):
        """python's asyncio, forty connections at once"""
        self.assertEqual(self.run_client(mode, '/usr/bin/python3', '-c', ASYNC, FAR, WEB),
                         '40 {100000}')

    def test_node(self, mode):
        """node: http and datagrams"""
        self.assertEqual(self.run_client(mode, 'node', '-e', NODE, FAR, WEB), '2000000 echo')

    def test_messages(self, mode):
        """sendmmsg: sixteen datagrams in one call"""
        self.assertEqual(self.run_client(mode, '/usr/bin/python3', '-c', MESSAGES, FAR, UDP),
                         '16 16')

    def test_threads(self, mode):
        """Connections go on while another waits for an answer that never comes"""
        self.assertEqual(self.run_client(mode, '/usr/bin/python3', '-c', THREADS, FAR, WEB,
                                         world.SILENT6), '40 True True\n115 True')

    def test_iperf(self, mode):
        """iperf3: tcp in both directions, and udp without a loss that matters"""
        for more in ('-n20M',), ('-n20M', '-R'), ('-n1M', '-u', '-b50M'):
            report = json.loads(self.run_client(mode, 'iperf3', '-J', '-c', FAR, '-p', IPERF,
                                                *more))
            self.assertGreater(report['end'].get('sum_received', report['end'].get('sum'))['bytes'],
                               100000)

    def test_servers(self, mode):
        """nginx as a proxy: published, its upstream outside, and one on its own loopback"""
        place = harness.workdir('nginx')
        (place / 'nginx.conf').write_text(NGINX.format(place=place, far=FAR, web=WEB))
        command = harness.usher_command(['nginx', '-c', place / 'nginx.conf'], mode, self.policy)
        with open(place / 'log', 'wb') as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=harness.environment())
        try:
            harness.wait_until(lambda: process.poll() is not None or harness.is_listening(8080),
                               'nginx listens')
            get = ('curl', '-sS', '-m', '20')
            self.assertEqual(len(far().run(*get, f'http://{HERE}:8080/file')), 100000,
                             (place / 'log').read_text())
            self.assertEqual(far().run(*get, f'http://{HERE}:8080/private/'), 'private')
            self.assertFalse(harness.is_listening(8099))
        finally:
            harness.end(process)
