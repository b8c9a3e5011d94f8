#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes every attack natively, where it must succeed, and under a policy, where it must not.

Of each attack four things are tested: that it works natively (else it shows nothing), that under
usher it is refused with the errno of the policy, that nothing has happened in spite of it, and that
its twin, which goes the same road to what is allowed, gets there. Patterns given as arguments choose
attacks; --seconds N is how long each race lasts.
"""
import argparse
import fnmatch
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get('USHER_BUILD', 'build'))
SOURCE = os.environ.get('USHER_SOURCE', os.path.join(os.path.dirname(__file__), '../..'))
MODE = os.environ.get('USHER_TEST_MODE', 'embedded')
PROGRAM = os.path.join(BUILD, 'tests/attacks/attack')
OUTSIDER = os.path.join(BUILD, 'tests/attacks/outsider')
USHER = os.path.join(BUILD, 'client/usher')
POLICY = f'attacks-{os.getpid()}'
PATIENCE = 10  # seconds of a race
SECONDS = 180 * float(os.environ.get('USHER_TEST_PATIENCE', '1'))  # of what must not hang

# How an attack whose name begins so may be refused; the first that fits counts.
REFUSALS = (
    ('foreign-handle', {'EPERM'}),
    ('foreign-wide-number', {'ENOSYS', 'EACCES'}),
    ('foreign-', {'ENOSYS'}),
    ('socket-kind-packet', {'ESOCKTNOSUPPORT'}),
    ('socket-', {'EPROTONOSUPPORT'}),
    ('address-', {'EHOSTUNREACH'}),
    ('race-port', {'EHOSTUNREACH'}),
    ('send-routed', {'EPERM'}),
    ('send-unix-hard-link', {'EACCES', 'EXDEV', 'EPERM'}),
    ('send-', {'EHOSTUNREACH'}),
    ('bind-', {'EHOSTUNREACH'}),
    ('race-send', {'EHOSTUNREACH'}),
    ('race-bind', {'EHOSTUNREACH'}),
    ('race-rights', {'EBADF', 'EINVAL'}),
    ('race-unix', {'EHOSTUNREACH'}),
    ('race-descriptor', {'EHOSTUNREACH'}),
    ('namespace-', {'EACCES', 'EPERM'}),
    ('mount-socket', {'EHOSTUNREACH'}),
    ('mount-', {'EACCES', 'EPERM'}),
    ('sibling-flags', {'ENOTTY'}),
    ('sibling-version', {'ENOTTY'}),
    ('setns-file', {'EACCES'}),
    ('setns-', {'EPERM'}),
    ('race-setns', {'EPERM', 'EINVAL'}),
    ('process-proc', {'EACCES'}),
    ('process-memory-file', {'EACCES'}),
    ('process-key', {'ENOKEY'}),
    ('process-', {'EPERM', 'ESRCH', 'ENOSYS'}),
    ('move-', {'EACCES', 'EXDEV'}),
    ('proc-broker', {'EACCES', 'ENOENT'}),
    ('', {'EACCES'}),
)
# Natively there is no broker to be had, and every road to /proc/self is one's own.
NO_CONTROL = {'change-name_to-another', 'proc-broker', 'proc-without-broker', 'race-rights'}
ALWAYS_OWN = {'proc-environment'}
# Looking without opening.
LOOKS = tuple('change-' + call for call in (
    'stat', 'lstat', 'newfstatat', 'access', 'faccessat', 'readlink', 'getxattr', 'lgetxattr',
    'listxattr', 'llistxattr', 'inotify', 'name_to', 'chdir', 'open-path'))
# Refused to everybody, whatever it is asked of: a caller does without.
NO_TWIN = ('foreign-', 'change-name_to-another', 'process-pidfd_getfd', 'process-core', 'process-key',
           'namespace-open', 'namespace-overlay', 'mount-attached', 'race-setns',
           'sibling-core', 'sibling-flags', 'sibling-version')
# Doors that a kernel may lack: then the control is that it says so.
MAYBE_ABSENT = {'foreign-x32-open'}
# Tried once more where Landlock decides instead of the broker: roads, other calls, holds by /proc, and
# races, none of which makes a name where that policy denies it.
BY_LANDLOCK = ('road-absolute', 'road-*dots', 'road-proc-*', 'road-reopen-[dost]*', 'road-reopen-child',
               'road-dirfd*', 'road-*chdir', 'road-thread-*', 'road-in-root*', 'sibling-[adoruw]*', 'sibling-creat*',
               'process-proc-[cf]*', 'held-proc-truncate', 'held-hard-link', 'race-rewritten',
               'race-final-link')
# And where a policy leaves reading to it with all of /proc, and the rest to the broker.
BY_KERNEL = ('road-absolute', 'road-proc-*', 'road-reopen-self', 'road-in-root', 'sibling-open*',
             'process-proc-[cf]*', 'held-hard-link', 'race-final-link')
# And where only reading, or only connecting is denied: what is moved or linked has another name.
BY_READING = ('move-directory*', 'move-by-dirfd', 'move-exchange*', 'move-to-*')
BY_CONNECTING = ('send-unix-hard-link',)
# What cannot be made by every user, in every mode or on every machine; of others that is a failure.
MAYBE_IMPOSSIBLE = {'change-name_to-another', 'foreign-handle', 'proc-without-broker', 'address-smc', 'address-smc-protocol',
                    'socket-kind-packet', 'move-leaving', 'send-routed', 'send-routed-socket',
                    'sibling-core', 'sibling-flags', 'sibling-version'}


class World:
    """The directory, the listening sockets and the process outside that an attack is made on."""

    def __init__(self, directory):
        self.directory = directory
        self.listeners = {}
        for name, content in (('dirA', 'allowed\n'), ('dirS', 'secret\n'), ('dirR', 'readable\n'),
                              ('dirC', 'closed\n')):
            os.makedirs(os.path.join(directory, name))
            with open(os.path.join(directory, name, 'file'), 'w') as file:
                file.write(content)
        os.mkdir(os.path.join(directory, 'dirM'))
        self.victims()
        for path, content in (('dirM/target', 'allowed\n'), ('dirA/other', 'allowed\n'),
                              ('dirM/kept.key', 'secret\n')):
            with open(os.path.join(directory, path), 'w') as file:
                file.write(content)
        self.ports = {'denied_port': self.port('denied', range(23400, 23500)),
                      'local_port': self.port('local', range(23500, 23600)),
                      'stream_port': self.port('stream', range(23600, 23700)),
                      'allowed_port': self.port('allowed', range(23700, 23800))}
        self.unix()
        self.outsider = subprocess.Popen([OUTSIDER, 'dirS/file', 'dirM'], cwd=directory,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ports['outsider'] = self.outsider.stdout.readline().decode().strip()
        self.before = self.state()

    def victims(self):
        """What may be changed and what may not (see change.h), and directories with such in them."""
        for name in ('dirA', 'dirS'):
            victim = os.path.join(self.directory, name, 'victim')
            with open(victim, 'w') as file:
                file.write('victim\n')
            os.setxattr(victim, 'user.mark', b'm')
            os.mkdir(os.path.join(self.directory, name, 'sub'))
            os.symlink('victim', os.path.join(self.directory, name, 'lnk'))
        for name, content in (('dirN', 'secret\n'), ('dirO', 'allowed\n')):
            os.makedirs(os.path.join(self.directory, name, 'kept'))
            with open(os.path.join(self.directory, name, 'kept', 'file'), 'w') as file:
                file.write(content)

    def listen(self, name, family, kind, address):
        """Binds a socket, and remembers it under the name of what may be reached by it."""
        bound = socket.socket(family, kind)
        try:
            bound.bind(address)
            if kind == socket.SOCK_STREAM:
                bound.listen(64)
        except OSError:
            bound.close()
            raise
        bound.setblocking(False)
        self.listeners.setdefault(name, []).append(bound)

    def port(self, name, ports):
        """A port that is free for tcp on both loopback addresses, and for the names made of it."""
        before = {key: list(value) for key, value in self.listeners.items()}
        for port in ports:
            try:
                self.listen(name, socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', port))
                self.listen(name, socket.AF_INET6, socket.SOCK_STREAM, ('::1', port))
                if name == 'allowed':
                    self.abstract(port)
                return port
            except OSError:
                for key, sockets in self.listeners.items():
                    for bound in sockets[len(before.get(key, [])):]:
                        bound.close()
                self.listeners = {key: list(value) for key, value in before.items()}
        raise RuntimeError('no free port for ' + name)

    def abstract(self, port):
        for name, word in (('allowed', 'open'), ('denied', 'secret')):
            self.listen(name, socket.AF_UNIX, socket.SOCK_STREAM, f'\0usher-{word}-{port}')

    def unix(self):
        """Unix sockets; they are bound under relative names, which are short."""
        here = os.getcwd()
        os.chdir(self.directory)
        for name, path in (('allowed', 'dirA'), ('denied', 'dirS')):
            self.listen(name, socket.AF_UNIX, socket.SOCK_STREAM, path + '/socket')
            self.listen(name, socket.AF_UNIX, socket.SOCK_DGRAM, path + '/datagram')
        os.chdir(here)

    def state(self):
        """What an attack could have changed: names, modes and contents of what is denied."""
        found = {}
        for name in ('dirS', 'dirR', 'dirC', 'dirN', 'dirN/kept'):
            if not os.path.isdir(os.path.join(self.directory, name)):
                continue
            for entry in os.scandir(os.path.join(self.directory, name)):
                status = entry.stat(follow_symlinks=False)
                content = None
                marks = None
                if stat.S_ISREG(status.st_mode):
                    with open(entry.path, 'rb') as file:
                        content = file.read()
                    marks = os.listxattr(entry.path)
                found[name + '/' + entry.name] = (
                    status.st_mode, status.st_uid, status.st_gid, status.st_nlink,
                    status.st_mtime_ns, marks, content)
        return found

    def connections(self):
        """How many connections have come where none may come."""
        count = 0
        for name in ('denied', 'local'):
            for bound in self.listeners[name]:
                while bound.type == socket.SOCK_STREAM:
                    try:
                        bound.accept()[0].close()
                        count += 1
                    except OSError:
                        break
        return count

    def finish(self):
        """Ends everything; returns what has happened that should not have, in words."""
        events = []
        after = self.state()
        for path in sorted(set(self.before) | set(after)):
            if self.before.get(path) != after.get(path):
                events.append('%s: %r became %r' % (path, self.before.get(path), after.get(path)))
        count = self.connections()
        if count:
            events.append('%d connections where none may come' % count)
        words, _ = self.outsider.communicate()
        if words != b'secret\n':
            events.append('the process outside was changed: %r' % words)
        for bound in sum(self.listeners.values(), []):
            bound.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return events


class Suite:
    """Prints TAP."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def test(self, passed, name, *details):
        self.number += 1
        self.failed += not passed
        print('%sok %d - %s' % ('' if passed else 'not ', self.number, name))
        if not passed:
            for detail in details:
                print('#   %s' % detail)
        sys.stdout.flush()

    def impossible(self, name, why):
        """Tells that an attack cannot be made here, which must be known of it."""
        print('# %s: %s' % (name, why))
        if name not in MAYBE_IMPOSSIBLE:
            self.test(False, name + ': can be made', why)


