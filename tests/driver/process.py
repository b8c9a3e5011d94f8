# SPDX-License-Identifier: Apache-2.0
"""Running one program, and making sure that nothing of it stays.

A confined program has process groups of its own (job control), so a process group is not enough to
find what it started: this process becomes the reaper of all its descendants, and what is still
there when the program has ended is what it left behind.
"""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 20  # on a busy machine; what has to end does so at once


def become_subreaper():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parents():
    """{pid: (parent, name)} of all processes."""
    table = {}
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as file:
                head, tail = file.read().rsplit(')', 1)
        except OSError:
            continue
        state, parent = tail.split()[:2]
        if state != 'Z':
            table[int(name)] = (int(parent), head.split('(', 1)[1])
    return table


def descendants(root, spared=()):
    """Living descendants of `root` as {pid: name}, without the subtrees of `spared`."""
    table = parents()
    found, front = {}, {root}
    while front:
        front = {pid for pid, (parent, _) in table.items()
                 if parent in front and pid not in found and pid not in spared}
        found.update((pid, table[pid][1]) for pid in front)
    return found


def reap(spared):
    """Collects what has died; not those whose Popen wants to know."""
    for name in os.listdir('/proc/self/task'):
        with open(f'/proc/self/task/{name}/children', encoding='ascii') as file:
            children = [int(pid) for pid in file.read().split()]
        for pid in children:
            if pid not in spared:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass


def end_remains(spared):
    """Waits for a moment for descendants to end, kills the others and returns their names."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        reap(spared)
        remains = descendants(os.getpid(), spared)
        if not remains or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    names = sorted(remains.values())
    while remains:
        for pid in remains:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        reap(spared)
        remains = descendants(os.getpid(), spared)
    return names


def reset_signals():
    """For preexec_fn: what our own caller ignores or blocks is not the tests' affair."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            pass  # one that the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def run(command, timeout, spared=(), **options):
    """Returns (exit status, stdout, stderr, names of what it left behind).

    After a timeout the exit status is None, and the names are those of what was still running.
    """
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True, text=True,
                          errors='replace', preexec_fn=reset_signals, **options) as child:
        try:
            stdout, stderr = child.communicate(timeout=timeout)
            status = child.returncode
        except subprocess.TimeoutExpired:
            status = None
            hung = kill_tree(child.pid)
            stdout, stderr = child.communicate()
        except BaseException:
            kill_tree(child.pid)
            raise
    remains = end_remains(spared)
    return status, stdout, stderr, remains if status is not None else hung


def kill_tree(pid):
    """Stops everything first, so that nothing that is killed is replaced. Returns the names."""
    names = descendants(pid)
    tree = [pid, *names]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in tree:
            try:
                os.kill(member, number)
            except ProcessLookupError:
                pass
    return sorted(names.values())
