# SPDX-License-Identifier: Apache-2.0
"""`usher explain`: each answer is held against what really happens to a program that asks.

The policies and paths are drawn by chance, with a seed that is told where one fails.
"""

import json
import random
import re
import unittest

import harness

QUESTIONS = 60

# Does what each line of standard input says, and prints its errno or 'ok' for each.
ASK = r"""
import ctypes, errno, json, os, socket, sys

libc = ctypes.CDLL(None, use_errno=True)


def called(nr, *args):
    if libc.syscall(nr, *args) == -1:
        raise OSError(ctypes.get_errno(), '')


def connected(host, port):
    with socket.socket() as one:
        one.connect((host, port))


ways = {
    'open -r': lambda path: os.close(os.open(path, os.O_RDONLY)),
    'open -w': lambda path: os.close(os.open(path, os.O_WRONLY)),
    'open -rw': lambda path: os.close(os.open(path, os.O_RDWR)),
    'open -c': lambda path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)),
    'create': os.mkdir,
    'remove': os.unlink,
    'metadata': lambda path: os.chmod(path, 0o600),
    'stat': os.stat,
    'socket': lambda *numbers: socket.socket(*numbers).close(),
    'connect': connected,
    'syscall': called,
}
for way, arguments in json.load(sys.stdin):
    try:
        ways[way](*arguments)
        print('ok')
    except OSError as error:
        print(errno.errorcode[error.errno])
"""

WAYS = ['open -r', 'open -w', 'open -rw', 'open -c', 'create', 'remove', 'metadata', 'stat']
MAKING = ['open -c', 'create']


def happens(mode, policy, asked):
    """What becomes of each of [way, arguments]."""
    result = harness.run(['/usr/bin/python3', '-I', '-S', '-c', ASK], mode, policy,
                         input=json.dumps(asked).encode())
    return result.stdout.decode().split() if result.returncode == 0 else result.stderr


def explained(policy, *question):
    result = harness.usher('explain', '--json', '--policy', policy, *question)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def outcome(answer):
    return answer['errno'] if answer['verdict'] == 'deny' else 'ok'


def draw_policy(chance, tree):
    """Some rules about the tree; what lies outside is allowed."""
    patterns = ['a/**', 'b/**', '*/x*', '?/y*.txt', 'b/*.log', '[ac]/z*', '**/*.txt', 'c/x?.log']
    words = ['read', 'write', 'create', 'remove', 'metadata', 'stat']
    lines = ['[files]', 'default = allow']
    for pattern in chance.choices(patterns, k=8):
        action = chance.choice(['allow', 'deny', 'deny ENOENT', 'deny EPERM', 'deny EROFS'])
        operations = ' '.join(chance.sample(words, chance.randint(1, 4)))
        lines.append(f'{action} {operations} = {tree}/{pattern}')
    if chance.random() < 0.5:
        lines.append(f'deny EBUSY {chance.choice(words)} = {tree}/**')
    return '\n'.join(lines) + '\n'


def draw_questions(chance, tree):
    """[way, path], each path for one question only and as the way needs it."""
    questions = []
    for i in range(QUESTIONS):
        way = chance.choice(WAYS)
        name = f'{chance.choice("xyz")}{i}.{chance.choice(["txt", "log"])}'
        path = tree / chance.choice('abc') / name
        if way not in MAKING:
            path.write_text('x')
            path.chmod(0o644)
        questions.append((way, path))
    return questions


def has_happened(way, path):
    """True if something was done that is only done where it is allowed."""
    if way in MAKING:
        return path.exists()
    if way == 'remove':
        return not path.exists()
    if way == 'metadata':
        return path.stat().st_mode & 0o777 == 0o600
    return None


