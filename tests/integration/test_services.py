# SPDX-License-Identifier: Apache-2.0
"""Real programs whose connections are long or odd, in this machine's network under rules and in
`net = broker`: a session of psql, a copy by sftp, a nameserver that answers by sendmmsg, Go's own
network code, QUIC, and datagrams that the kernel cuts up.
"""

import atexit
import errno
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
import world

world.enter()

FAR, FAR6, HERE = world.FAR, world.FAR6, world.HERE
WEB, SQL, SSH, UDP, NAMES, QUIC = 8000, 5432, 2222, 9000, 8080, 4433
PYTHON = '/usr/bin/python3'
NETWORKS = 'host', 'broker'

POLICY = f"""\
[network]
default = deny ENETUNREACH
allow connect =
    tcp {FAR}:* udp {FAR}:* udp [{FAR6}]:* tcp [fd78::/64]:* tcp 10.77.1.0/24:*
allow bind = tcp {HERE}:{NAMES} udp {HERE}:{NAMES}
"""

WEB_SERVER = """
import http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server((sys.argv[1], int(sys.argv[2])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

# Tells of each datagram how long it was.
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', int(sys.argv[1])))
while True:
    data, peer = s.recvfrom(65536)
    s.sendto(b'%d' % len(data), peer)
"""

# One message that leaves as datagrams of 1000 bytes: UDP_SEGMENT said with the message, as QUIC does
# it, and then as an option of a connected socket; by both families.
SEGMENTS = """
import socket, struct, sys
UDP_SEGMENT = 103
for host in sys.argv[2:]:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    peer = (host, int(sys.argv[1]))
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack('=H', 1000))]
        sent = s.sendmsg([b'x' * 5000, b'y' * 500], control, 0, peer)
        print(sent, sorted(s.recv(10) for _ in range(6)))
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
        s.connect(peer)
        print(s.send(b'x' * 2500), sorted(s.recv(10) for _ in range(3)))
"""
SEGMENTS_EXPECTED = [line for _ in range(2) for line in (
    "5500 [b'1000', b'1000', b'1000', b'1000', b'1000', b'500']",
    "2500 [b'1000', b'1000', b'500']")]

DEVICE = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
    print(s.connect_ex((sys.argv[1], int(sys.argv[2]))))
"""

# With a body, whose connection the server closes, and requests of other kinds.
PYTHON_HTTP = """
import http.client, sys, urllib.request
with urllib.request.urlopen(f'http://{sys.argv[1]}:{sys.argv[2]}/file') as answer:
    print(answer.status, len(answer.read()))
for method, path in ('HEAD', '/file'), ('GET', '/none'), ('POST', '/file'):
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
    connection.request(method, path, body=b'x' * 100 if method == 'POST' else None)
    answer = connection.getresponse()
    print(method, answer.status, len(answer.read()) > 0)
"""

SQL_SCRIPT = """
CREATE TABLE numbers (n integer, text text);
INSERT INTO numbers SELECT n, repeat('x', n) FROM generate_series(1, 2000) AS n;
SELECT sum(n), sum(length(text)) FROM numbers;
LISTEN word;
NOTIFY word, 'said';
DROP TABLE numbers;
"""

SSHD = """\
Port {port}
ListenAddress {far}
HostKey {place}/host
PidFile none
UsePAM yes
StrictModes no
AuthorizedKeysFile {place}/key.pub
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""

NSD = """\
server:
    ip-address: {here}@{port}
    username: ""
    chroot: ""
    zonesdir: "{place}"
    database: ""
    xfrdfile: "{place}/xfrd"
    xfrdir: "{place}"
    zonelistfile: "{place}/zones"
    pidfile: ""
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: example.test
    zonefile: zone
"""

ZONE = """\
$ORIGIN example.test.
@ 60 IN SOA ns.example.test. who.example.test. 1 60 60 60 60
@ 60 IN NS ns.example.test.
ns 60 IN A 192.0.2.53
"""


def is_open():
    """Does the nameserver listen?"""
    with socket.socket() as probe:
        return probe.connect_ex((HERE, NAMES)) == 0


