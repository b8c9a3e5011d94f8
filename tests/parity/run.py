#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the parity table: natively, and under a policy that allows everything.

Each case is a test; it passes if its line is the same in both runs. Patterns given as arguments
choose cases. The trees stand in memory, or with --disk in TMPDIR; with --mounts there are file
systems beside them that are read-only or full. What the table finds around it (see README.md):
USHER_BUILD and USHER_TEST_MODE.
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get('USHER_BUILD', 'build'))
MODE = os.environ.get('USHER_TEST_MODE', 'embedded')
PROGRAM = os.path.join(BUILD, 'tests/parity/parity')
USHER = [os.path.join(BUILD, 'client/usher'), 'run', '--' + MODE, '--policy', 'everything', '--']
SECONDS = 800  # of a table that hangs
MEMORY = '/dev/shm'

# A case that says so natively shows nothing.
BROKEN = ('PREPARATION FAILED', 'STILL RUNNING', 'killed by signal')

# What is known to differ: the words that take the place of native ones, and why it must be so.
# Anything else that differs in these lines is a failure as in all others.
DIFFERENCES = {
    'tty/new/2': (
        [(r'leads=1 .*', 'leads=0 /dev/tty = ENXIO')],
        'only the process itself can make a terminal its controlling one'),
    'how/path': (
        [(r'= 3 .*', '= ENOSYS missing = ENOSYS dir = ENOSYS')],
        'an O_PATH descriptor cannot be handed over, and flags in memory not be left to the kernel'),
    'unix/credentials': (
        [(r'own=1', 'own=0')],
        'the pid of SO_PEERCRED is that of whoever called connect'),
    'signal/timer/EINTR': (
        [(r'good=3000 interrupted=0 other=0', r'good=\d+ interrupted=\d+ other=0')],
        'a signal that comes before the call is received interrupts it'),
    'limit/full-table': (
        [(r'missing = EMFILE', 'missing = ENOENT')],
        'the kernel takes a number before it looks for the name, the broker after'),
    'process/unreadable-program': (
        [(r'status=0 .*', r'status=7f00 \[out: .*size=0 .*')],
        'nobody of its user may look into a process whose program he cannot read'),
    'process/user-namespace-rights': (
        [(r'forbidden = .*', 'forbidden = EACCES')],
        'rights in a user namespace are had only inside of it'),
    'bind/unix/name//proc/self/cwd/new': (
        [(r'name=1/21 /proc/self/cwd/new', 'name=1/6 new')],
        'a path that only the process itself can go: its last part is the address'),
    'root/mounted': ([(r'bound.*', 'mount EPERM')], 'a mount gives files other names'),
    'process/own-proc': ([(r' ?/proc.* status=0', 'mount EPERM status=0')], 'a mount gives files other names'),
}

# Where many words of a line differ in the same way: what becomes of them, and why.
OTHERS_DESCRIPTORS = ('only the threads of a process itself may enter its /proc/PID/fd without a '
                      'mode that lets them: nothing can be removed there, but it is said otherwise')
OWN_DESCRIPTORS = r'((?:proc|dev|task)_fd [\w-]+ /? *= )'
REWRITTEN = {
    'message/credentials': (
        r'from own=1', 'from own=0',
        'only who rules may say of a message that another process has sent it'),
    'call/unlink/descriptors': (OWN_DESCRIPTORS + 'EPERM', r'\1EACCES', OTHERS_DESCRIPTORS),
    'call/unlinkat/descriptors': (OWN_DESCRIPTORS + 'EPERM', r'\1EACCES', OTHERS_DESCRIPTORS),
    'call/rmdir/descriptors': (OWN_DESCRIPTORS + 'ENOTDIR', r'\1EACCES', OTHERS_DESCRIPTORS),
    'call/unlinkat-removedir/descriptors': (
        OWN_DESCRIPTORS + 'ENOTDIR', r'\1EACCES', OTHERS_DESCRIPTORS),
    'call/access/proc': (
        r'(/(?:proc/self|dev)/fd = 0)= 0', r'\1= EACCES', OTHERS_DESCRIPTORS),
    'call/faccessat/proc': (
        r'(/(?:proc/self|dev)/fd ) = 0', r'\1 = EACCES', OTHERS_DESCRIPTORS),
    'call/faccessat2-empty/proc': (
        r'(/(?:proc/self|dev)/fd ) = 0', r'\1 = EACCES', OTHERS_DESCRIPTORS),
}


