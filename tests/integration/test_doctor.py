# SPDX-License-Identifier: Apache-2.0
"""usher doctor: what it says agrees with what usher run can do."""

import json
import os
import pty
import subprocess
import unittest

import harness

FLOOR = harness.BUILD / 'tests/bench/floor'
DOCTOR = [str(harness.USHER), 'doctor']
STATES = {'ok', 'limited', 'missing'}


def doctor(*options, behind=()):
    """Runs it, behind a program that starts it if one is given."""
    return subprocess.run([*map(str, behind), *DOCTOR, *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env=harness.environment(), timeout=harness.SECONDS)


def on_terminal(variables):
    """What it writes to a terminal."""
    main, terminal = pty.openpty()
    child = subprocess.Popen(DOCTOR, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
                             env={**harness.environment(), **variables})
    os.close(terminal)
    text = b''
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(main)
    child.wait(harness.SECONDS)
    return text


class Doctor(unittest.TestCase):
    def test_agrees_with_run(self):
        """It says that usher run works exactly where it does."""
        works = doctor().returncode == 0
        ran = harness.run(['/bin/true'], policy='everything')
        self.assertEqual(ran.returncode == 0, works, ran.stderr)

    def test_json(self):
        """--json says the same as the table, a state and a detail for each."""
        done = doctor('--json')
        report = json.loads(done.stdout)
        self.assertEqual(report['run_works'], done.returncode == 0)
        table = doctor().stdout
        for probe in report['probes']:
            self.assertIn(probe['state'], STATES)
            self.assertTrue(probe['detail'], probe['name'])
            self.assertIn(f" {probe['name']} ", table)
            if probe['state'] != 'ok':
                self.assertTrue(probe['remedy'], probe['name'])

    def test_outer_listener(self):
        """Behind another listener it names that one, and exits 1."""
        done = doctor('--json', behind=[FLOOR, '--notify', 'connect'])
        report = json.loads(done.stdout)
        states = {probe['name']: probe for probe in report['probes']}
        self.assertEqual(done.returncode, 1)
        self.assertFalse(report['run_works'])
        self.assertEqual(states['outer listener']['state'], 'missing')
        self.assertIn('supervisor', states['outer listener']['detail'])
        self.assertNotIn('remedy', states['notification'])

    def test_color(self):
        """Colour on a terminal, and not with NO_COLOR."""
        self.assertIn(b'\033[32mok', on_terminal({'NO_COLOR': '', 'TERM': 'xterm'}))
        self.assertNotIn(b'\033', on_terminal({'NO_COLOR': '1', 'TERM': 'xterm'}))
        self.assertNotIn('\033', doctor().stdout)

    def test_arguments(self):
        """An argument it does not know is a usage error."""
        self.assertEqual(doctor('--nonsense').returncode, 2)
        self.assertEqual(doctor('nonsense').returncode, 2)
        self.assertEqual(doctor('--help').returncode, 0)


if __name__ == '__main__':
    unittest.main()
