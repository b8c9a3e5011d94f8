# SPDX-License-Identifier: Apache-2.0
"""slow_calls.py ROUND [NAME...]: what is done with sockets while the other side takes its time, says
that it cannot be reached, or says nothing: a line for each. The test compares what it prints natively
with what it prints in either network.

Each case is a process of its own, and all are there at once. What happens in the middle of a
connection is not left to chance: the host that is called stays behind a gate (cable.py) until the
case opens it. ROUND keeps the gates of one run from those of another.
"""

import ctypes
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

import cable
from world import FAR, FAR6, HERE, SILENT6, host

GREETER, ECHO, UDP, CLOSED, DOOR = 8000, 8001, 9000, 9999, 9001
IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IPV6_RECVERR, IPV6_MTU_DISCOVER = 11, 10, 14, 25, 23
PMTUDISC_DO = 2
MSG_ERRQUEUE, MSG_FASTOPEN = 0x2000, 0x20000000
SILENT, SOON = host(cable.SILENT, 1), 150
TCP_INFO_SYN_SENT = 2
SENDMMSG = 307

CASES = {}
gates = ports = iter(())


def case(function):
    CASES[function.__name__.replace('_', '-')] = function
    return function


def word(function, *arguments):
    """What it returns, or the name of its errno."""
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def stream(name, blocking=True):
    result = socket.socket(socket.AF_INET6 if ':' in name else socket.AF_INET)
    result.setblocking(blocking)
    return result


def datagram(name):
    result = socket.socket(socket.AF_INET6 if ':' in name else socket.AF_INET, socket.SOCK_DGRAM)
    result.settimeout(10)
    return result


def connect(s, name, port=GREETER):
    return word(s.connect, (name, port)) or 0


def send_timeout(s, seconds):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                 struct.pack('=qq', int(seconds), int(seconds % 1 * 1e6)))


def gate(family=4):
    return host(cable.GATED, next(gates), family)


def open_gate(name):
    with datagram(name) as s:
        s.sendto(b'', (name, cable.GATE_PORT))


def move_door(port):
    """The first time nearby opens this port to one connection, the second time to all."""
    with datagram(HERE) as s:
        s.sendto(b'%d' % port, (HERE, DOOR))
        s.recv(1)


def pending(s):
    return errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)


def ready(s, milliseconds=20000, events=select.POLLOUT | select.POLLIN):
    poll = select.poll()
    poll.register(s, events)
    return [event for _, event in poll.poll(milliseconds)]


def until_begun(s):
    """Waits until the kernel has asked the other side."""
    while s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_INFO_SYN_SENT:
        time.sleep(0.005)


