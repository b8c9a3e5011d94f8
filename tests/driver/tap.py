# SPDX-License-Identifier: Apache-2.0
"""What a test program printed, as a verdict.

TAP as tests/README.md fixes it: a plan, and one line a test. What is missing counts against the
program: a plan that was not printed or not kept, an exit status that no `not ok` explains.
"""

import re
from dataclasses import dataclass, field

PLAN = re.compile(r'^1\.\.(\d+)\s*(?:# *[Ss][Kk][Ii][Pp]\S*\s*(.*))?$')
LINE = re.compile(r'^(not )?ok\b\s*(\d+)?\s*(?:- )?(.*)$')
SKIP = re.compile(r'\s*# *skip\S*\s*', re.IGNORECASE)


@dataclass
class Result:
    passed: int = 0
    failures: list = field(default_factory=list)
    skips: list = field(default_factory=list)
    planned: int = 0
    has_plan: bool = False

    def fail(self, name):
        self.failures.append(name)

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures
        self.skips += other.skips


def read_line(result, line):
    plan = PLAN.match(line)
    if plan:
        # A cmocka program with several groups prints a plan for each.
        result.has_plan = True
        result.planned += int(plan[1])
        if plan[2] is not None and plan[1] == '0':
            result.skips.append(plan[2])
            result.planned += 1
        return
    match = LINE.match(line)
    if match is None:
        return
    name, *reason = SKIP.split(match[3], maxsplit=1)
    if reason:
        result.skips.append(f'{name}: {reason[0] or "no reason given"}')
    elif match[1]:
        result.fail(name or f'number {match[2]}')
    else:
        result.passed += 1


def read(text, exit_status):
    """A Result from standard output and the exit status (negative: a signal)."""
    result = Result()
    for line in text.splitlines():
        if line.startswith('Bail out!'):
            result.fail(line)
        read_line(result, line)
    count = result.passed + len(result.failures) + len(result.skips)
    if not result.has_plan:
        result.fail(f'no plan was printed (exit status {exit_status})')
    elif count != result.planned:
        result.fail(f'{result.planned} tests were planned, {count} have run '
                    f'(exit status {exit_status})')
    elif exit_status != 0 and not result.failures:
        result.fail(f'exit status {exit_status}')
    return result
