#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What systemd's journal gets: records of decisions with fields of their own and an id that the
message catalogue has. The journal here is a socket of ours, at its place in a mount namespace."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from usherd import IS_ROOT, Daemon  # noqa: E402

JOURNAL = '/run/systemd/journal/socket'
POLICY = ('[files]\ndeny EXDEV all = /etc/hosts\ninject read = /etc/motd -> /etc/hostname\n'
          'audit allow read = /etc/passwd\ndefault = allow\n[network]\ndeny EPERM connect = any\n')
CONNECT = ('import socket\ntry: socket.create_connection(("127.0.0.1", 9))\n'
           'except PermissionError: pass\n')


def parse(datagram):
    """The fields of a datagram of the journal's own protocol."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b'\n')
        name, equals, value = line.partition(b'=')
        if not equals:
            size, = struct.unpack('<Q', rest[:8])
            value, rest = rest[8:8 + size], rest[9 + size:]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def inside():
    """In a mount namespace of our own: a journal, a daemon, a session; all fields as JSON lines."""
    subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True)
    os.makedirs(os.path.dirname(JOURNAL))
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(JOURNAL)
    received = []

    def receive():
        while True:
            received.append(parse(journal.recv(1 << 20)))

    threading.Thread(target=receive, daemon=True).start()
    daemon = Daemon(audit='yes')
    daemon.log_path.touch()
    status = daemon.log_path.stat()
    harness.environment()['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}'
    daemon.write_policy('one', POLICY)
    with daemon:
        daemon.run('cat', '/etc/hosts', '/etc/motd', '/etc/passwd', policy='one')
        daemon.run(sys.executable, '-c', CONNECT, policy='one')
        harness.wait_until(lambda: sum('ended' in fields.get('MESSAGE', '') for fields in received)
                           == 2, 'the sessions have ended')
    for fields in received:
        print(json.dumps(fields))
    print(json.dumps({'log': daemon.log()}))


@unittest.skipUnless(IS_ROOT, 'needs root')
class Journal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run(['unshare', '--mount', '--propagation', 'private', sys.executable,
                               __file__, 'inside'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=200, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        *cls.records, log = map(json.loads, done.stdout.splitlines())
        cls.log = log['log']

    def find(self, **fields):
        found = [record for record in self.records
                 if all(record.get(f'USHER_{name}') == value for name, value in fields.items())]
        self.assertTrue(found, f'{fields} in {self.records}')
        return found[0]

    def test_denial(self):
        """a denial has its verdict, session, policy, call, path, errno and rule as fields"""
        record = self.find(VERDICT='deny', PATH='/etc/hosts')
        expected = {'SYSLOG_IDENTIFIER': 'usherd', 'PRIORITY': '5', 'USHER_SESSION': '1',
                    'USHER_POLICY': 'one', 'USHER_CALL': 'openat', 'USHER_OPERATION': 'read',
                    'USHER_ERRNO': 'EXDEV', 'USHER_ASKED': '/etc/hosts'}
        self.assertEqual({name: record.get(name) for name in expected}, expected)
        self.assertRegex(record['USHER_RULE'], r'/one\.ini:2$')
        self.assertRegex(record['MESSAGE'], r'^session 1: deny openat read /etc/hosts: EXDEV \[')

    def test_others(self):
        """an injection, an audited allowance and a denied address have theirs"""
        self.assertEqual(self.find(VERDICT='inject')['USHER_PATH'], '/etc/motd')
        self.assertEqual(self.find(VERDICT='allow')['USHER_PATH'], '/etc/passwd')
        record = self.find(VERDICT='deny', OPERATION='connect')
        self.assertEqual(record['USHER_ADDRESS'], 'tcp 127.0.0.1:9')
        self.assertNotIn('USHER_PATH', record)
        self.assertEqual(record['USHER_ERRNO'], 'EPERM')

    def test_sessions(self):
        """a session's begin and end are messages of it"""
        texts = [record['MESSAGE'] for record in self.records
                 if record.get('USHER_SESSION') == '1' and 'USHER_VERDICT' not in record]
        self.assertRegex(texts[0], r'^session 1: policy one, uid 0')
        self.assertRegex(texts[-1], r'^session 1: ended: ')

    def test_once(self):
        """what the journal has got is not written to standard error again; the rest is, with its level"""
        self.assertNotIn('EXDEV', self.log)
        self.assertRegex(self.log, r'(?m)^<5>serves ')

    def test_catalogue(self):
        """each message's id is in the catalogue, and the catalogue has no other"""
        text = (harness.SOURCE / 'systemd/usherd.catalog').read_text()
        entries = re.findall(r'(?m)^-- ([0-9a-f]{32})$', text)
        source = (harness.SOURCE / 'daemon/journal_record.c').read_text()
        self.assertEqual(sorted(entries), sorted(re.findall(r'"([0-9a-f]{32})"', source)))
        self.assertTrue({record['MESSAGE_ID'] for record in self.records} <= set(entries))
        fields = set(re.findall(r'@(\w+)@', text))
        known = set(re.findall(r'\b(USHER_\w+)[="]', source))
        self.assertTrue(fields <= known, fields - known)


if __name__ == '__main__':
    if sys.argv[1:] == ['inside']:
        inside()
    else:
        unittest.main()
