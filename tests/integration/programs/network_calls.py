# SPDX-License-Identifier: Apache-2.0
"""What sockets of the internet are told and asked beside their address, one line for each: control
messages, the error queue, options that choose the way, broadcasts and groups. The test compares
what it prints natively with what it prints in either network.
"""

import errno, os, select, socket, struct, sys
far, far6, here, here6 = sys.argv[1:5]
port, closed, web = map(int, sys.argv[5:])
IP_RECVERR, IPV6_RECVERR, IP_TTL, IP_TOS, IP_PKTINFO, IPV6_PKTINFO = 11, 25, 2, 1, 8, 50
MSG_ERRQUEUE, TCP_FASTOPEN_CONNECT, IPV6_HOPLIMIT, IPV6_TCLASS = 0x2000, 30, 52, 67
def tell(name, function):
    try:
        print(name, function(), flush=True)
    except OSError as error:
        print(name, errno.errorcode.get(error.errno, error), flush=True)
def datagram(host):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    return s
def asked(host, control, flags=0):
    def run():
        with datagram(host) as s:
            sent = s.sendmsg([b'x' * 77], control, flags, (host, port))
            return sent, s.recv(100), s.getsockname()[0]
    return run
tell('plain', asked(far, []))
source = struct.pack('=i4s4s', 0, socket.inet_aton(here), bytes(4))
tell('pktinfo', asked(far, [(0, IP_PKTINFO, source)]))
tell('pktinfo, not ours', asked(far, [(0, IP_PKTINFO, struct.pack('=i4s4s', 0, socket.inet_aton('192.0.2.9'), bytes(4)))]))
tell('pktinfo, no device', asked(far, [(0, IP_PKTINFO, struct.pack('=i4s4s', 99, bytes(4), bytes(4)))]))
tell('pktinfo, short', asked(far, [(0, IP_PKTINFO, b'1234')]))
six = socket.inet_pton(socket.AF_INET6, here6)
tell('pktinfo6', asked(far6, [(41, IPV6_PKTINFO, six + struct.pack('=I', 0))]))
tell('pktinfo6, not ours', asked(far6, [(41, IPV6_PKTINFO, socket.inet_pton(socket.AF_INET6, '2001:db8::9') + struct.pack('=I', 0))]))
tell('ttl, tos', asked(far, [(0, IP_TTL, struct.pack('=i', 9)), (0, IP_TOS, struct.pack('=i', 16))]))
tell('ttl, bad', asked(far, [(0, IP_TTL, struct.pack('=i', 0))]))
tell('hoplimit, tclass', asked(far6, [(41, IPV6_HOPLIMIT, struct.pack('=i', 9)), (41, IPV6_TCLASS, struct.pack('=i', 16))]))
tell('unknown control', asked(far, [(0, 99, b'1234')]))
tell('txtime unset', asked(far, [(1, 61, struct.pack('=Q', 1))]))
tell('mark', asked(far, [(1, 36, struct.pack('=I', 7))]))
tell('dontroute', asked(far, [], socket.MSG_DONTROUTE))
tell('confirm', asked(far, [], 0x800))
def mark():
    with datagram(far) as s:
        s.setsockopt(socket.SOL_SOCKET, 36, 7)
        s.connect((far, port))
        return s.getsockopt(socket.SOL_SOCKET, 36)
tell('SO_MARK', mark)
def received(host, level, option, kind):
    def run():
        with datagram(host) as s:
            s.setsockopt(level, option, 1)
            s.sendto(b'x', (host, port))
            data, control, flags, peer = s.recvmsg(100, 200)
            return data, [(c[0], c[1], len(c[2])) for c in control], flags, peer
    return run
