#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `meson test` runs a test program by: alone.py BUILD PROGRAM [ARG...]

As the driver would (../run), but once: as whoever calls, embedded where there is a choice, in a
directory of its own. So a distribution can be tried where nothing but meson is at hand.
"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import place  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    build, *command = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix='usher-test.') as scratch:
        here = place.Place(scratch, 'here', None)
        environment = {**os.environ, **here.environment(SOURCE, build, 'embedded')}
        return subprocess.run(command, cwd=here.path('work'), env=environment,
                              stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
