# SPDX-License-Identifier: Apache-2.0
"""Another release takes the place of one that runs: sessions go on, or end with a word that says so;
none hangs. The programs are copies in a directory that looks like a build, in which those of
another release take the places of the first; what a release is known by are its versions, so the
other one here is of ours, but of another version. (One usherd after the other: test_keep.)
"""

import os
import shutil
import signal
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
from test_keep import Kept, kill  # noqa: E402
from usherd import Case, running, workdir  # noqa: E402

BROKER = 'daemon/broker/usher-broker'
ELDER = harness.BUILD / 'tests/integration/usherd-elder'
NO_VERSION = 999  # of any release

# All that a broker of another release has in common with ours is where its control socket is, and
# what a header looks like: REFUSED, of another version.
FOREIGN_BROKER = """\
#!/usr/bin/python3
import socket, struct
control = socket.socket(fileno=3)
control.recv(65536)
control.send(struct.pack('=IHHII', {magic}, {version}, 5, 16, 0))
"""

# Opens when it is told to, and says how that was.
OPENER = """\
import sys
for line in sys.stdin:
    try:
        open('/etc/hostname').close()
        print('opened', flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


class Installed:
    """Programs in a directory of their own."""

    def __init__(self):
        self.directory = workdir('installed')
        for name in ('client/usher', 'daemon/usherd', BROKER):
            self.install(name, harness.BUILD / name)
        (self.directory / 'conf').symlink_to(harness.BUILD / 'conf')
        self.usher = self.directory / 'client/usher'

    def install(self, name, source):
        """In place of another, as an installation does it: the old one runs on."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path.with_suffix('.new'))
        os.replace(path.with_suffix('.new'), path)

    def install_foreign_broker(self):
        script = self.directory / 'foreign'
        script.write_text(FOREIGN_BROKER.format(magic=magic(), version=NO_VERSION))
        script.chmod(0o755)
        self.install(BROKER, script)

    def install_our_broker(self):
        self.install(BROKER, harness.BUILD / BROKER)


def magic():
    header = (harness.SOURCE / 'include/usher/wire.h').read_text()
    return next(line.split()[2].rstrip('u') for line in header.splitlines()
                if line.startswith('#define WIRE_MAGIC'))


def ask(opener):
    opener.stdin.write('\n')
    opener.stdin.flush()
    return opener.stdout.readline()


class Broker(Case):
    """usher-broker is of another release than who starts it."""

    def test_daemon(self):
        """a new session is refused with the remedy; one that runs waits until the remedy came"""
        installed = Installed()
        with Kept(program=installed.directory / 'daemon/usherd') as daemon, \
                running(daemon, sys.executable, '-c', OPENER, policy='everything') as opener:
            self.assertEqual(ask(opener), 'opened\n')
            installed.install_foreign_broker()
            with daemon.usher('true') as process:
                _, err = process.communicate(timeout=harness.SECONDS)
            self.assertEqual(process.returncode, 125)
            self.assertIn('of another release than this usherd; restart usherd', err)
            kill(daemon.sessions()[0]['broker'])
            daemon.wait_for_log('of another release than this usherd; restart usherd; another')
            installed.install_our_broker()
            self.assertEqual(ask(opener), 'opened\n')

    def test_embedded(self):
        """a program whose broker can have no successor is ended, and told why"""
        installed = Installed()
        command = [str(installed.usher), 'run', '--embedded', '--policy', 'everything', '--',
                   sys.executable, '-c', OPENER]
        with subprocess.Popen(command, env=harness.environment(), stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as opener:
            self.assertEqual(ask(opener), 'opened\n')
            installed.install_foreign_broker()
            for pid in Path(f'/proc/{opener.pid}/task/{opener.pid}/children').read_text().split():
                kill(int(pid))
            self.assertEqual(opener.wait(harness.SECONDS), -signal.SIGKILL)
            self.assertIn('of another release by now; start the program again',
                          opener.stderr.read())
        done = subprocess.run(command, env=harness.environment(), stdin=subprocess.DEVNULL,
                              text=True, stderr=subprocess.PIPE, check=False,
                              timeout=harness.SECONDS)
        self.assertEqual(done.returncode, 125)
        self.assertIn('of another release than usher; install both of the same', done.stderr)


class Next(Case):
    """The next usherd is of another release than the one that began the session."""

    def test_messages(self):
        """a broker that speaks otherwise is replaced by one of this release; the session goes on"""
        installed = Installed()
        installed.install('daemon/usherd', ELDER)
        with Kept(program=installed.directory / 'daemon/usherd') as daemon, \
                running(daemon, sys.executable, '-c', OPENER, policy='everything') as opener:
            before = daemon.sessions()[0]
            installed.install('daemon/usherd', harness.USHERD)
            daemon.kill()
            daemon.wait_for_log('of 0 the broker serves on, of 1 another is started')
            self.assertEqual(ask(opener), 'opened\n')
            after, = daemon.wait_until_all_run(1)
            self.assertEqual(after['id'], before['id'])
            self.assertNotEqual(after['broker'], before['broker'])

    @unittest.skipUnless(os.geteuid() == 0, "only root may reach into usherd's session")
    def test_session(self):
        """a session that is not understood is its broker's; without that its calls fail, at once"""
        with Kept() as daemon:
            opener = daemon.popen(sys.executable, '-c', OPENER, policy='everything',
                                  stdin=subprocess.PIPE)
            with opener:
                left, = daemon.wait_until_all_run(1)
                make_foreign(daemon.pid())
                daemon.kill()
                daemon.wait_for_log('of a build whose sessions this one does not understand')
                self.assertEqual(daemon.sessions(), [])
                with running(daemon):
                    self.assertNotEqual(daemon.sessions()[0]['id'], left['id'])
                self.assertEqual(ask(opener), 'opened\n')
                kill(left['broker'])
                self.assertEqual(ask(opener), 'Function not implemented\n')


def make_foreign(pid):
    """Gives the session of a usherd a version that no release has."""
    for path in Path(f'/proc/{pid}/fd').iterdir():
        if 'memfd:usher-session' in os.readlink(path):
            with open(path, 'r+b', buffering=0) as memory:
                memory.seek(4)
                memory.write(struct.pack('I', NO_VERSION))
            return
    raise RuntimeError('usherd has no session')


if __name__ == '__main__':
    sys.exit('the tests are run by run.py')