tell('received pktinfo', received(far, 0, IP_PKTINFO, 8))
tell('received ttl', received(far, 0, 12, 2))
tell('received tos', received(far, 0, 13, 1))
tell('received pktinfo6', received(far6, 41, 49, 50))
def refused(host, level, option, connects):
    def run():
        with datagram(host) as s:
            s.setsockopt(level, option, 1)
            if connects:
                s.connect((host, closed))
                s.send(b'lost')
            else:
                s.sendto(b'lost', (host, closed))
            poll = select.poll()
            poll.register(s, 0)
            events = poll.poll(5000)
            data, control, flags, peer = s.recvmsg(100, 500, MSG_ERRQUEUE)
            return events[0][1], data, [(c[0], c[1], c[2][:8]) for c in control], flags, peer, s.getsockopt(1, 4)
    return run
tell('errqueue', refused(far, 0, IP_RECVERR, False))
tell('errqueue, connected', refused(far, 0, IP_RECVERR, True))
tell('errqueue6', refused(far6, 41, IPV6_RECVERR, False))
def refused_plain():
    with datagram(far) as s:
        s.connect((far, closed))
        s.send(b'lost')
        return s.recv(10)
tell('refused', refused_plain)
def device(name):
    def run():
        with datagram(far) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            s.sendto(b'x', (far, port))
            return s.recv(10), s.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    return run
tell('device none', device(b'none0\0'))
def fastopen_connect():
    with socket.socket() as s:
        s.settimeout(5)
        s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        s.connect((far, web))
        return s.send(b'GET /file HTTP/1.0\r\n\r\n'), len(s.recv(5)), s.getpeername()
tell('fastopen connect', fastopen_connect)
def broadcast(allowed):
    def run():
        with datagram(far) as s:
            if allowed:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return s.sendto(b'x', ('10.77.0.255', port))
    return run
tell('broadcast, not asked for', broadcast(False))
tell('broadcast', broadcast(True))
def broadcast_connect(allowed):
    def run():
        with datagram(far) as s:
            if allowed:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.connect(('10.77.0.255', port))
            return s.send(b'x')
    return run
tell('broadcast connect, not asked for', broadcast_connect(False))
tell('broadcast connect', broadcast_connect(True))
def member(address, interface):
    def run():
        with datagram(far) as s:
            s.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address) + socket.inet_aton(interface))
            return 0
    return run
tell('member, no group', member('10.1.2.3', here))
def multicast():
    with datagram(far) as s:
        s.setsockopt(0, socket.IP_MULTICAST_TTL, 3)
        s.setsockopt(0, socket.IP_MULTICAST_LOOP, 0)
        return s.sendto(b'x', ('239.1.2.3', port)), s.getsockopt(0, socket.IP_MULTICAST_TTL), s.getsockopt(0, socket.IP_MULTICAST_LOOP)
tell('multicast', multicast)
def options6():
    with datagram(far6) as s:
        s.setsockopt(41, 26, 1)
        s.connect((far6, port))
        return s.getsockopt(41, 26)
tell('v6only', options6)
def mapped():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(b'x', ('::ffff:' + far, port))
        return s.recvfrom(10)
tell('mapped', mapped)
def scope():
    with datagram(far6) as s:
        return s.sendto(b'x', ('fe80::1', port, 0, 0))
tell('link-local without a zone', scope)
def reconnect():
    with datagram(far) as s:
        s.connect((far, port)); one = s.getpeername()
        s.connect((far, closed)); return one, s.getpeername()
tell('reconnect', reconnect)
def bound():
    with socket.socket() as s:
        s.settimeout(5)
        s.bind((here, 0)); s.connect((far, web))
        return s.getsockname()[0] == here, s.getpeername()
tell('bound before', bound)
def shut():
    with socket.socket() as s:
        s.settimeout(5)
        s.connect((far, web)); s.shutdown(socket.SHUT_WR)
        return s.recv(10)
tell('shut down', shut)
def zerocopy():
    with datagram(far) as s:
        s.setsockopt(1, 60, 1)
        s.connect((far, port))
        sent = s.send(b'z' * 100, 0x4000000)
        s.recv(10)
        d, c, f, p = s.recvmsg(1, 200, MSG_ERRQUEUE)
        return sent, [(x[0], x[1]) for x in c]
tell('zerocopy', zerocopy)
