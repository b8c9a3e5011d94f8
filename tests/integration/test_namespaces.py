# SPDX-License-Identifier: Apache-2.0
"""Programs that enter user, mount and pid namespaces: as natively where all is allowed, and held to
the names of the session's first mount namespace where not all is.
"""

import os
import shlex
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

import harness

BARE = ('bwrap', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink',
        'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64', '--ro-bind', '/etc', '/etc')
SHELL = 'cat /etc/hostname; readlink /proc/self; cat /proc/self/comm; ls /proc/self/fd/0'
# What runs natively and under usher; the output is the same.
PROGRAMS = (
    ('bwrap that changes nothing', ('bwrap', '--bind', '/', '/', 'cat', '/etc/hostname')),
    ('bwrap with a bare root', BARE + ('ls', '-a', '/', '/usr')),
    ('bwrap with a memory file system', BARE + (
        '--tmpfs', '/tmp', 'sh', '-c',
        'cd /tmp; echo a >b; mkdir c; mv b c/d; ln c/d e; ln -s e f; cat f; rm e; ls -R')),
    ('bwrap with a file in place of another', BARE + (
        '--ro-bind', '/etc/hostname', '/etc/passwd', 'sh', '-c', 'cat /etc/passwd; wc -l /etc/group')),
    ('bwrap with a read-only place', ('bwrap', '--ro-bind', '/', '/', 'sh', '-c', 'echo >x')),
    ('unshare, a user namespace', ('unshare', '-Ur', 'id')),
    ('bwrap with everything of its own', BARE + (
        '--unshare-all', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', 'sh', '-c',
        'cat /proc/self/uid_map; id -u; grep Uid /proc/self/status; echo a >/dev/shm/b; ls /dev /proc/sys; '
        'ls -ln /dev/null; readlink /dev/fd; cat /proc/self/mounts | wc -l')),
    ('bwrap, in bwrap', ('bwrap', '--unshare-user', '--dev-bind', '/', '/', 'bwrap', '--unshare-user',
                         '--uid', '5', '--dev-bind', '/', '/', 'cat', '/proc/self/uid_map')),
    ('unshare, capabilities', ('unshare', '-Ur', 'sh', '-c', """
        d=$(mktemp -d); cd $d; echo a >a; chmod 0 a .; cat a; echo b >b; chown 0:0 a; stat -c %u.%a a .
        test -r a && echo readable; mv a c; ln c d; cat d; rm -r $d; cat /etc/shadow >/dev/null &&
        echo shadow; mknod e c 1 3; touch own; chown 1:1 own; rm own""")),
    ('setpriv, then a user namespace', (
        'setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'unshare', '-Ur', 'sh',
        '-c', 'cat /etc/shadow; id -u; cat /proc/self/uid_map; ls -ln /etc/shadow')),
    ('capsh', ('capsh', '--drop=cap_chown,cap_dac_override,cap_dac_read_search', '--', '-c', """
        touch capsh; chmod 0 capsh; cat capsh; chown 1 capsh; rm -f capsh""")),
    ('unshare, no capabilities', ('unshare', '-U', 'sh', '-c', """
        grep -E 'Uid|Gid' /proc/self/status; cat /proc/self/uid_map; id -u; ls -ln /etc/hostname""")),
    ('unshare, mounts', ('unshare', '-Urm', 'sh', '-c', """
        mount -t tmpfs none /mnt && echo a >/mnt/a && cat /mnt/a && umount /mnt && ls /mnt
        mount --bind /etc /mnt && cat /mnt/hostname && rmdir /mnt; rm /mnt/nothing
        echo a >bound; mount --bind /usr/bin/true bound && cmp bound /usr/bin/true && echo same
        rm bound; mv bound other; umount bound; rm bound""")),
    ('unshare, what was taken off is held', ('unshare', '-Urm', 'sh', '-c', """
        mkdir held; touch self; mount --bind /usr/bin/cmp self; mount --bind /etc held
        exec 9<self 8<held; cd held; umount -l ../self; umount -l .
        /proc/self/fd/9 /proc/self/exe /usr/bin/cmp && echo same
        cmp hostname /etc/hostname && cmp /proc/self/fd/8/hostname /etc/hostname && echo same
        cd $OLDPWD; rm self; rmdir held; ls""")),
    ('unshare, message queues', ('unshare', '-Urmi', 'sh', '-c', """
        mount -t mqueue none /mnt && ls -a /mnt""")),
    ('unshare, another root', ('unshare', '-Urm', 'sh', '-c', """
        mount -t tmpfs none /mnt && mkdir /mnt/old /mnt/usr && mount --rbind /usr /mnt/usr &&
        ln -s usr/lib /mnt/lib && ln -s usr/lib64 /mnt/lib64 && ln -s usr/bin /mnt/bin &&
        cd /mnt && pivot_root . old && exec chroot . sh -c 'umount -l old; ls /; cat /usr/bin/true | wc -c'
        """)),
    ('unshare, processes', ('unshare', '-Urpf', '--mount-proc', 'sh', '-c', SHELL + """
        cat /proc/1/comm; ls /proc/self/task | wc -l; cat /proc/thread-self/comm; ls /proc/1/cwd | wc -l
        readlink /proc/$$/exe; sh -c 'cat /proc/$PPID/cmdline | tr "\\\\0" " "'""")),
    ('unshare, mounts in another root', ('unshare', '-Urm', 'sh', '-c', """
        mkdir -p root/usr root/proc; ln -sfn usr/bin root/bin; ln -sfn usr/lib root/lib
        ln -sfn usr/lib64 root/lib64; mount --rbind /usr root/usr
        exec chroot root sh -c 'mount -t tmpfs none /proc && echo a >/proc/a && cat /proc/* &&
        umount /proc && ls /proc; mount --bind /usr/bin /proc && cmp /proc/true /usr/bin/true && echo same'
        """)),
    ('nsenter', ('sh', '-c', """
        mkdir in; echo out >in/a; mkfifo ready
        unshare -Urm sh -c 'mount -t tmpfs none in; echo in >in/a; mount --bind /etc /mnt; echo >ready
        exec sleep 60' & child=$!
        read line <ready; here=$PWD; cat in/a /proc/$child/root$here/in/a /proc/$child/cwd/in/a
        cmp /proc/$child/root/mnt/hostname /etc/hostname && echo same; ls /mnt
        nsenter -t $child -U --preserve-credentials -m sh -c 'cat '$here'/in/a; cmp /mnt/hostname \
        /etc/hostname && echo same; mount -t tmpfs none /mnt; ls /mnt; echo b >/mnt/b; ls /mnt'
        ls /proc/$child/root/mnt; { kill $child; wait $child; } 2>/dev/null; rm -r in ready""")),
    ('unshare, processes in processes', ('unshare', '-Urpf', '--mount-proc', 'unshare', '-pf',
                                         '--mount-proc', 'sh', '-c', SHELL)),
)