def beside(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def took(seconds, function, *arguments):
    """Its result, and whether it took at least so long."""
    begin = time.monotonic()
    return word(function, *arguments), time.monotonic() - begin > seconds * 0.95


@case
def blocking():
    for family in 4, 6:
        with stream(host(cable.DELAYED, SOON, family)) as s:
            yield took(2 * SOON / 1000, connect, s, host(cable.DELAYED, SOON, family)), s.recv(9)


@case
def loss():
    with stream(FAR) as s:
        yield took(1, connect, s, host(cable.LOSSY, 1)), s.recv(9)


@case
def in_progress():
    for family in 4, 6:
        name = gate(family)
        with stream(name, False) as s:
            yield connect(s, name), connect(s, name), ready(s, 0), pending(s), word(s.getpeername)
            yield word(s.send, b'x'), word(s.recv, 1), s.getsockname()[0]
            open_gate(name)
            yield ready(s, events=select.POLLOUT), pending(s), connect(s, name), connect(s, name)
            yield ready(s, events=select.POLLIN), s.recv(9), s.getpeername()[1]


@case
def in_progress_refused():
    name = gate()
    with stream(name, False) as s:
        yield connect(s, name, CLOSED)
        open_gate(name)
        yield ready(s), pending(s), pending(s), connect(s, name)


@case
def refused():
    with stream(FAR) as s:
        yield took(2 * SOON / 1000, connect, s, host(cable.DELAYED, SOON), CLOSED)


@case
def turned_blocking():
    """send waits for a connection that was begun without waiting"""
    name = gate()
    with stream(name, False) as s:
        yield connect(s, name)
        s.setblocking(True)
        thread = beside(open_gate, name)
        yield s.send(b'x'), s.recv(9)
        thread.join()


@case
def send_times_out():
    with stream(SILENT) as s:
        send_timeout(s, 0.3)
        yield took(0.3, connect, s, SILENT), took(0.3, connect, s, SILENT), pending(s)
    with stream(FAR) as s:
        send_timeout(s, 30)
        yield connect(s, host(cable.DELAYED, SOON)), s.recv(9)


@case
def given_up():
    """AF_UNSPEC ends what has not answered, and the socket is free for another"""
    unspec = ctypes.create_string_buffer(16)
    with stream(SILENT, False) as s:
        yield connect(s, SILENT), ctypes.CDLL(None).connect(s.fileno(), unspec, 16), pending(s)
        s.setblocking(True)
        yield connect(s, FAR), s.recv(9)


def alarmed(action, restart):
    def handler(*_):
        seen.append(1)
        action()
    seen = []
    signal.signal(signal.SIGALRM, handler)
    signal.siginterrupt(signal.SIGALRM, not restart)
    return seen


class Raw:
    """connect(2) by itself: Python's repeats it after EINTR."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def connect(self, s, name, port=GREETER):
        address = struct.pack('=H', socket.AF_INET) + struct.pack('!H', port) + socket.inet_aton(name)
        result = self.libc.connect(s.fileno(), ctypes.create_string_buffer(address + bytes(8), 16), 16)
        return errno.errorcode[ctypes.get_errno()] if result < 0 else result


def signal_when_begun(s):
    until_begun(s)
    os.kill(os.getpid(), signal.SIGALRM)


@case
def interrupted():
    """EINTR in the middle; the connection goes on"""
    name = gate()
    with stream(name) as s:
        seen = alarmed(lambda: None, False)
        beside(signal_when_begun, s)
        yield Raw().connect(s, name), len(seen), ready(s, 0)
        s.setblocking(False)
        yield Raw().connect(s, name)
        open_gate(name)
        yield ready(s, events=select.POLLOUT), Raw().connect(s, name)


@case
def restarted():
    """SA_RESTART: the call goes on by itself, with a time limit it does not"""
    name = gate()
    with stream(name) as s:
        seen = alarmed(lambda: None, True)

        def signal_and_open():
            signal_when_begun(s)
            time.sleep(0.05)
            open_gate(name)
        beside(signal_and_open)
        yield Raw().connect(s, name), len(seen), s.recv(9)
    with stream(SILENT) as s:
        send_timeout(s, 20)
        beside(signal_when_begun, s)
        yield Raw().connect(s, SILENT), len(seen)


@case
def signals_all_the_time():
    """As Go's runtime sends them: every 10 ms, restarted"""
    alarmed(lambda: None, True)
    with stream(FAR) as s:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        yield Raw().connect(s, host(cable.DELAYED, SOON))
        signal.setitimer(signal.ITIMER_REAL, 0)


def in_the_middle(action):
    """What connect says if another thread does something to its socket while it waits."""
    name = gate()
    s = stream(name)
    number = s.fileno()

    def act():
        until_begun(s)
        action(s)
        open_gate(name)
    thread = beside(act)
    result = Raw().connect(s, name)
    thread.join()
    s.detach()
    return result, number


@case
def closed():
    result, number = in_the_middle(lambda s: os.close(s.fileno()))
    yield result, word(os.fstat, number)


@case
def replaced():
    pipe = os.pipe()
    result, number = in_the_middle(lambda s: os.dup2(pipe[0], s.fileno()))
    yield result, os.fstat(number) == os.fstat(pipe[0])


@case
def shut_down():
    result, number = in_the_middle(lambda s: s.shutdown(socket.SHUT_RDWR))
    with socket.socket(fileno=number) as s:
        yield result, word(s.getpeername), word(s.recv, 9)


def near_in_the_middle(action):
    """As in_the_middle(), with one that was near the last time."""
    port = next(ports)
    move_door(port)
    with stream(HERE) as first, stream(HERE) as s:
        before = connect(first, HERE, port)

        def act():
            until_begun(s)
            action(s)
            move_door(port)
        thread = beside(act)
        result = Raw().connect(s, HERE, port)
        thread.join()
        return before, result, word(s.getpeername) == (HERE, port)


@case
def near_and_full():
    yield near_in_the_middle(lambda s: None)


@case
def near_and_shut_down():
    yield near_in_the_middle(lambda s: s.shutdown(socket.SHUT_RDWR))


@case
def near_and_interrupted():
    for restart in False, True:
        seen = alarmed(lambda: None, restart)
        yield near_in_the_middle(lambda s: os.kill(os.getpid(), signal.SIGALRM)), len(seen)


@case
def near_and_timed_out():
    port = next(ports)
    move_door(port)
    with stream(HERE) as first, stream(HERE) as s:
        send_timeout(s, 0.3)
        yield connect(first, HERE, port), took(0.3, connect, s, HERE, port), connect(s, HERE, port)


@case
def watched():
    """What epoll watched before, by level and by edge"""
    for edge in 0, select.EPOLLET:
        name = gate()
        with stream(name, False) as s, select.epoll() as watch:
            watch.register(s, select.EPOLLIN | select.EPOLLOUT | edge)
            yield [event for _, event in watch.poll(0)]
            yield connect(s, name), watch.poll(0)
            open_gate(name)
            events = 0
            while events & (select.EPOLLIN | select.EPOLLOUT) != select.EPOLLIN | select.EPOLLOUT:
                events |= watch.poll(20)[0][1]
            yield events, pending(s), s.recv(9)


@case
def killed():
    """Whoever waits can be killed"""
    child = os.fork()
    if child == 0:
        with stream(SILENT) as s:
            beside(lambda: (until_begun(s), os.kill(os.getpid(), signal.SIGKILL)))
            s.connect((SILENT, GREETER))
    yield os.waitpid(child, 0)[1]


@case
def executed():
    """Another thread becomes another program meanwhile"""
    child = os.fork()
    if child == 0:
        s = stream(SILENT)
        beside(connect, s, SILENT)
        until_begun(s)
        os.execv('/bin/true', ['true'])
    yield os.waitpid(child, 0)[1]


@case
def many():
    """Hundreds wait, in threads and without, and one that need not does not"""
    name = gate()
    sockets = [stream(name, False) for _ in range(200)]
    yield {connect(s, name) for s in sockets}
    waiting = [stream(SILENT) for _ in range(40)]
    for s in waiting:
        beside(connect, s, SILENT)
    for s in waiting:
        until_begun(s)
    with stream(FAR) as s:
        yield connect(s, FAR), s.recv(9)
    open_gate(name)
    yield {pending(s) for s in sockets if ready(s, events=select.POLLOUT)}
    yield {s.recv(9) for s in sockets if ready(s, events=select.POLLIN)}


@case
def nowhere():
    """Routes here say no"""
    for name in '203.0.113.1', '2001:db8::1', '10.77.1.1', '10.79.1.1', '10.79.2.1':
        with stream(name) as s, datagram(name) as d, datagram(name) as e:
            yield connect(s, name), connect(d, name), word(e.sendto, b'x', (name, UDP))


def heard(s, name):
    data, control, flags, peer = s.recvmsg(100, 500, MSG_ERRQUEUE)
    return (len(data), [(level, kind, value[:12]) for level, kind, value in control], flags,
            peer[:2] == (name, UDP))


def hear(s, seconds=0.3):
    """Nothing, mostly: whoever is sure to hear something waits for it."""
    s.settimeout(seconds)
    return word(s.recv, 9)


@case
def unreachable():
    """The other side's router says no"""
    for kind in cable.UNREACHABLE, cable.PROHIBITED:
        for family in 4, 6:
            name = host(kind, 1, family)
            with stream(name) as s, datagram(name) as d:
                told = 20 if kind == cable.PROHIBITED else 0.3  # the other error is a passing one
                yield connect(s, name), connect(d, name), d.send(b'x'), hear(d, told)
            level, option = (0, IP_RECVERR) if family == 4 else (41, IPV6_RECVERR)
            with datagram(name) as d:
                d.setsockopt(level, option, 1)
                yield d.sendto(b'lost', (name, UDP)), ready(d, events=0), heard(d, name), pending(d)


@case
def too_long():
    """Behind a narrow link: EMSGSIZE once that is known, and what the error queue tells"""
    for family, level, recverr, discover in (
            (4, 0, IP_RECVERR, IP_MTU_DISCOVER), (6, 41, IPV6_RECVERR, IPV6_MTU_DISCOVER)):
        name = host(cable.NARROW, next(gates), family)
        with datagram(name) as d:
            d.setsockopt(level, discover, PMTUDISC_DO)
            d.setsockopt(level, recverr, 1)
            yield d.sendto(b'x' * 1400, (name, UDP)), ready(d, events=0), heard(d, name)
            yield word(d.sendto, b'x' * 1400, (name, UDP)), heard(d, name)[0], word(d.sendto, b'x', (name, UDP))
            yield connect(d, name, UDP), word(d.send, b'x' * 1400), heard(d, name)[0]
            yield word(d.sendto, b'x' * 65508 * 2, (name, UDP))


@case
def datagrams():
    """Slow ones are waited for by nobody"""
    delays = [120, 80, 40, 1]
    with datagram(FAR) as s:
        for delay in delays:
            s.sendto(b'%d' % delay, (host(cable.DELAYED, delay), UDP))
        yield sorted(s.recv(9) for _ in delays)
        s.sendto(b'lost', (SILENT, UDP))
        yield hear(s)


def fast_open(name, blocking):
    """What MSG_FASTOPEN says, and whether the server had it."""
    with stream(name, blocking) as s:
        sent = word(s.sendto, b'hello', MSG_FASTOPEN, (name, ECHO))
        if not blocking:
            open_gate(name)
            ready(s, events=select.POLLOUT)
            return sent, pending(s), word(s.send, b'hello'), s.getpeername()[1]
        s.settimeout(20)
        return sent, s.recv(9)


@case
def fastopen():
    yield fast_open(host(cable.DELAYED, SOON), True)
    yield fast_open(gate(), False)
    with stream(SILENT) as s:
        send_timeout(s, 0.3)
        yield took(0.3, s.sendto, b'hello', MSG_FASTOPEN, (SILENT, GREETER))
    with stream(FAR) as s:
        yield word(s.sendto, b'hello', MSG_FASTOPEN, (host(cable.UNREACHABLE, 9), GREETER))


def run(name, out):
    try:
        for value in CASES[name]():
            print(name, value, file=out, flush=True)
    except Exception as error:  # told beside what the others tell
        print(name, repr(error), file=out, flush=True)


def start(name):
    """A process that runs a case, and the end from which what it prints is read."""
    end, other = os.pipe()
    if os.fork() == 0:
        signal.alarm(60)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        run(name, os.fdopen(other, 'w'))
        os._exit(0)
    os.close(other)
    return end


if __name__ == '__main__':
    first, names = int(sys.argv[1]) * 1000, sys.argv[2:] or list(CASES)
    ends = []
    for number, each in enumerate(names):
        gates = iter(range(first + number * 20, first + number * 20 + 20))
        ports = iter(range(10000 + first // 5 + number * 4, 10000 + first // 5 + number * 4 + 4))
        ends.append(start(each))
    for end in ends:
        print(os.fdopen(end).read(), end='', flush=True)
