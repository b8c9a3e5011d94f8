# SPDX-License-Identifier: Apache-2.0
"""What there is to ask test_dns.py's nameserver for, and programs that ask and connect to what they
are told. To be imported in the network where that nameserver is (nameserver.py).
"""

import functools
import subprocess

import harness
import nameserver

CHAIN = 9
ZONE = {
    'www.test.example': ['198.51.100.1', '2001:db8::1'],
    'web.test.example': ['198.51.100.2'],
    'secret.other.example': ['198.51.100.3'],
    'other.example': ['198.51.100.3'],
    'many.test.example': [f'203.0.113.{i}' for i in range(1, 61)],
    'chain.test.example': '0.chain.example',
    **{f'{i}.chain.example': f'{i + 1}.chain.example' for i in range(CHAIN)},
    f'{CHAIN}.chain.example': ['198.51.100.2'],
    'round.test.example': 'round.chain.example',
    'round.chain.example': 'round.test.example',
    'rebound.test.example': ['127.0.0.1', '::1', '169.254.169.254', '::ffff:127.0.0.1'],
    'silent.test.example': None,
    **{f'n{i}.test.example': ['198.51.100.1'] for i in range(100)},
    'asked.alias.example': ['198.51.100.2'],
    'ftp.gnu.org': ['198.51.100.2'],
    'inside.gnu.org': ['10.0.0.1'],
}

# What every program below may use: connect and resolve say what came of it in a word.
PRELUDE = """
import errno, os, select, socket, struct, sys, threading, time

SERVER = sys.argv[1]

def resolve(name, family=socket.AF_UNSPEC):
    try:
        found = socket.getaddrinfo(name, 1, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        return {socket.EAI_NONAME: 'unknown', socket.EAI_AGAIN: 'again'}.get(error.errno, str(error))
    return ' '.join(sorted({each[4][0] for each in found}))

def connect(host, port=443):
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET) as s:
        s.settimeout(10)
        error = s.connect_ex((host, port))
        if error:
            return errno.errorcode.get(error, error)
        if port == 80:
            s.sendall(b'GET / HTTP/1.0')
        return s.recv(100).decode().replace('::ffff:', '').split()[-1]

def ask(message, server=SERVER, stream=False):
    with socket.socket(type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((server, 53))
        s.sendall(len(message).to_bytes(2, 'big') + message if stream else message)
        return s.recv(65535)[2 if stream else 0:]

def code(answer):
    return answer[3] & 15, int.from_bytes(answer[6:8], 'big')
"""


# Behind the name of one stands what may not be asked for, and what is no name of a host.
OTHERS = {
    ('mail.test.example', nameserver.MX): [
        b'\0\x0a' + nameserver.encode('www.test.example'),
        b'\0\x14' + nameserver.encode('www.other.example'),
        b'\0\x1e' + nameserver.encode('no host.example')],
    ('mail.test.example', nameserver.TXT): [b'\x0bv=spf1 -all\x06second'],
    ('_xmpp._tcp.test.example', nameserver.SRV): [
        b'\0\1\0\2\x14\x66' + nameserver.encode('www.test.example')],
    ('other.example', nameserver.MX): [b'\0\1' + nameserver.encode('other.example')],
}


@functools.cache
def go_program():
    """Resolves its arguments, all at once, by Go's own resolver."""
    place = harness.workdir('go')
    (place / 'main.go').write_text("""
package main

import ("context"; "errors"; "fmt"; "net"; "os"; "sort"; "strings"; "sync")

func main() {
	results := make([]string, len(os.Args)-1)
	resolver := net.Resolver{PreferGo: true}
	var all sync.WaitGroup
	for i, name := range os.Args[1:] {
		all.Add(1)
		go func(i int, name string) {
			defer all.Done()
			addresses, err := resolver.LookupHost(context.Background(), name)
			sort.Strings(addresses)
			results[i] = strings.Join(addresses, " ")
			var failure *net.DNSError
			if errors.As(err, &failure) {
				results[i] = failure.Err
			}
		}(i, name)
	}
	all.Wait()
	fmt.Println(strings.Join(results, "\\n"))
}
""")
    subprocess.run(['go', 'build', '-o', place / 'lookup', place / 'main.go'], check=True,
                   env={**harness.environment(), 'CGO_ENABLED': '0', 'GOFLAGS': '-mod=mod',
                        'GOCACHE': str(place / 'cache'), 'GO111MODULE': 'off'})
    return place / 'lookup'


def lines(result):
    return result.stdout.decode().splitlines() or result.stderr.decode().splitlines()


def python(text, mode, policy, *arguments, **more):
    """The lines that a program under usher prints."""
    return lines(harness.run(['/usr/bin/python3', '-I', '-S', '-c', PRELUDE + text,
                              nameserver.SERVER, *arguments], mode, policy, **more))
