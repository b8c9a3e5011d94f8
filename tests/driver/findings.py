# SPDX-License-Identifier: Apache-2.0
"""What sanitizers have found, in whatever process of a sanitizer build.

A broker that has a finding ends, and its successor goes on: a test may well pass. So each finding is
a file (daemon/base/sanitized.c), and each file counts as a failure of the run after which it is seen;
where runs go on at the same time it may be of another of these.
"""

import os
import re
import shutil

LINES = 60  # of one finding
HEADLINE = re.compile(r'ERROR|WARNING|runtime error')
FAULT = re.compile(r'==(\d+)==ERROR: \w+: SEGV on unknown address 0x([0-9a-f]+)')


def is_written(name):
    """Is there nobody left who could write more? The file of a process ends in its number."""
    return not os.path.exists(f"/proc/{name.rpartition('.')[2]}")


def was_sent(text):
    """Is it no fault, but a signal that a test has sent? A broker raises such a one anew (crash.c),
    and where a fault would have its address there is the number of the sender, then: its own."""
    match = FAULT.search(text)
    return match is not None and int(match[2], 16) & 0xffffffff == int(match[1])


class Findings:
    """The directory of a build, which its brokers have compiled in."""

    def __init__(self, build):
        with open(os.path.join(build, 'paths.h'), encoding='utf-8') as file:
            self.directory = re.search(r'USHER_FINDINGS "(.*)"', file.read())[1]
        self.remove()
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o1777)  # brokers have the rights of their clients

    def options(self):
        """For the environment, beside what is said there already."""
        return f':log_path={self.directory}/found'

    def take(self, is_last=False):
        """[(what was found, the report)] since the last time; of those that are whole, but the last time."""
        found = []
        for name in sorted(os.listdir(self.directory)):
            if not is_last and not is_written(name):
                continue
            path = os.path.join(self.directory, name)
            with open(path, encoding='utf-8', errors='replace') as file:
                text = file.read()
            os.unlink(path)
            lines = text.splitlines()
            if not was_sent(text):
                found.append(
                    (next(filter(HEADLINE.search, lines), name), '\n'.join(lines[:LINES])))
        return found

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