POLICY = """
[files]
default = allow
deny EACCES all = {0}/secret/**
deny EACCES write create remove = {0}/kept/**
"""


# A process whose parent has ended, and a child of it, looked at in /proc.
ORPHANS = """
import os, time
numbers, told = os.pipe()
wait, held = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(held)
        open('/etc/hostname').close()
        child = os.fork()
        if child:
            os.write(told, b'%d %d' % (os.getpid(), child))
        os.read(wait, 1)
    os._exit(0)
os.wait()
for pid in os.read(numbers, 100).split():
    for entry in 'environ', 'maps', 'exe', 'fd/0':
        open(f'/proc/{int(pid)}/{entry}', 'rb').close()
    print(os.listdir(f'/proc/{int(pid)}/fd'), os.readlink(f'/proc/{int(pid)}/cwd') == os.getcwd())
"""


# A session whose first process ends at once, and one that it leaves behind, which makes no other
# until it is told to look.
STRAY = r'''
echo $$ >first
trap '' HUP
(read pid <go; cat "/proc/$pid/environ" 2>&1 >/dev/null |
	sed 's/.*: /session: /' >seen.new; mv seen.new seen) >/dev/null 2>&1 &
'''
# The number of the one is given to a process outside, at which the other then looks.
TAKE_NUMBER = r'''
mkfifo go
eval "$1"
first=$(cat first)
while test -e "/proc/$first"; do sleep 0.02; done
sleep 0.1 # numbers do not come round within the tick of the clock that starts are told in
for try in 1 2 3 4 5 6 7 8 9 10; do # a new thread of the broker may be quicker
	echo $((first - 1)) >/proc/sys/kernel/ns_last_pid
	sleep 60 &
	test $! = "$first" && echo number taken && break
	kill $!
done
echo $first >go
until test -e seen; do sleep 0.02; done
cat seen
'''


