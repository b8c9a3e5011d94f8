#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py FILE...: runs the unittest tests of files and reports in TAP (see tests/README.md).

A test's name is the first line of its docstring. One that takes too long fails by itself, so that
the others are still run. Nothing that was started is left running, however this ends: whose parent
dies becomes our child, what is still there at the end is killed, and told.
"""

import atexit
import importlib.util
import os
import signal
import sys
import traceback
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'driver'))
import process  # noqa: E402

TEST_SECONDS = int(240 * float(os.environ.get('USHER_TEST_PATIENCE', '1')))


class TookTooLong(Exception):
    pass


def took_too_long(_number, _frame):
    raise TookTooLong(f'not done after {TEST_SECONDS} s')


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0
        self.failed = False
        self.parts = []

    def startTest(self, test):
        super().startTest(test)
        self.parts = []
        signal.alarm(TEST_SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        if self.parts:
            self.line(False, test, '', self.parts)

    def line(self, passed, test, suffix='', notes=()):
        self.number += 1
        self.failed = self.failed or not passed
        print(f"{'ok' if passed else 'not ok'} {self.number} - {name_of(test)}{suffix}")
        for note in notes:
            for line in note.rstrip('\n').split('\n'):
                print(f'# {line}')
        sys.stdout.flush()

    def addSuccess(self, test):
        if not self.parts:
            self.line(True, test)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.parts.append(f'{subtest._subDescription()}\n{describe(err)}')

    def addFailure(self, test, err):
        self.parts.append(describe(err))

    def addError(self, test, err):
        """Also of what is set up for a whole class, which no test has begun."""
        if isinstance(test, unittest.TestCase):
            self.addFailure(test, err)
        else:
            self.line(False, test, notes=[describe(err)])

    def addSkip(self, test, reason):
        # In the second run, as an ordinary user, what is root's affair has been done already.
        if 'USHER_TEST_AGAIN' in os.environ:
            return
        self.line(True, test, f' # SKIP {reason}')

    def addExpectedFailure(self, test, err):
        self.line(False, test, ' (expected failures are not used here)')

    addUnexpectedSuccess = addExpectedFailure


def describe(err):
    return ''.join(traceback.format_exception(*err))


def name_of(test):
    text = test.shortDescription() or test.id()
    return text.replace('#', '').strip()


def load(path):
    spec = importlib.util.spec_from_file_location(
        os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def end_remains():
    """As the last thing: those who end their processes at exit have done so."""
    names = process.end_remains(())
    if names:
        print(f"# left processes behind: {', '.join(names)}", flush=True)
        os._exit(1)


def main(paths):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    process.become_subreaper()
    atexit.register(end_remains)
    signal.signal(signal.SIGALRM, took_too_long)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    result = TapResult()
    suite = unittest.TestSuite(load(path) for path in paths)
    suite.run(result)
    print(f'1..{result.number}', flush=True)
    return 1 if result.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
