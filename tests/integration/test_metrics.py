#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What usherd counts, as Prometheus' text format: `usher metrics`, and the socket for it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from usherd import Daemon, running, workdir  # noqa: E402

SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse_metrics(text):
    """The samples of Prometheus' text format by name and labels; what is malformed raises."""
    types, helps, samples = {}, set(), {}
    for line in text.split('\n')[:-1]:
        if line.startswith('# HELP '):
            helps.add(line.split(' ', 3)[2])
            continue
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            assert name not in types and kind in ('counter', 'gauge', 'histogram'), line
            types[name] = kind
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        family = re.sub(r'_(bucket|sum|count)$', '', name)
        family = family if types.get(family) == 'histogram' else name
        assert family in types and family in helps, line
        assert types[family] != 'counter' or name.endswith('_total'), line
        pairs = LABEL.findall(labels or '')
        assert LABEL.sub('', labels or '') == '', line
        key = (name, tuple(pairs))
        assert key not in samples, line
        samples[key] = float(value)
    assert text.endswith('\n')
    return samples


class Metrics(unittest.TestCase):
    def metrics(self, daemon):
        return parse_metrics(harness.usher('metrics', '--socket', daemon.socket).stdout)

    def count(self, samples, call, verdict):
        return samples.get(('usher_notifications_total', (('call', call), ('verdict', verdict))), 0)

    def test_metrics(self):
        """metrics are well-formed and count what happened, also what ended sessions have counted"""
        with Daemon() as daemon:
            daemon.write_policy('one', '[files]\ndeny EXDEV all = /etc/hosts\n'
                                       'inject read = /etc/motd -> /etc/hostname\n'
                                       'default = allow\n')
            daemon.run('cat', '/etc/hosts', policy='one')
            daemon.run('cat', '/etc/motd', policy='one')
            daemon.wait_for_sessions(0)
            samples = self.metrics(daemon)
            self.assertEqual(self.count(samples, 'openat', 'deny'), 1)
            self.assertEqual(self.count(samples, 'openat', 'inject'), 1)
            self.assertGreater(self.count(samples, 'openat', 'allow'), 4)
            self.assertEqual(samples['usher_sessions_started_total', ()], 2)
            self.assertEqual(samples['usher_broker_starts_total', ()], 2)
            buckets = [value for (name, _), value in samples.items()
                       if name == 'usher_answer_seconds_bucket']
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(buckets[-1], samples['usher_answer_seconds_count', ()])
            everything = sum(value for (name, _), value in samples.items()
                             if name == 'usher_notifications_total')
            self.assertEqual(everything, buckets[-1])
            self.assertGreater(samples['usher_answer_seconds_sum', ()], 0)
            with running(daemon):
                samples = self.metrics(daemon)
                self.assertEqual(samples['usher_sessions', (('state', 'running'),)], 1)
                broker = daemon.sessions()[0]['broker']
                os.kill(broker, signal.SIGKILL)
                daemon.wait_for_log('started again')
            self.assertEqual(self.metrics(daemon)['usher_broker_deaths_total', ()], 1)

    def test_output(self):
        """usher metrics --output replaces the file as a whole"""
        with Daemon() as daemon:
            path = workdir('metrics') / 'usher.prom'
            path.write_text('old\n')
            with open(path) as old:
                done = harness.usher('metrics', '--output', path, '--socket', daemon.socket)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))
                self.assertEqual(old.read(), 'old\n')
            parse_metrics(path.read_text())
            self.assertEqual(os.listdir(path.parent), [path.name])
            done = harness.usher('metrics', '--output', path.parent / 'none/x',
                                 '--socket', daemon.socket)
            self.assertEqual(done.returncode, 1)
            self.assertIn('cannot be written', done.stderr)