@harness.both_modes
class Programs(unittest.TestCase):
    """as natively"""

    def test_programs(self, mode):
        """programs with namespaces of their own"""
        place = harness.workdir('namespaces')
        for name, command in PROGRAMS:
            native = harness.run(command, 'native', cwd=place)
            with self.subTest(name):
                got = harness.run(command, mode, 'everything', cwd=place)
                self.assertEqual((got.returncode, got.stdout, got.stderr),
                                 (native.returncode, native.stdout, native.stderr))


    def test_orphans(self, mode):
        """a process whose parent has ended is one of the session's still"""
        native = harness.run(('python3', '-c', ORPHANS), 'native')
        self.assertEqual(len(native.stdout.splitlines()), 2, native.stderr)
        got = harness.run(('python3', '-c', ORPHANS), mode, 'everything')
        self.assertEqual((got.stdout, got.stderr), (native.stdout, native.stderr))


class Numbers(unittest.TestCase):
    def test_foreign_proc(self):
        """where /proc has another namespace's numbers nothing is run, and it is told why"""
        place = harness.workdir('numbers')
        command = harness.usher_command(['touch', 'made'], policy='everything')
        result = subprocess.run(['unshare', '-Urpf', *command], cwd=place,
                                env=harness.environment(), stderr=subprocess.PIPE, timeout=harness.SECONDS)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b'/proc is that of another process namespace', result.stderr)
        self.assertFalse((place / 'made').exists())

    def test_number_of_the_first(self):
        """who has the number of the first process, which has ended, is not of the session"""
        command = shlex.join(map(str, harness.usher_command(['/bin/sh', '-c', STRAY],
                                                            policy='everything')))
        result = subprocess.run(
            ['unshare', '-Urpmf', '--mount-proc', '/bin/bash', '-c', TAKE_NUMBER, 'take', command],
            cwd=harness.workdir('number'), env=harness.environment(), stdout=subprocess.PIPE,
            timeout=harness.SECONDS)
        self.assertEqual(result.stdout, b'number taken\nsession: Permission denied\n')