def policies_directory():
    return os.environ.get('USHER_TEST_POLICIES') or tempfile.gettempdir()


def write_policy(directory, name='', template='attacks.ini'):
    """Writes the policy for this world; returns what --policy is to say.

    Where looking is denied there are no descriptors that were opened with O_PATH, by which most
    attacks begin: it is denied only where it is attacked.
    """
    denied = 'all' if name.startswith(LOOKS) else 'read write create remove metadata'
    with open(os.path.join(SOURCE, 'tests/attacks', template)) as file:
        text = file.read()
    for word, value in (('@DIRECTORY@', directory), ('@DENIED@', denied), ('@BUILD@', BUILD)):
        text = text.replace(word, value)
    path = os.path.join(policies_directory(), POLICY + '.ini')
    with open(path, 'w') as file:
        file.write(text)
    return POLICY if 'USHER_TEST_POLICIES' in os.environ else path


def attack(name, options, under_usher, twin, template='attacks.ini'):
    """(what it printed last, everything it printed, what happened) of one attack on a new world.

    A race that is to be won ends when it is, and one in which nothing was refused has not taken
    place: on a busy machine either may take long.
    """
    if twin or not under_usher:
        return attack_for(max(options.seconds, PATIENCE), name, under_usher, twin, template)
    result = attack_for(options.seconds, name, under_usher, twin, template)
    if result[0] == 'refused EALREADY' and not result[2]:
        result = attack_for(max(options.seconds, PATIENCE), name, under_usher, twin, template)
    return result