@harness.both_modes
class Truth(unittest.TestCase):
    def compare(self, seed, mode):
        chance = random.Random(seed)
        tree = harness.workdir('explain')
        for name in 'abc':
            (tree / name).mkdir()
        policy = harness.policy(draw_policy(chance, tree))
        questions = draw_questions(chance, tree)
        answers = [explained(policy, *way.split(), str(path)) for way, path in questions]
        really = happens(mode, policy, [[way, [str(path)]] for way, path in questions])
        self.assertEqual(len(really), QUESTIONS, really)
        for (way, path), answer, real in zip(questions, answers, really):
            with self.subTest(seed=seed, way=way, path=str(path), rule=answer['rule']):
                self.assertEqual(real, outcome(answer))
                self.assertIn(has_happened(way, path), (None, real == 'ok'))
        return sum(real != 'ok' for real in really)

    def test_files(self, mode):
        """Some hundred questions about files, and what became of each."""
        denied = sum(self.compare(seed, mode) for seed in range(1, 6))
        self.assertGreater(denied, QUESTIONS)
        self.assertLess(denied, 4 * QUESTIONS)

    def test_sockets(self, mode):
        """Sockets of some families and types."""
        policy = harness.policy('[sockets]\ndefault = deny EAFNOSUPPORT\nallow = unix inet/stream\n'
                                'deny EPERM = inet/dgram\ndeny EACCES = inet6/stream\n')
        names = [('unix/stream', 1, 1), ('unix/dgram', 1, 2), ('inet/stream', 2, 1),
                 ('inet/dgram', 2, 2), ('inet6/stream', 10, 1), ('inet6/dgram', 10, 2),
                 ('netlink/raw', 16, 3)]
        really = happens(mode, policy, [['socket', numbers] for _, *numbers in names])
        said = [explained(policy, 'socket', name) for name, *_ in names]
        self.assertEqual(really, [outcome(answer) for answer in said])
        self.assertEqual({answer['enforced']['socket'] for answer in said},
                         {'filter-allow', 'filter-deny'})

    def test_connections(self, mode):
        """Connections: a denial is its errno; what is allowed meets the kernel's own answer."""
        policy = harness.policy('[network]\ndefault = deny ENETUNREACH\n'
                                'deny EACCES connect = tcp 127.0.0.2:*\n'
                                'allow connect = tcp 127.0.0.0/8:1-9\n')
        asked = [('127.0.0.1', 9), ('127.0.0.1', 10), ('127.0.0.2', 9), ('127.9.9.9', 1)]
        really = happens(mode, policy, [['connect', address] for address in asked])
        for (host, port), real in zip(asked, really):
            answer = explained(policy, 'connect', 'tcp', f'{host}:{port}')
            expected = answer['errno'] if answer['verdict'] == 'deny' else 'ECONNREFUSED'
            self.assertEqual((host, port, real), (host, port, expected))
            self.assertEqual(answer['enforced'], {'connect': 'broker'})

    def test_calls(self, mode):
        """System calls, by rules and by what usher refuses of its own."""
        policy = harness.policy('[files]\ndefault = allow\ndeny read = /nowhere\n[syscalls]\n'
                                'default = allow\ndeny ERANGE = getpriority(arg0 == 1)\n'
                                'deny EDOM = sethostname\n')
        asked = [('getpriority', 140, 0, 0), ('getpriority(arg0 == 1)', 140, 1, 0),
                 ('sethostname', 170, 0, 0), ('io_uring_setup', 425, 0, 0),
                 ('getppid', 110)]
        really = happens(mode, policy, [['syscall', numbers] for _, *numbers in asked])
        said = [explained(policy, 'syscall', name) for name, *_ in asked]
        self.assertEqual(really, [outcome(answer) for answer in said])
        self.assertEqual(really, ['ok', 'ERANGE', 'EDOM', 'ENOSYS', 'ok'])
        self.assertIsNone(said[3]['rule'])
        self.assertEqual(said[1]['rule']['line'], 6)