class MetricsSocket(unittest.TestCase):
    """The socket that tells nothing else (`metrics = PATH`)."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(more='metrics = {0}/metrics\nmetrics-mode = 0640').start()
        cls.path = cls.daemon.directory / 'metrics'

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.daemon.process)

    def connect(self):
        result = socket.socket(socket.AF_UNIX)
        result.settimeout(20)
        result.connect(str(self.path))
        return result

    def ask(self, *parts):
        """What comes back of a question that comes in parts."""
        with self.connect() as stream:
            for part in parts:
                stream.sendall(part)
            answer = b''
            while chunk := stream.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b'\r\n\r\n')
        return head.decode(), body.decode()

    def test_metrics(self):
        """an HTTP client gets the metrics of the whole daemon, as the format is"""
        with running(self.daemon, 'sh', '-c', 'echo begun; exec cat', policy='everything') as process:
            self.assertEqual(process.stdout.readline(), 'begun\n')  # so it has asked for something
            done = subprocess.run(['curl', '-sSi', '--unix-socket', self.path,
                                   'http://usherd/metrics'], stdout=subprocess.PIPE, text=True,
                                  check=True, timeout=harness.SECONDS)
        head, _, body = done.stdout.replace('\r\n', '\n').partition('\n\n')
        self.assertIn('200 OK', head.splitlines()[0])
        self.assertIn('Content-Type: text/plain; version=0.0.4; charset=utf-8', head.splitlines())
        samples = parse_metrics(body)
        self.assertEqual(samples['usher_sessions', (('state', 'running'),)], 1)
        told = harness.usher('metrics', '--socket', self.daemon.socket).stdout
        self.assertEqual({name for name, _ in samples}, {name for name, _ in parse_metrics(told)})

    def test_promised(self):
        """what is counted: sessions, notifications by call and verdict, latency, restarts, lost lines"""
        self.daemon.run('true', policy='everything')
        names = {name for name, _ in parse_metrics(self.ask(b'GET / HTTP/1.0\r\n\r\n')[1])}
        self.assertLessEqual({'usher_sessions', 'usher_sessions_started_total',
                              'usher_sessions_refused_total', 'usher_notifications_total',
                              'usher_answer_seconds_bucket', 'usher_answer_seconds_sum',
                              'usher_answer_seconds_count', 'usher_broker_starts_total',
                              'usher_broker_deaths_total', 'usher_audit_dropped_total',
                              'usher_monitor_dropped_total', 'usher_reloads_total'}, names)

    def test_mode(self):
        """it has the mode that the configuration says"""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_parts(self):
        """a question may come byte by byte, and with headers that mean nothing here"""
        question = b'GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n'
        head, body = self.ask(*(question[i:i + 1] for i in range(len(question))))
        self.assertIn('200 OK', head)
        parse_metrics(body)

    def test_nonsense(self):
        """what is no such question gets no metrics, and the next one does"""
        for parts in ([b'POST / HTTP/1.0\r\n\r\n'], [b'{"request":"stop"}\n\n'], [b'\0\r\n\r\n']):
            head, body = self.ask(*parts)
            self.assertIn('405', head)
            self.assertEqual(body, '')
        with contextlib.suppress(ConnectionError):
            self.assertEqual(self.ask(b'GET ' + b'x' * 10000), ('', ''))
        self.assertIn('200 OK', self.ask(b'GET / HTTP/1.0\r\n\r\n')[0])

    def test_many(self):
        """those who connect and say nothing, or read nothing, hold up nobody for long"""
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stream = stack.enter_context(self.connect())
                with contextlib.suppress(ConnectionError):
                    stream.sendall(b'GET ')
            self.assertEqual(self.daemon.ask()['reply'], 'status')
        harness.wait_until(lambda: '200 OK' in self.is_answered(), 'there is room again')

    def is_answered(self):
        with contextlib.suppress(ConnectionError):
            return self.ask(b'GET / HTTP/1.0\r\n\r\n')[0]
        return ''

    def test_wrong_place(self):
        """where it cannot be made usherd says so, and serves without it"""
        with Daemon(more='metrics = /proc/none/metrics') as daemon:
            self.assertIn('metrics cannot be told at /proc/none/metrics', daemon.log())
            self.assertEqual(daemon.run('true').returncode, 0)

    def test_end(self):
        """it goes with the daemon"""
        with Daemon(more='metrics = {0}/metrics') as daemon:
            self.assertTrue((daemon.directory / 'metrics').exists())
        self.assertFalse((daemon.directory / 'metrics').exists())


if __name__ == '__main__':
    unittest.main()