def attack_for(seconds, name, under_usher, twin, template):
    directory = os.path.join(os.path.realpath(os.environ.get('TMPDIR', tempfile.gettempdir())),
                             'attacks-%d' % os.getpid())
    shutil.rmtree(directory, ignore_errors=True)
    world = World(directory)
    command = [PROGRAM, name, 'twin=%d' % twin, 'seconds=%g' % seconds]
    command += ['%s=%s' % pair for pair in world.ports.items()]
    if under_usher:
        policy = write_policy(directory, name, template)
        command = [USHER, 'run', '--' + MODE, '--policy', policy, '--'] + command
    environment = dict(os.environ, ATTACK_MARK='1')
    try:
        done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS + seconds)
        output = done.stdout.decode('utf-8', 'replace')
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b'').decode('utf-8', 'replace') + 'hung\n'
    events = world.finish()
    lines = output.splitlines()
    return lines[-1] if lines else 'said nothing', output.replace('\n', '; '), events


def refusals(name):
    return next(errors for prefix, errors in REFUSALS if name.startswith(prefix))


def control(suite, name, options):
    """That the attack works natively. False if it cannot be made here at all."""
    last, output, _ = attack(name, options, False, False)
    if last.startswith('impossible'):
        suite.impossible(name, last)
        return False
    if name in MAYBE_ABSENT:
        suite.test(last in ('reached', 'refused ENOSYS'),
                   name + ' natively: reached, or no such door', output)
    else:
        suite.test(last == 'reached', name + ' natively: reached', output)
    return True


