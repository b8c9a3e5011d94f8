# SPDX-License-Identifier: Apache-2.0
"""Rules that name hosts: what a program may ask for, where it gets by the answers, and that it gets
nowhere else. In a network of the test's own, with a nameserver of its own (nameserver.py).
"""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

import nameserver

if not nameserver.missing():
    nameserver.enter()

import harness  # noqa: E402 (after the new start, so that what it makes is made once)
from askers import OTHERS, PRELUDE, ZONE, go_program, python  # noqa: E402

POLICY = """
[network]
default = deny ENETUNREACH
allow connect = tcp *.test.example:443 tcp web.test.example:80
allow connect = tcp local.host.example:80 tcp *.alias.example:443
allow bind = udp *:* tcp *:*
"""


@harness.both_modes
@unittest.skipIf(nameserver.missing(), f'there is no {nameserver.missing()}')
class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hosts = nameserver.set_up()
        cls.server = nameserver.Nameserver(ZONE, OTHERS)
        nameserver.Greeter(443), nameserver.Greeter(80)
        cls.policy = harness.policy(POLICY)

    def test_connects_by_name(self, mode):
        """What a rule's name leads to can be reached, by both families, and nothing beside it"""
        self.assertEqual(python("""
print(connect('198.51.100.1'))
print(resolve('WWW.Test.Example.'))
print(connect('198.51.100.1'), connect('2001:db8::1'), connect('::ffff:198.51.100.1'))
print(connect('198.51.100.1', 80), connect('198.51.100.2'), connect('2001:db8::2'))
""", mode, self.policy), ['ENETUNREACH', '198.51.100.1 2001:db8::1',
                          '198.51.100.1 2001:db8::1 198.51.100.1', 'ENETUNREACH ENETUNREACH ENETUNREACH'])

    def test_asks_for_allowed_names_only(self, mode):
        """A name that no rule allows is unknown, is asked of nobody, and is in the log"""
        log = harness.workdir('log') / 'log'
        name = f'secret-{mode}.other.example'
        self.assertEqual(python("""
print(resolve(sys.argv[2]), resolve('www.test.example', socket.AF_INET))
""", mode, self.policy, name, ), ['unknown 198.51.100.1'])
        self.assertFalse(self.server.was_asked(name))
        self.assertTrue(self.server.was_asked('www.test.example'))
        process = self.talk("""
print(resolve(sys.argv[2], socket.AF_INET), flush=True)
sys.stdin.readline()
""", mode, name, options=['--log', log])[0]
        harness.wait_until(lambda: '"dns"' in log.read_text(), 'the question is in the log')
        process.communicate('\n')
        record = next(each for each in map(json.loads, log.read_text().splitlines())
                      if each['call'] == 'dns')
        self.assertEqual((record['verdict'], record['asked'], record['resolved'],
                          record['program']), ('deny', f'{name} A', 'NXDOMAIN', 'python3'))

    def test_judges_by_aliases(self, mode):
        """A chain of aliases leads where its end is, and each of its names counts"""
        other = harness.policy("""
[network]
deny connect = tcp 4.chain.example:443
allow connect = tcp *.test.example:443
""")
        self.assertEqual(python("""
print(resolve('chain.test.example'), connect('198.51.100.2'), resolve('0.chain.example'))
print(resolve('round.test.example'))
""", mode, self.policy), ['198.51.100.2 198.51.100.2 unknown', 'again'])
        self.assertEqual(python("print(resolve('chain.test.example'), connect('198.51.100.2'))",
                                mode, other), ['198.51.100.2 ECONNREFUSED'])

    def test_does_not_lead_to_this_machine(self, mode):
        """A name that leads to loopback or link-local addresses opens nothing there; hosts(5) may"""
        self.assertEqual(python("""
print(resolve('rebound.test.example', socket.AF_INET))
print(connect('127.0.0.1'), connect('::1'), connect('169.254.169.254'))
print(resolve('local.host.example', socket.AF_INET), connect('127.0.0.1', 80), connect('127.0.0.1', 8))
print(resolve('written.test.example', socket.AF_INET), connect('198.51.100.3'))
""", mode, self.policy), ['127.0.0.1 169.254.169.254', 'ENETUNREACH ENETUNREACH ENETUNREACH',
                          '127.0.0.1 127.0.0.1 ENETUNREACH', '198.51.100.3 198.51.100.3'])
        self.assertFalse(self.server.was_asked('written.test.example'))

    def test_answers_whoever_is_asked(self, mode):
        """Any server that a program asks is the broker, and has the address that was asked"""
        self.assertEqual(python("""
query = bytes.fromhex(sys.argv[2])
for server in ('9.9.9.9', '127.0.0.53', SERVER):
    with socket.socket(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 99999)
        before = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        s.bind(('', 0))
        port = s.getsockname()[1]
        s.connect((server, 53))
        s.send(query)
        select.select([s], [], [], 10)
        answer, sender = s.recvfrom(1000)
        print(sender == s.getpeername() == (server, 53), code(answer), os.get_blocking(s.fileno()),
              port == s.getsockname()[1], os.get_inheritable(s.fileno()),
              before == s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
print(code(ask(query, '8.8.8.8', stream=True)))
""", mode, self.policy, nameserver.question('www.test.example').hex()),
                         ['True (0, 1) False True False True'] * 3 + ['(0, 1)'])

    def test_answers_without_connecting(self, mode):
        """A socket that asks by single messages is answered by whom it has asked, and goes on"""
        self.assertEqual(python("""
query = bytes.fromhex(sys.argv[2])
with socket.socket(type=socket.SOCK_DGRAM) as s, select.epoll() as watch:
    s.bind(('', 0))
    watch.register(s, select.EPOLLIN)
    for server in ('9.9.9.9', SERVER):
        s.sendto(query, (server, 53))
        print(watch.poll(10) == [(s.fileno(), select.EPOLLIN)], end=' ')
        answer, sender = s.recvfrom(1000)
        print(sender == (server, 53), code(answer))
    s.sendmsg([query[:9], query[9:]], [], 0, ('1.1.1.1', 53))
    print(s.recvfrom(1000)[1])
    # And then to somebody else: by a socket of the program's own network again.
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        other.settimeout(10)
        s.sendto(b'hello', other.getsockname())
        print(other.recv(10).decode())
    try:
        s.sendto(b'hello', ('198.51.100.3', 9))
    except OSError as error:
        print(errno.errorcode[error.errno])
""", mode, harness.policy(POLICY + 'allow connect = udp 127.0.0.1:*\n'),
                                nameserver.question('www.test.example').hex()),
                         ['True True (0, 1)'] * 2 + ["('1.1.1.1', 53)", 'hello', 'ENETUNREACH'])

    def test_sends_nothing_by_itself(self, mode):
        """A socket that is bound to a group's address leads nowhere by asking for names"""
        group, local = socket.inet_aton('239.1.1.1'), socket.inet_aton('127.0.0.1')
        with socket.socket(type=socket.SOCK_DGRAM) as member:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            member.bind(('', 0))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + local)
            member.settimeout(10)
            port = str(member.getsockname()[1])
            send = """
query, port = bytes.fromhex(sys.argv[2]), int(sys.argv[3])
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('127.0.0.1'))
    s.bind(('239.1.1.1', port))
    s.sendto(query, ('9.9.9.9', 53))
    try:
        s.sendto(b'hello', ('239.1.1.1', port))
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
            query = nameserver.question('www.test.example').hex()
            self.assertEqual(python(send, mode, self.policy, query, port), ['ENETUNREACH'])
            with socket.socket(type=socket.SOCK_DGRAM) as control:
                control.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
                control.sendto(b'control', ('239.1.1.1', int(port)))
            self.assertEqual(member.recv(100), b'control')

    def test_answers_what_programs_need(self, mode):
        """Types of no use are empty or refused; addresses have names if they are known"""
        kinds = {'TXT': 16, 'HTTPS': 65, 'NS': 2, 'ANY': 255, 'AXFR': 252}
        questions = {kind: nameserver.question('www.test.example', number).hex()
                     for kind, number in kinds.items()}
        questions['PTR'] = nameserver.question('1.100.51.198.in-addr.arpa', 12).hex()
        questions['PTR of nobody'] = nameserver.question('9.100.51.198.in-addr.arpa', 12).hex()
        self.assertEqual(python("""