def place(on_disk):
    """Where the trees are made: in memory, which is much quicker, where nothing else is asked for."""
    if not on_disk and os.path.ismount(MEMORY) and os.access(MEMORY, os.W_OK):
        return MEMORY
    return os.environ.get('TMPDIR', tempfile.gettempdir())


def with_mounts(options, directory):
    """What starts a command where there are file systems that refuse; only root can make them."""
    if not options.mounts or os.geteuid() != 0:
        return []
    mounts = os.path.join(directory, 'mounts')
    os.mkdir(mounts, 0o755)
    return [PROGRAM, '-m', mounts]


def run(prefix, directory, patterns, environment):
    """The table with a witness of its own, outside of what `prefix` makes of it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        with ours:
            witness = subprocess.Popen([PROGRAM, '-s', str(ours.fileno())], pass_fds=[ours.fileno()],
                                       stdin=subprocess.DEVNULL)
        with witness:
            command = prefix + [PROGRAM, '-w', str(its.fileno()), directory] + patterns
            try:
                return subprocess.run(command, timeout=SECONDS, env=environment,
                                      pass_fds=[its.fileno()], stdout=subprocess.PIPE,
                                      stdin=subprocess.DEVNULL)
            finally:
                its.close()


def table(prefix, directory, options):
    """One run in a directory made for it: {name: text} in the table's order, and what went wrong."""
    os.mkdir(directory, 0o755)
    environment = dict(os.environ, PARITY_MARK='1')
    error = None
    try:
        done = run(with_mounts(options, directory) + prefix, directory, options.patterns, environment)
        output = done.stdout
        if done.returncode:
            error = 'exit status %d' % done.returncode
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b''
        error = 'not finished after %d s' % SECONDS
    finally:
        subprocess.run(['chmod', '-R', 'u+rwx', directory], stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)
    lines = output.decode('utf-8', 'backslashreplace').replace('\\\n', '').splitlines()
    return dict(line.split(': ', 1) for line in lines if ': ' in line), error


def words_that_differ(native, brokered):
    """The first place where two lines part, with some words before it."""
    ours, theirs = native.split(), brokered.split()
    at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]),
              min(len(ours), len(theirs)))
    start = max(0, at - 6)
    return (' '.join(ours[start:at + 10]), ' '.join(theirs[start:at + 10]))


def differs_as_known(name, native, brokered):
    """The reason, if the line differs in the way that is known of it."""
    if name in REWRITTEN:
        words, others, reason = REWRITTEN[name]
        return reason if re.sub(words, others, native) == brokered else None
    if name not in DIFFERENCES:
        return None
    changes, reason = DIFFERENCES[name]
    pattern = native
    for words, others in changes:
        start = re.search(words, pattern)
        if not start:
            return None
        pattern = (re.escape(pattern[:start.start()]) + others +
                   re.escape(pattern[start.end():]))
    return reason if re.fullmatch(pattern, brokered) else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--disk', action='store_true')
    parser.add_argument('--mounts', action='store_true')
    parser.add_argument('patterns', nargs='*')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='parity-', dir=place(options.disk)) as own:
        os.chmod(own, 0o755)
        directory = os.path.join(own, 'trees')
        native, native_error = table([], directory, options)
        brokered, error = table(USHER, directory, options)
    failed = 0
    number = 0
    for number, (name, expected) in enumerate(native.items(), 1):
        got = brokered.get(name, 'no line')
        if got == expected and not any(words in expected for words in BROKEN):
            print('ok %d - %s' % (number, name))
            continue
        reason = differs_as_known(name, expected, got)
        if reason:
            print('ok %d - %s: differs as known: %s' % (number, name, reason))
            continue
        failed += 1
        print('not ok %d - %s' % (number, name))
        here, there = words_that_differ(expected, got)
        print('#   natively: %s\n#      usher: %s' % (here, there))
    for what, problem in (('natively', native_error), ('under usher', error)):
        number += 1
        failed += problem is not None
        print('%sok %d - the table ran to its end %s%s' % (
            'not ' if problem else '', number, what, '\n#   ' + problem if problem else ''))
    print('1..%d' % number)
    print('# %d of %d differ (%s)' % (failed, number, MODE))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
