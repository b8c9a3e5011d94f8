# SPDX-License-Identifier: Apache-2.0
"""Ends calls in the middle, in every rough way, as many rounds as each line of its input says.

Says "done" after each line, with what did not happen as it should.
"""
import os
import signal
import socket
import sys
import threading
import time

wrong = []


def child(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(77)
    return pid


def ended(pid):
    return os.waitpid(pid, 0)[1]


def in_a_thread(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect('full')


def busy():
    while True:
        os.close(os.open('regular', os.O_RDONLY))
        os.path.exists('missing')


def expect(what, status, wanted):
    if status != wanted:
        wrong.append(f'{what}: status {status:x}')


def killed():
    """SIGKILL while a call waits, and while calls come one after another."""
    children = [child(lambda: os.open('fifo', os.O_RDONLY)) for _ in range(8)]
    children += [child(connect) for _ in range(4)] + [child(busy) for _ in range(2)]
    time.sleep(0.05)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        expect('killed', ended(pid), signal.SIGKILL)


def executed():
    """Another thread starts a program."""
    def run():
        in_a_thread(os.open, 'fifo', os.O_RDONLY)
        in_a_thread(busy)
        time.sleep(0.02)
        os.execv('/bin/true', ['true'])
    for pid in [child(run) for _ in range(4)]:
        expect('executed', ended(pid), 0)


def left():
    """The process exits while a thread of it waits."""
    def run():
        in_a_thread(os.open, 'fifo', os.O_RDONLY)
        time.sleep(0.02)
        os._exit(5)
    for pid in [child(run) for _ in range(4)]:
        expect('left', ended(pid), 5 << 8)


def alarmed():
    """SIGALRM ends the wait, with a handler that raises."""
    def raise_error(*_):
        raise TimeoutError

    def run():
        signal.signal(signal.SIGALRM, raise_error)
        # Again and again: on a busy machine the first may come before the call, which then waits.
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            os.open('fifo', os.O_RDONLY)
        except TimeoutError:
            os._exit(6)
    for pid in [child(run) for _ in range(4)]:
        expect('alarmed', ended(pid), 6 << 8)


def met():
    """Both ends of a FIFO."""
    pid = child(lambda: os._exit(os.write(os.open('fifo', os.O_WRONLY), b'met')))
    with open('fifo', 'rb') as end:
        if end.read() != b'met':
            wrong.append('met: nothing came')
    expect('met', ended(pid), 3 << 8)


def main():
    os.chdir(sys.argv[1])
    os.mkfifo('fifo')
    with open('regular', 'w') as file:
        file.write('x')
    with socket.socket(socket.AF_UNIX) as full:
        full.bind('full')
        full.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect('full')
            for line in sys.stdin:
                for _ in range(int(line)):
                    for way in (killed, executed, left, alarmed, met):
                        way()
                print('done', *wrong, flush=True)


main()