def udp_answers():
    """Does the far side answer datagrams?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        probe.connect((FAR, UDP))
        try:
            return bool(probe.send(b'x') and probe.recv(10))
        except OSError:
            return False


def as_ordinary(*command):
    """Servers that refuse to be root's are nobody's."""
    if os.geteuid() != 0:
        return command
    return ('setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', *command)


@functools.cache
def common():
    """Where nobody's servers can write: the directories of a run are its user's alone."""
    path = Path(tempfile.mkdtemp(prefix='usher-services-', dir='/tmp'))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    path.chmod(0o711)
    return path


def open_place(name):
    place = common() / name
    place.mkdir()
    place.chmod(0o777)
    return place


def start_web(far, place):
    (place / 'file').write_bytes(b'x' * 100000)
    far.serve(PYTHON, '-c', WEB_SERVER, FAR, WEB, cwd=place)


def start_sql(far, place):
    programs = max(Path('/usr/lib/postgresql').glob('*/bin'))
    subprocess.run(as_ordinary(programs / 'initdb', '-N', '-A', 'trust', '-U', 'tester',
                               '--locale', 'C', '-D', place / 'data'),
                   check=True, stdout=subprocess.DEVNULL, cwd=place, env=harness.environment())
    with open(place / 'data/pg_hba.conf', 'a', encoding='ascii') as file:
        file.write('host all all 0.0.0.0/0 trust\n')
    far.serve(*as_ordinary(programs / 'postgres', '-D', place / 'data', '-h', FAR, '-p', SQL, '-F',
                           '-k', place), cwd=place)


def start_ssh(far, place):
    for name in 'host', 'key':
        subprocess.run(as_ordinary('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f',
                                   place / name), check=True, env=harness.environment())
    (place / 'sshd_config').write_text(SSHD.format(port=SSH, far=FAR, place=place))
    shutil.copy(place / 'key', place / 'own')  # ssh wants it to be its user's alone
    far.serve(*as_ordinary('/usr/sbin/sshd', '-D', '-e', '-f', place / 'sshd_config'))


@functools.cache
def far():
    """The servers of the far side, and where their files are."""
    result = world.World(delay=None)
    # As many refusals as are asked for: the kernel counts those to one host.
    result.run('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; '
               'echo 0 >/proc/sys/net/ipv6/icmp/ratelimit')
    places = {start: open_place(start.__name__) for start in (start_web, start_sql, start_ssh)}
    for start, place in places.items():
        start(result, place)
    result.serve(PYTHON, '-c', UDP_SERVER, UDP)
    result.serve(*quic_server(FAR))
    for port in WEB, SQL, SSH:
        harness.wait_until(lambda port=port: world.is_open(port), f'port {port} is open')
    harness.wait_until(udp_answers, 'datagrams are answered')
    return result, places


@functools.cache
def go_program():
    place = harness.workdir('go')
    shutil.copy(harness.SOURCE / 'tests/integration/programs/fetch.go', place)
    subprocess.run(['go', 'build', '-o', 'fetch', 'fetch.go'], check=True, cwd=place,
                   env=dict(harness.environment(), GOFLAGS='-mod=mod'))
    return place / 'fetch'


@functools.cache
def quic_place():
    """What is served by QUIC, and with which certificate."""
    place = harness.workdir('quic-server')
    (place / 'file').write_bytes(b'x' * 1000000)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', place / 'key', '-out',
                    place / 'certificate', '-subj', '/CN=quic.test'],
                   check=True, stderr=subprocess.DEVNULL, env=harness.environment())
    return place


def quic_server(host):
    place = quic_place()
    return ['/usr/sbin/gtlsserver', '-q', '-d', place, host, QUIC, place / 'key',
            place / 'certificate']


def quic_client(place, host):
    return ['gtlsclient', '-q', '--change-local-addr=10ms', '--exit-on-all-streams-close',
            '--download', place, host, QUIC, 'https://quic.test/file']


def is_bound(port):
    """Is a datagram socket of this network bound to it?"""
    with open('/proc/net/udp', encoding='ascii') as file:
        return any(line.split()[1].endswith(f':{port:04X}') for line in file.readlines()[1:])


@harness.both_modes
class Services(unittest.TestCase):
    def setUp(self):
        self.policy = harness.policy(POLICY)
        self.places = far()[1]

    def says(self, mode, expected, *command, **more):
        """In either network the command succeeds and says this."""
        for network in NETWORKS:
            with self.subTest(network=network):
                result = harness.run(command, mode, self.policy, [f'--net={network}'], **more)
                self.assertEqual(result.returncode, 0, result.stderr.decode(errors='replace'))
                self.assertEqual(result.stdout.decode().splitlines(), expected)

    def test_python(self, mode):
        """python's urllib and http.client"""
        self.says(mode, ['200 100000', 'HEAD 200 False', 'GET 404 True', 'POST 501 True'],
                  PYTHON, '-c', PYTHON_HTTP, FAR, WEB)

    def test_go(self, mode):
        """Go's net: twenty requests at once, a deadline that passes, a host that is unreachable"""
        self.says(mode, ['2000000 true true'], go_program(), FAR, WEB, world.SILENT6, '10.77.1.1')

    def test_postgres(self, mode):
        """psql: a session with tables, two thousand rows and a notification"""
        expected = ['CREATE TABLE', 'INSERT 0 2000', '2001000|2001000', 'LISTEN', 'NOTIFY']
        for network in NETWORKS:
            with self.subTest(network=network):
                result = harness.run(['psql', '-XAt', '-h', FAR, '-p', SQL, '-U', 'tester',
                                      'postgres'], mode, self.policy, [f'--net={network}'],
                                     input=SQL_SCRIPT.encode())
                lines = result.stdout.decode().splitlines()
                self.assertEqual(lines[:5], expected, result.stderr.decode())
                self.assertIn('"word" with payload "said"', lines[5])

    def test_ssh(self, mode):
        """sftp over ssh: a megabyte there and back"""
        place = harness.workdir('sftp')
        (place / 'one').write_bytes(os.urandom(1 << 20))
        there = open_place(f'there-{mode}')
        script = place / 'script'
        key = place / 'key'
        shutil.copy(self.places[start_ssh] / 'own', key)
        key.chmod(0o600)
        for network in NETWORKS:
            script.write_text(f'put {place}/one {there}/{network}-{mode}\n'
                              f'get {there}/{network}-{mode} {place}/{network}\n')
            result = harness.run(
                ['sftp', '-q', '-b', script, '-F', 'none', '-P', SSH, '-i', key, '-o',
                 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o',
                 'IdentityAgent=none', f'nobody@{FAR}'], mode, self.policy, [f'--net={network}'])
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertEqual((place / network).read_bytes(), (place / 'one').read_bytes())

    def test_segments(self, mode):
        """Datagrams that the kernel cuts up (UDP_SEGMENT), by a message's word and by an option"""
        self.says(mode, SEGMENTS_EXPECTED, PYTHON, '-c', SEGMENTS, UDP, FAR, FAR6)

    def test_calls(self, mode):
        """Control messages, error queues, broadcasts and options: each call as natively"""
        policy = harness.policy(
            f'[network]\ndefault = deny ENETUNREACH\nallow bind = tcp {HERE}:*\nallow connect =\n'
            f' tcp {FAR}:* udp 10.77.0.0/24:* udp [{FAR6}]:* udp 239.0.0.0/8:* udp [fe80::/10]:*\n')
        command = [PYTHON, harness.SOURCE / 'tests/integration/programs/network_calls.py', FAR,
                   FAR6, HERE, world.HERE6, UDP, 9999, WEB]
        native = harness.run(command, 'native')
        self.assertEqual(native.returncode, 0, native.stderr.decode())
        for network in NETWORKS:
            result = harness.run(command, mode, policy, [f'--net={network}'])
            self.assertEqual(result.stdout.decode().splitlines(),
                             native.stdout.decode().splitlines(), network)

    def test_options(self, mode):
        """What a socket was told before it leaves its network, it has outside"""
        command = [PYTHON, harness.SOURCE / 'tests/integration/programs/socket_options.py', FAR,
                   FAR6, UDP]
        without = ['setpriv', '--bounding-set=-net_admin'] if os.getuid() == 0 else []
        native = harness.run([*without, *command], 'native').stdout.decode().splitlines()
        self.assertGreater(len(native), 300)
        result = harness.run(command, mode, self.policy, ['--net=broker'])
        self.assertEqual(result.stdout.decode().splitlines(), native, result.stderr.decode())

    def test_quic_client(self, mode):
        """QUIC: a client that cuts up what it sends and moves to another address meanwhile"""
        place = harness.workdir('quic')
        policy = harness.policy(POLICY + f'allow bind = udp {HERE}:*\n')
        client = quic_client(place, FAR)
        # In an empty network it finds no route, which it asks netlink for.
        result = harness.run(client, mode, policy, ['--net=host'])
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual((place / 'file').read_bytes(), b'x' * 1000000)

    def test_quic_server(self, mode):
        """QUIC: a server that is published, and answers by whatever address it was asked"""
        for network in NETWORKS:
            place = harness.workdir('quic')
            command = harness.usher_command(quic_server('0.0.0.0'), mode, harness.policy(
                f'[network]\ndefault = deny\nallow bind = udp *:{QUIC}\n'
                'allow connect = udp 10.77.0.0/24:*\n'), [f'--net={network}'])
            with open(place / 'log', 'wb') as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env=harness.environment())
            try:
                harness.wait_until(lambda process=process: process.poll() is not None or
                                   is_bound(QUIC), 'the server is there')
                far()[0].run(*quic_client(place, HERE))
                self.assertEqual((place / 'file').read_bytes(), b'x' * 1000000,
                                 (place / 'log').read_text())
            finally:
                harness.end(process)

    def test_device(self, mode):
        """Who is bound to a device inside does not get outside"""
        for network, expected in ('host', 0), ('broker', errno.ENETUNREACH):
            result = harness.run([PYTHON, '-c', DEVICE, FAR, UDP], mode, self.policy,
                                 [f'--net={network}'])
            self.assertEqual(int(result.stdout), expected, result.stderr.decode())

    def test_interfaces(self, mode):
        """netlink answers, also to who has capabilities in a user namespace and not beyond"""
        for network, expected in ('host', ['lo', 'here0']), ('broker', ['lo']):
            result = harness.run(
                [PYTHON, '-c', 'import socket\nprint(*(n for _, n in socket.if_nameindex()))'],
                mode, self.policy, [f'--net={network}'])
            self.assertEqual(result.stdout.decode().split(), expected, result.stderr.decode())

    def test_nameserver(self, mode):
        """nsd is published and answers fifty questions, by sendmmsg and over tcp"""
        place = harness.workdir('nsd')
        (place / 'nsd.conf').write_text(NSD.format(here=HERE, port=NAMES, place=place))
        (place / 'zone').write_text(ZONE + ''.join(
            f'host{number} 60 IN A 192.0.2.{number}\n' for number in range(1, 51)))
        names = [f'host{number}.example.test' for number in range(1, 51)]
        for network in NETWORKS:
            command = harness.usher_command(
                ['/usr/sbin/nsd', '-d', '-c', place / 'nsd.conf'], mode, self.policy,
                [f'--net={network}'])
            with open(place / 'log', 'wb') as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env=harness.environment())
            try:
                harness.wait_until(
                    lambda process=process: process.poll() is not None or is_open(), 'nsd listens')
                for how in '+notcp', '+tcp':
                    answer = far()[0].run('dig', '+short', '+tries=1', how, '-p', NAMES,
                                          f'@{HERE}', *names)
                    self.assertEqual(answer.split(), [f'192.0.2.{n}' for n in range(1, 51)],
                                     (place / 'log').read_text())
            finally:
                harness.end(process)


if __name__ == '__main__':
    unittest.main()