def judge(suite, name, options):
    if name in ALWAYS_OWN:
        for under_usher in (False,) if options.controls else (False, True):
            last, output, _ = attack(name, options, under_usher, False)
            suite.test(last == 'reached', '%s %s: its own by every road' % (
                name, 'under usher' if under_usher else 'natively'), output)
        return
    if name not in NO_CONTROL and not control(suite, name, options):
        return
    if options.controls and not name.startswith(NO_TWIN) and name not in NO_CONTROL:
        last, output, _ = attack(name, options, False, True)
        suite.test(last == 'reached', name + ' twin natively: reached', output)
    if options.controls:
        return
    last, output, events = attack(name, options, True, False)
    if last.startswith('impossible'):
        suite.impossible(name, last)
        return
    words = last.split()
    suite.test(words[0] == 'refused' and words[-1] in refusals(name), '%s: refused with %s' % (
        name, ' or '.join(sorted(refusals(name)))), output)
    suite.test(not events, name + ': nothing has happened', *events)
    if not name.startswith(NO_TWIN):
        last, output, _ = attack(name, options, True, True)
        suite.test(last == 'reached', name + ' twin: reached', output)


def judge_otherwise(suite, name, options, template, how):
    last, output, events = attack(name, options, True, False, template)
    errors = refusals(name)
    suite.test(last.split()[0] == 'refused' and last.split()[-1] in errors,
               f'{name} {how}: refused with {" or ".join(sorted(errors))}', output)
    suite.test(not events, f'{name} {how}: nothing has happened', *events)
    last, output, _ = attack(name, options, True, True, template)
    suite.test(last == 'reached', f'{name} twin {how}: reached', output)


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=0.5)
    parser.add_argument('--controls', action='store_true', help='natively only')
    parser.add_argument('patterns', nargs='*')
    options = parser.parse_args()
    names = subprocess.run([PROGRAM], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    suite = Suite()
    for name in names:
        if not options.patterns or matches(name, options.patterns):
            judge(suite, name, options)
            for patterns, *way in ((BY_LANDLOCK, 'attacks-landlock.ini', 'by Landlock'),
                                   (BY_KERNEL, 'attacks-kernel.ini', 'by the kernel'),
                                   (BY_READING, 'attacks-reading.ini', 'by reading alone'),
                                   (BY_CONNECTING, 'attacks-connecting.ini', 'by connecting')):
                if matches(name, patterns) and not options.controls:
                    judge_otherwise(suite, name, options, *way)
    print('1..%d' % suite.number)
    return 1 if suite.failed else 0


if __name__ == '__main__':
    sys.exit(main())