import json
resolve('www.test.example')
for kind, text in json.loads(sys.argv[2]).items():
    print(kind, *code(ask(bytes.fromhex(text))))
print(socket.gethostbyaddr('198.51.100.1')[0])
""", mode, self.policy, json.dumps(questions)),
                         ['TXT 0 0', 'HTTPS 0 0', 'NS 0 0', 'ANY 5 0', 'AXFR 5 0', 'PTR 0 1',
                          'PTR of nobody 3 0', 'www.test.example'])
        self.assertFalse(self.server.was_asked('1.100.51.198.in-addr.arpa'))

    def test_services(self, mode):
        """MX, SRV and TXT are answered of names that a rule allows, and open nothing by themselves"""
        questions = [['MX', 'mail.test.example'], ['SRV', '_xmpp._tcp.test.example'],
                     ['TXT', 'mail.test.example'], ['MX', 'other.example'],
                     ['SRV', '_secret._tcp.other.example'], ['A', 'www.other.example']]
        script = '; '.join(f'dig +short +tries=1 {kind} {name}' for kind, name in questions)
        result = harness.run(['sh', '-c', script], mode, self.policy)
        self.assertEqual(result.stdout.decode().splitlines(),
                         ['10 www.test.example.', '20 www.other.example.',
                          '1 2 5222 www.test.example.', '"v=spf1 -all" "second"'], result.stderr)
        for name in 'other.example', '_secret._tcp.other.example', 'www.other.example':
            self.assertFalse(self.server.was_asked(name), name)

    def test_takes_large_answers_by_stream(self, mode):
        """An answer that is too large for a datagram comes by TCP, in and out"""
        self.assertEqual(python("print(len(resolve('many.test.example').split()))",
                                mode, self.policy), ['60'])

    def test_survives_bad_questions(self, mode):
        """What is no question has no answer or a refusal, and harms nobody"""
        bad = [b'', b'x', bytes(11), bytes(12), os.urandom(500), bytes(2000),
               nameserver.question('www.test.example')[:-3],
               nameserver.question(b'\xc0\x0c'), nameserver.question(b'\x3fa' + bytes(70)),
               b'\0\7\x80\0\0\1' + bytes(6) + b'\0\0\1\0\1']
        odd = [b'\4www\0\4test\7example\0', b'\3a.b\4test\7example\0', b'\3a\\b\4test\7example\0',
               b'\1 \4test\7example\0', b'\3\xc3\xa9x\4test\7example\0', b'\0']
        self.assertEqual(python("""