class Words(unittest.TestCase):
    POLICY = '[files]\ndefault = allow\ndeny EPERM write = /etc/passwd\n'

    def ask(self, *question):
        result = harness.usher('explain', '--policy', harness.policy(self.POLICY), *question)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_rule_and_mechanism(self):
        """The rule's place, and who enforces it; the filter where nothing needs to be asked."""
        text = self.ask('open', '-w', '/etc/passwd')
        self.assertIn('open for write: /etc/passwd\n  verdict   deny EPERM\n', text)
        self.assertRegex(text, r'rule      .*\.ini:3: deny EPERM write = /etc/passwd\n')
        self.assertRegex(text, r'enforced  broker: openat open')
        text = self.ask('open', '-r', '/etc/passwd')
        self.assertIn('verdict   allow', text)
        self.assertRegex(text, r'filter, allowed unasked: openat open')

    def test_resolved(self):
        """A path is asked about as it is resolved, from the current directory."""
        place = harness.workdir('resolve')
        (place / 'link').symlink_to('/etc')
        result = harness.usher('explain', '--policy', harness.policy(self.POLICY), 'open', '-w',
                               'link/passwd', cwd=place)
        self.assertIn('open for write: /etc/passwd\n  verdict   deny EPERM', result.stdout)

    def test_landlock(self):
        """Executing is Landlock's: so it is said."""
        policy = harness.policy('[files]\ndefault = allow\nallow execute = /usr/**\n'
                                'deny execute = /**\n')
        for path, verdict in ('/usr/bin/true', 'allow'), ('/etc/passwd', 'deny EACCES'):
            result = harness.usher('explain', '--policy', policy, 'exec', path)
            self.assertIn(f'verdict   {verdict}\n', result.stdout, result.stderr)
            self.assertTrue(re.search('enforced.*Landlock', result.stdout), result.stdout)

    def test_addresses(self):
        """What is sent and what is bound are asked about as such."""
        policy = harness.policy('[network]\ndeny bind = tcp *:80\nallow bind = any\n'
                                'deny EPERM connect = udp *:53\ndefault = allow\n')
        for words, verdict, call in (
                (('bind', 'tcp', '127.0.0.1:80'), 'deny EACCES', 'bind'),
                (('bind', 'tcp', '127.0.0.1:81'), 'allow', 'bind'),
                (('connect', 'tcp', '127.0.0.1:80'), 'allow', 'connect'),
                (('send', 'udp', '127.0.0.1:53'), 'deny EPERM', 'sendto sendmsg sendmmsg')):
            text = harness.usher('explain', '--policy', policy, *words).stdout
            self.assertIn(f'verdict   {verdict}\n', text)
            self.assertIn(f'broker: {call}\n', text)

    def test_reached(self):
        """What no socket can reach is told so, though it is allowed."""
        policy = harness.policy('[network]\ndeny connect = tcp *:81\ndefault = allow\n'
                                '[sockets]\nallow = unix inet6/dgram\n')
        for words, reached in ((('connect', 'tcp', '127.0.0.1:80'), False),
                               (('connect', 'tcp', '127.0.0.1:81'), None),
                               (('connect', 'udp', '127.0.0.1:80'), True),
                               (('connect', 'unix', '/run/a'), True)):
            text = harness.usher('explain', '--policy', policy, *words).stdout
            self.assertEqual('[sockets] lets no such socket through' in text, reached is False)
            self.assertEqual(explained(policy, *words)['reached'], bool(reached))

    def test_account(self):
        """A call by name is told what it is to any policy."""
        for name, said in [('openat', 'mediated where a policy speaks of it: it takes a path'),
                           ('bpf', 'refused'), ('chroot', 'watched'), ('bind', 'mediated where a policy speaks of it: it takes an address'),
                           ('read', 'never mediated: it works on descriptors')]:
            self.assertIn(f'  call      {said}', self.ask('syscall', name))

    def test_mistakes(self):
        """A mistake in question, policy or command line: 2, and a word about it."""
        policy = harness.policy(self.POLICY)
        wrong = harness.policy('[files]\nallow raed = /x\n')
        for words, said in [
                (['--policy', policy, 'opn', '/x'], 'opn: not a question'),
                (['--policy', policy, 'open'], 'one PATH is expected'),
                (['--policy', policy, 'socket', 'inte/stream'], "did you mean 'inet'?"),
                (['--policy', policy, 'connect', 'tcp', '1.2.3.4'], '1.2.3.4'),
                (['--policy', policy, 'syscall', 'opennat'], "did you mean 'openat'?"),
                (['--policy', wrong, 'open', '/x'], "did you mean 'read'?"),
                (['--policy', 'no-such-policy', 'open', '/x'], 'no-such-policy'),
                (['open', '/x'], "no --policy is named\n'usher explain --help' tells")]:
            result = harness.usher('explain', *words)
            self.assertEqual((words, result.returncode), (words, 2))
            self.assertIn(said, result.stderr)
        self.assertEqual(harness.usher('explain', '--help').returncode, 0)


if __name__ == '__main__':
    unittest.main()
