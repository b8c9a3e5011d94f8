# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: where things are, and how usher is started.

Each test that is about a running program takes a mode (`@both_modes`) and so is two tests, one
embedded and one through a usherd that is started once for the test program. Policies of a test's
own are written where `--policy NAME` finds them in both modes.
"""

import atexit
import contextlib
import functools
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'driver'))
from process import kill_tree  # noqa: E402

SOURCE = Path(os.environ.get('USHER_SOURCE') or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get('USHER_BUILD') or SOURCE / 'build')
USHER = BUILD / 'client/usher'
USHERD = BUILD / 'daemon/usherd'
MODES = ('embedded', 'daemon')
# How long anything may take before it counts as hanging: a slow build is given more.
PATIENCE = float(os.environ.get('USHER_TEST_PATIENCE', '1'))
SECONDS = 60 * PATIENCE

DAEMON_CONFIG = """\
[daemon]
policies = {own} {shipped}

[grant tests]
users = *
policies = *
"""


@functools.cache
def seed():
    """Of what is drawn: the same each time, so that a run tells of what was changed and not of the
    dice. USHER_TEST_SEED has another, or draws one, which is told: `random`."""
    wanted = os.environ.get('USHER_TEST_SEED', '1')
    drawn = random.randrange(1 << 30) if wanted == 'random' else int(wanted)
    print(f'# USHER_TEST_SEED={drawn}', flush=True)
    return drawn


@functools.cache
def scratch():
    """A directory of this test program alone."""
    path = tempfile.mkdtemp(prefix='usher-integration-')
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


@functools.cache
def environment():
    """The environment of everything that is started; complete also without the driver."""
    result = dict(os.environ)
    for name, part in (('HOME', 'home'), ('XDG_CONFIG_HOME', 'config'), ('XDG_RUNTIME_DIR', 'run'),
                       ('TMPDIR', 'tmp')):
        if 'USHER_TEST_POLICIES' not in os.environ:
            result[name] = str(scratch() / part)
            (scratch() / part).mkdir(mode=0o700, exist_ok=True)
    result.setdefault('LC_ALL', 'C.UTF-8')
    return result


def policy_directory():
    path = Path(environment()['XDG_CONFIG_HOME']) / 'usher/policies'
    path.mkdir(parents=True, exist_ok=True)
    return path


_names = itertools.count(1)


def policy(text):
    """Writes a policy and returns the name by which both modes find it."""
    name = f'test-{os.getpid()}-{next(_names)}'
    (policy_directory() / f'{name}.ini').write_text(text)
    return name


@functools.cache
def daemon():
    """Starts usherd of this user, once; it is ended with the test program."""
    runtime = Path(environment()['XDG_RUNTIME_DIR']) / 'usher'
    runtime.mkdir(mode=0o700, exist_ok=True)
    config = scratch() / 'usherd.ini'
    config.write_text(DAEMON_CONFIG.format(own=policy_directory(), shipped=BUILD / 'conf/policies'))
    log = open(scratch() / 'usherd.log', 'wb')
    process = subprocess.Popen(
        [USHERD, '--config', config, '--socket', runtime / 'usherd.sock'],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), cwd='/',
        start_new_session=True)
    atexit.register(end, process)
    wait_until((runtime / 'usherd.sock').exists, 'usherd has its socket')
    return process


def end(process):
    process.terminate()
    try:
        process.wait(SECONDS / 2)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)  # a usherd whose holder alone is killed lives on, as it should
        process.wait()


def wait_until(condition, what, seconds=SECONDS * 2 / 3):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited for {seconds} s until {what}')
        time.sleep(0.005)


def turns_of(pid):
    """{thread: how often it went to sleep or was sent away}; None if one of them runs, or has ended."""
    turns = {}
    try:
        for task in Path(f'/proc/{pid}/task').iterdir():
            text = (task / 'status').read_text()
            if '\nState:\tR' in text:
                return None
            turns[task.name] = text[text.index('\nvoluntary_ctxt_switches'):]
    except OSError:
        return None
    return turns


def wait_until_at_rest(*pids):
    """Until no thread of these processes has run between one look at all of them and the next: there
    was a moment, then, in which all slept, and none was about to wake another."""
    def is_at_rest():
        before = [turns_of(pid) for pid in pids]
        return None not in before and before == [turns_of(pid) for pid in pids]
    wait_until(is_at_rest, f'{pids} are at rest')


def usher_command(command, mode='embedded', policy='default', options=()):
    """The command line that runs `command` under usher; mode 'native' is without."""
    command = [str(word) for word in command]
    if mode == 'native':
        return command
    if mode == 'daemon':
        daemon()
    return [str(USHER), 'run', f'--{mode}', '--policy', policy, *map(str, options), '--', *command]


def run(command, mode='embedded', policy='default', options=(), timeout=SECONDS, **more):
    """Runs `command` and returns what subprocess.run does; output is bytes."""
    more.setdefault('env', environment())
    if 'input' not in more:
        more.setdefault('stdin', subprocess.DEVNULL)
    return subprocess.run(usher_command(command, mode, policy, options), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False, **more)


def usher(*arguments, timeout=SECONDS, **more):
    """Runs usher itself with these arguments."""
    more.setdefault('env', environment())
    return subprocess.run([str(USHER), *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                          check=False, **more)


@contextlib.contextmanager
def server(command, mode, policy, port, options=(), **more):
    """A server under usher while the block runs; ended as a system would end it."""
    more.setdefault('env', environment())
    with open(scratch() / 'server.log', 'ab') as log:
        process = subprocess.Popen(usher_command(command, mode, policy, options), stdout=log,
                                   stdin=subprocess.DEVNULL, stderr=log, **more)
    try:
        wait_until(lambda: process.poll() is not None or is_listening(port),
                   f'{command[0]} listens')
        if process.poll() is not None:
            text = (scratch() / 'server.log').read_text(errors='replace')
            raise RuntimeError(f'{command[0]} ended with {process.returncode}: {text[-2000:]}')
        yield process
    finally:
        end(process)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def workdir(name):
    """A new directory below the scratch directory."""
    path = scratch() / 'work' / f'{name}-{next(_names)}'
    path.mkdir(parents=True)
    return path


def both_modes(cls):
    """Makes each test method that takes a mode into one for each mode."""
    for name, method in list(vars(cls).items()):
        if not name.startswith('test') or 'mode' not in method.__code__.co_varnames[1:2]:
            continue
        for mode in MODES:
            def bound(self, method=method, mode=mode):
                method(self, mode)
            functools.update_wrapper(bound, method, updated=())
            bound.__doc__ = f'{(method.__doc__ or name).splitlines()[0].rstrip(".")} ({mode})'
            bound.__name__ = f'{name}_{mode}'
            del bound.__wrapped__
            setattr(cls, bound.__name__, bound)
        delattr(cls, name)
    return cls


def need(*programs):
    """True if all are there. In CI they must be: a missing one is then a failure, not a skip."""
    return os.environ.get('CI') == 'true' or all(map(shutil.which, programs))


def reset_signals():
    """For preexec_fn: Python ignores SIGPIPE, and a program under test should not."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


if __name__ == '__main__':
    sys.exit('the tests are run by run.py')