bad, odd = ([bytes.fromhex(each) for each in word.split(',')] for word in sys.argv[2:4])
for stream in (False, True):
    for message in bad:
        with socket.socket(type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as s:
            s.connect((SERVER, 53))
            s.sendall(message)
print(*(code(ask(message)) for message in odd))
print(resolve('www.test.example', socket.AF_INET))
""", mode, self.policy, ','.join(each.hex() for each in bad),
                                ','.join(nameserver.question(each).hex() for each in odd)),
                         [' '.join(['(3, 0)'] * len(odd)), '198.51.100.1'])

    def test_answers_many_at_once(self, mode):
        """Many questions at the same time, one of them to a server that says nothing"""
        self.assertEqual(python("""
results = {}
def one(name):
    results[name] = resolve(name, socket.AF_INET)
names = [f'n{i}.test.example' for i in range(100)] + ['silent.test.example']
threads = [threading.Thread(target=one, args=[name]) for name in names]
begin = time.monotonic()
[thread.start() for thread in threads]
[thread.join() for thread in threads[:-1]]
print(sum(result == '198.51.100.1' for result in results.values()))
threads[-1].join()
print(results['silent.test.example'], time.monotonic() - begin < 30)
""", mode, self.policy), ['100', 'again True'])

    def test_sessions_know_nothing_of_each_other(self, mode):
        """What one session has asked for is not known in another"""
        program = "print(resolve('asked.alias.example')); print(connect('198.51.100.2'))"
        self.assertEqual(python(program, mode, self.policy), ['198.51.100.2', '198.51.100.2'])
        self.assertEqual(python("print(connect('198.51.100.2'))", mode, self.policy),
                         ['ENETUNREACH'])

    def talk(self, text, mode, *arguments, options=()):
        """A program that says a line and goes on when it gets one; ended with the test."""
        with open(harness.scratch() / 'talk.log', 'ab') as log:
            process = subprocess.Popen(
                harness.usher_command(['/usr/bin/python3', '-I', '-S', '-c', PRELUDE + text,
                                       nameserver.SERVER, *arguments], mode, self.policy,
                                      options),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=harness.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_takes_no_answers_of_others(self, mode):
        """Who sends from the nameserver's address to a program's port does not reach it"""
        process, port = self.talk("""
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.connect((SERVER, 53))
    s.send(bytes.fromhex(sys.argv[2]))
    print(s.getsockname()[1], flush=True)
    sys.stdin.readline()
    s.settimeout(0.3)
    try:
        print(s.recv(100))
    except TimeoutError:
        print('nothing')
""", mode, nameserver.question('silent.test.example').hex())
        with socket.socket(type=socket.SOCK_DGRAM) as forger:
            forger.bind((nameserver.SERVER, 0))
            for host in ('127.0.0.1', nameserver.SERVER):
                forger.sendto(b'forged', (host, int(port)))
        self.assertEqual(process.communicate('\n', timeout=harness.SECONDS)[0], 'nothing\n')

    def test_remembers_when_the_broker_dies(self, mode):
        """Another broker knows what the last one has answered, and answers in its place"""
        process, first = self.talk("""
print(resolve('www.test.example', socket.AF_INET), flush=True)
sys.stdin.readline()
print(connect('198.51.100.1'), connect('198.51.100.2'))
print(resolve('web.test.example'), connect('198.51.100.2', 80))
""", mode)
        os.kill(self.broker_of(process, mode), signal.SIGKILL)
        rest = process.communicate('\n', timeout=harness.SECONDS)[0]
        self.assertEqual([first, *rest.splitlines()],
                         ['198.51.100.1', '198.51.100.1 ENETUNREACH', '198.51.100.2 198.51.100.2'])

    def broker_of(self, process, mode):
        """The youngest that descends from whoever serves."""
        generation, brokers = [harness.daemon().pid if mode == 'daemon' else process.pid], []
        while generation:
            found = subprocess.run(['ps', '-o', 'pid=,comm=', '--ppid',
                                    ','.join(map(str, generation))], capture_output=True,
                                   check=False, text=True).stdout.split()
            generation = [int(pid) for pid in found[::2]]
            brokers += [pid for pid, name in zip(generation, found[1::2]) if name == 'usher-broker']
        return max(brokers)

    def test_works_without_a_network(self, mode):
        """Names lead somewhere in a session that has no network, and lead out nowhere"""
        policy = harness.policy('[policy]\nnet = none\n' + POLICY)
        self.assertEqual(python("""
print(resolve('www.test.example', socket.AF_INET), resolve('secret.other.example'))
print(connect('198.51.100.1'))
""", mode, policy), ['198.51.100.1 unknown', 'ENETUNREACH'])

    def test_leads_out_of_a_network(self, mode):
        """What a name leads to is reached from a network of one's own, and nothing else of outside"""
        policy = harness.policy('[policy]\nnet = broker\n' + POLICY)
        self.assertEqual(python("""
print(connect('198.51.100.1'), resolve('www.test.example'), resolve('secret.other.example'))
print(connect('198.51.100.1'), connect('2001:db8::1'), connect('198.51.100.2'))
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.sendto(bytes.fromhex(sys.argv[2]), ('9.9.9.9', 53))
    print(s.recvfrom(1000)[1])
""", mode, policy, nameserver.question('www.test.example').hex()),
                         ['ENETUNREACH 198.51.100.1 2001:db8::1 unknown',
                          '198.51.100.1 2001:db8::1 ENETUNREACH', "('9.9.9.9', 53)"])

    def test_dig(self, mode):
        """dig is answered by whatever server it names, by UDP and TCP, and told no more than others"""
        questions = [['@9.9.9.9', 'www.test.example'], ['+tcp', '@2001:db8::53', 'web.test.example'],
                     ['@192.0.2.53', '+noedns', '-t', 'AAAA', 'www.test.example'],
                     ['-t', 'TXT', 'secret.other.example'], ['-x', '198.51.100.1']]
        script = '; '.join('dig +short +tries=1 ' + ' '.join(each) for each in questions)
        result = harness.run(['sh', '-c', script], mode, self.policy)
        self.assertEqual(result.stdout.decode().split(),
                         ['198.51.100.1', '198.51.100.2', '2001:db8::1', 'www.test.example.'],
                         result.stderr)
        self.assertFalse(self.server.was_asked('secret.other.example'))

    def test_go(self, mode):
        """A Go program, which asks by itself from many threads, finds what it may"""
        if 'USHER_TEST_AGAIN' in os.environ:
            self.skipTest('Go takes its time to build')
        program = go_program()
        names = ['www.test.example', 'web.test.example', 'chain.test.example',
                 'secret.other.example', *(f'n{i}.test.example' for i in range(50))]
        result = harness.run([program, *names], mode, self.policy)
        found = result.stdout.decode().splitlines()
        self.assertEqual(found[:4], ['198.51.100.1 2001:db8::1', '198.51.100.2', '198.51.100.2',
                                     'no such host'], result.stderr)
        self.assertEqual(found[4:], ['198.51.100.1'] * 50)

    def test_real_programs(self, mode):
        """curl, getent and node find what they may, and nothing else"""
        policy = harness.policy(POLICY)
        program = """
require('dns').lookup('web.test.example', (error, address) => {
    require('http').get('http://web.test.example/', (response) =>
        response.on('data', (data) => process.stdout.write(address + ' ' + data + '\\n')));
});
new (require('dns').Resolver)().resolve4('www.test.example', (error, addresses) =>
    console.log(String(addresses)));
require('dns').lookup('secret.other.example', (error) => console.log(error.code));
"""
        commands = [['curl', '-sS', 'http://web.test.example/'],
                    ['curl', '-sS', '--max-time', '20', 'http://secret.other.example/'],
                    ['getent', 'ahostsv6', 'www.test.example'], ['node', '-e', program]]
        results = [harness.run(command, mode, policy) for command in commands]
        self.assertEqual(results[0].stdout, b'::ffff:198.51.100.2', results[0].stderr)
        self.assertEqual(results[1].returncode, 6, results[1].stderr)
        self.assertIn(b'2001:db8::1', results[2].stdout)
        self.assertEqual(sorted(results[3].stdout.decode().split()),
                         ['198.51.100.1', '198.51.100.2', '::ffff:198.51.100.2', 'ENOTFOUND'],
                         results[3].stderr)


    def test_fetch(self, mode):
        """fetch: downloads from hosts that it names, from no other, and from nowhere inside"""
        place = harness.workdir('fetch')
        for host, status in (('ftp.gnu.org', 0), ('web.test.example', 6), ('inside.gnu.org', 7),
                             ('198.51.100.2', 0), ('198.51.100.3', 7)):
            with self.subTest(host=host):
                urls = [f'http://{host}/'] if host != '198.51.100.2' else \
                    ['http://ftp.gnu.org/', f'http://{host}/']
                result = harness.run(['curl', '-sS', *urls, '-o', 'page', '-o', 'page2'], mode,
                                     'fetch', cwd=place)
                self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual((place / 'page').read_text(), '::ffff:198.51.100.2')


class Refusals(unittest.TestCase):
    @unittest.skipIf(nameserver.missing(), f'there is no {nameserver.missing()}')
    def test_tells_what_it_needs(self):
        """Where no namespace can be had a session is refused, and is told what to do"""
        policy = harness.policy(POLICY)
        result = harness.run(
            ['unshare', '--map-root-user', 'sh', '-c',
             'echo 0 >/proc/sys/user/max_user_namespaces; '
             'echo 0 >/proc/sys/user/max_net_namespaces; exec "$@"', 'sh',
             *harness.usher_command(['true'], 'embedded', policy)], 'native')
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'the policy names hosts', result.stderr)
        self.assertIn(b'allow user namespaces', result.stderr)