@harness.both_modes
class Names(unittest.TestCase):
    """the policy holds by the names of the first namespace"""

    def setUp(self):
        self.place = harness.workdir('names')
        for name in ('secret', 'kept', 'open', 'empty'):
            (self.place / name).mkdir()
            (self.place / name / 'file').write_text(name + '\n')
        self.policy = harness.policy(POLICY.format(self.place))

    def tearDown(self):
        shutil.rmtree(self.place)

    def shell(self, mode, script, prefix=('unshare', '-Urm')):
        done = harness.run((*prefix, 'sh', '-c', script), mode, self.policy, cwd=self.place)
        return done.stdout.decode().split()

    def both(self, mode, script, native, under_usher, **more):
        self.assertEqual(self.shell('native', script, **more), native)
        self.assertEqual(self.shell(mode, script, **more), under_usher)

    def test_bound(self, mode):
        """a bound file has the name that it has in the first namespace"""
        self.both(mode, 'mount --bind secret empty; cat empty/file; cat open/file',
                  ['secret', 'open'], ['open'])
        self.both(mode, 'mount --bind open secret; cat secret/file', ['open'], ['open'])

    def test_written(self, mode):
        """what may not be written may not be by another name"""
        self.both(mode, 'mount --bind kept empty; (echo new >empty/file); cat empty/file; rm -f '
                  'empty/file; mkdir -p empty/d && rmdir empty/d && echo made; echo kept >empty/file',
                  ['new', 'made'], ['kept'])
        self.assertEqual((self.place / 'kept/file').read_text(), 'kept\n')

    def test_memory(self, mode):
        """a memory file system is nobody's but the session's, whatever it lies over"""
        self.both(mode, 'mount -t tmpfs none secret; echo new >secret/a; mkdir secret/b; mv secret/a '
                  'secret/b; cat secret/b/a; ln -s ../../kept/file secret/l', ['new'], ['new'])

    def test_overlay(self, mode):
        """what an overlay shows has no name that could be judged"""
        script = ('mount -t tmpfs none empty; mkdir empty/u empty/w empty/m; mount -t overlay none '
                  f'-o lowerdir={self.place}/secret:{self.place}/open empty/m; cat empty/m/file')
        self.both(mode, script, ['secret'], [])

    def test_successor(self):
        """a broker that comes later judges by the same names"""
        command = ('unshare', '-Urm', 'sh', '-c', 'mount --bind secret empty; echo $PPID; read go; '
                   'cat empty/file; cat open/file; mount --bind open empty; cat empty/file')
        process = subprocess.Popen(
            harness.usher_command(command, 'embedded', self.policy), cwd=self.place,
            env=harness.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        broker = int(process.stdout.readline())
        self.assertEqual(Path(f'/proc/{broker}/comm').read_text(), 'usher-broker\n')
        os.kill(broker, signal.SIGKILL)
        output, errors = process.communicate(b'go\n', timeout=harness.SECONDS)
        self.assertEqual(output.split(), [b'open', b'open'], errors)
        self.assertIn(b'Permission denied', errors)

    def test_outside(self, mode):
        """a process outside leads to what has a name in the first namespace, by that name"""
        elsewhere = ('unshare', '-Urm', 'sh', '-c', 'mount -t tmpfs none /mnt; echo in >/mnt/file; '
                     'echo ready; exec sleep 100')
        with subprocess.Popen(('sleep', '100'), cwd=self.place / 'open') as near, \
                subprocess.Popen(elsewhere, stdout=subprocess.PIPE) as far:
            self.assertEqual(far.stdout.readline(), b'ready\n')
            try:
                self.both(mode, f'cd /proc/{near.pid}; cat cwd/file root{self.place}/open/file '
                          f'cwd/../secret/file root{self.place}/secret/file; readlink root; '
                          f'cat /proc/{far.pid}/root/mnt/file',
                          ['open', 'open', 'secret', 'secret', '/', 'in'], ['open', 'open', '/'],
                          prefix=('env',))
            finally:
                near.kill()
                far.kill()

    def test_first_namespace(self, mode):
        """nobody changes the first namespace"""
        words = self.shell(mode, 'mount -t tmpfs none empty; umount empty; echo $?', ('env',))
        self.assertNotEqual(words, ['0'])
        self.assertEqual(os.listdir(self.place / 'empty'), ['file'])


class Root(unittest.TestCase):
    """what only root can set up"""

    setUp = Names.setUp
    tearDown = Names.tearDown

    def test_settings(self):
        """what is written to a setting of a namespace of one's own changes that of no other"""
        for option, file, value in (('-n', '/proc/sys/net/ipv4/ip_default_ttl', '77'),
                                    ('-i', '/proc/sys/kernel/msgmni', '501')):
            change = f'echo {value} >{file}; cat {file}'
            for own, mine in (False, value), (True, None):
                with self.subTest(file=file, own=own):
                    inner = ('unshare', option, 'sh', '-c', f'"{change}"') if own else (
                        'sh', '-c', f'"{change}"')
                    inner = ' '.join(harness.usher_command(inner, 'embedded', 'everything'))
                    # All of it in namespaces that nobody else has.
                    done = harness.run(
                        ('unshare', '-ni', 'sh', '-c', f'cat {file}; {inner}; cat {file}'),
                        'native', cwd=self.place)
                    before, _, after = done.stdout.decode().split()
                    self.assertEqual(after, mine or before, done.stderr)
                    self.assertEqual(b'Permission denied' in done.stderr, own)

    def test_device(self):
        """a device in memory is the one that has its number in /dev"""
        policy = harness.policy('[files]\ndefault = allow\ndeny EACCES read = /dev/zero\n')
        script = ('mount -t tmpfs none empty; cd empty; mknod null c 1 3; mknod zero c 1 5; '
                  'echo lost >null; cat null; head -c 3 zero | wc -c; rm null zero; ls')
        for policy_name, mode, count in ((policy, 'native', b'3'), (policy, 'embedded', b'0'),
                                         ('everything', 'embedded', b'3')):
            with self.subTest(mode=mode, policy=policy_name):
                done = harness.run(('unshare', '-m', 'sh', '-c', script), mode, policy_name,
                                   cwd=self.place)
                self.assertEqual(done.stdout.split(), [count], done.stderr)

    def test_reused_device(self):
        """a file system in memory whose device was that of another, which is gone, is the session's"""
        inner = shlex.join(map(str, harness.usher_command(
            ('sh', '-c', 'echo >ready; read x <go; exec unshare -m sh -c "$1"', 'sh',
             'mount -t tmpfs none empty; stat -c %d empty; echo new >empty/a; cat empty/a'),
            policy='everything')))
        script = ('mkfifo ready go; for i in $(seq 20); do mkdir m$i; mount -t tmpfs none m$i; '
                  f'stat -c %d m$i; done; (read x <ready; umount m*; echo >go) & {inner}; wait')
        done = harness.run(('unshare', '-m', 'sh', '-c', script), 'native', cwd=self.place)
        *before, device, content = done.stdout.decode().split()
        self.assertEqual((len(before), content), (20, 'new'), done.stderr)
        self.assertIn(device, before)

    def test_time(self):
        """who may shift the clocks of a namespace of time that is new, may"""
        for mode in 'native', 'embedded', 'daemon':
            done = harness.run(('unshare', '-T', '--boottime', '1000000000', 'sh', '-c',
                                'read up idle </proc/uptime; test "${up%.*}" -ge 1000000000'),
                               mode, 'everything', cwd=self.place)
            self.assertEqual((done.returncode, done.stderr), (0, b''), mode)

    def test_propagation(self):
        """no mount is made that happens in the first namespace, too"""
        inner = ' '.join(harness.usher_command(
            ('unshare', '-m', '--propagation', 'unchanged', 'sh', '-c',
             '"mount --bind secret empty || echo refused; mount --make-rprivate /; '
             'mount --bind secret empty && echo bound"'), 'embedded', self.policy))
        done = subprocess.run(
            ('unshare', '-m', '--propagation', 'shared', 'sh', '-c', f'{inner}; cat empty/file'),
            cwd=self.place, env=harness.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.stdout.split(), [b'refused', b'bound', b'empty'])

    def test_propagation_of_another_root(self):
        """who sees only a part of his namespace mounts nothing that happens in the first one"""
        script = """
import ctypes, os
mount = ctypes.CDLL(None, use_errno=True).mount
os.chroot('private')
print(mount(b'secret', b'empty', None, 4096, None) or 'bound')
"""
        (self.place / 'bind.py').write_text(script)
        (self.place / 'private').mkdir()
        command = ('unshare', '-m', '--propagation', 'unchanged', 'sh', '-c',
                   'mount --make-private private; exec /usr/bin/python3 bind.py')
        for usher, expected in (
                ((), ['bound', 'secret']),
                (harness.usher_command((), 'embedded', self.policy), ['-1', 'empty'])):
            with self.subTest(usher=usher):
                done = subprocess.run(
                    ('unshare', '-m', '--propagation', 'shared', 'sh', '-c',
                     'mount -t tmpfs none private; "$@"; cat empty/file', '-', *usher, *command),
                    cwd=self.place, env=harness.environment(), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.stdout.decode().split(), expected, done.stderr)

    def test_another_root(self):
        """who has changed his root mounts what a process sees that has not"""
        (self.place / 'bind.py').write_text("""
import ctypes, os
mount = ctypes.CDLL(None, use_errno=True).mount
os.chroot('open')
print(mount(b'kept', b'empty', None, 4096, None) or 'bound')
""")
        command = ('unshare', '-m', 'sh', '-c', '/usr/bin/python3 bind.py; cat empty/file')
        done = harness.run(command, 'embedded', self.policy, cwd=self.place)
        self.assertEqual(done.stdout.decode().split(), ['bound', 'kept'], done.stderr)

    def test_hidden(self):
        """what a mount hides in the first namespace has no name"""
        inner = ' '.join(harness.usher_command(
            ('unshare', '-m', 'sh', '-c',
             '"umount secret && cat secret/file; mount --bind . empty; cat empty/secret/file"'),
            'embedded', harness.policy(POLICY.format('/nowhere'))))
        script = f'mount -t tmpfs none secret; echo shown >secret/file; cat secret/file; {inner}'
        done = subprocess.run(('unshare', '-m', 'sh', '-c', script), cwd=self.place,
                              env=harness.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.stdout.split(), [b'shown'])
        self.assertEqual(done.stderr.count(b'Permission denied'), 2, done.stderr)

    def test_given_up(self):
        """who is not root, and gives capabilities up, has them no more in the broker either"""
        able = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
                '--inh-caps=+dac_override', '--ambient-caps=+dac_override')
        command = harness.usher_command(
            ('sh', '-c', 'cat closed; capsh --caps= -- -c "cat closed"'), 'embedded', 'everything')
        (self.place / 'closed').write_text('content')
        (self.place / 'closed').chmod(0o600)
        done = subprocess.run((*able, *command), cwd=self.place, env=harness.environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.stdout, b'content', done.stderr)
        self.assertIn(b'cat: closed: Permission denied', done.stderr)


if os.geteuid() != 0:
    del Root  # others can neither share mounts, take away what hides, nor hand capabilities on

if __name__ == '__main__':
    unittest.main()
