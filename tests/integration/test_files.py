# SPDX-License-Identifier: Apache-2.0
"""Programs that work on names: copies, archives, repositories, databases, installations.

As in test_programs.py: what is done natively is done again under usher, in a place made in the same
way, and everything that can be seen afterwards has to be the same: what was said, and of each file
its kind, mode, owner, links, times, attributes and content.
"""

import functools
import hashlib
import importlib.util
import os
import socket
import stat
import unittest

import harness
from test_programs import Comparison, differences, native, PYTHON

LONG_AGO = 1_000_000_000
GIT = {'GIT_AUTHOR_NAME': 'A', 'GIT_AUTHOR_EMAIL': 'a@example.org', 'GIT_COMMITTER_NAME': 'A',
       'GIT_COMMITTER_EMAIL': 'a@example.org', 'GIT_AUTHOR_DATE': '1700000000 +0000',
       'GIT_COMMITTER_DATE': '1700000000 +0000', 'GIT_CONFIG_NOSYSTEM': '1',
       'GIT_CONFIG_COUNT': '1', 'GIT_CONFIG_KEY_0': 'init.defaultBranch',
       'GIT_CONFIG_VALUE_0': 'main'}


def environment(**more):
    return dict(harness.environment(), **more)


def look(path):
    """All of one file that a program can have an influence on."""
    about = path.lstat()
    content = ''
    if stat.S_ISLNK(about.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(about.st_mode):
        with open(path, 'rb') as file:
            content = hashlib.sha256(file.read()).hexdigest()
    marks = {name: os.getxattr(path, name, follow_symlinks=False)
             for name in os.listxattr(path, follow_symlinks=False)}
    links = 0 if stat.S_ISDIR(about.st_mode) else about.st_nlink
    return oct(about.st_mode), about.st_uid, about.st_gid, links, content, marks


def tree(place, times=True):
    """{name: what it is} of all below `place`; hard links by the first name of each.

    A time that was not set to a moment long ago is the moment of the run.
    """
    found, firsts = {}, {}
    for path in sorted(place.rglob('*')):
        name = str(path.relative_to(place))
        about = path.lstat()
        first = firsts.setdefault(about.st_ino, name)
        was_set = times and about.st_mtime < LONG_AGO + 10**6
        found[name] = look(path) + (about.st_mtime_ns if was_set else 'now', first)
    return found


def odd_tree(place):
    """Files of all kinds, modes, links and times, made natively; all times lie long ago."""
    place.mkdir()
    for number in range(40):
        directory = place / f'd{number % 5}' / f'e{number % 3}'
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f'file {number}'
        file.write_text(f'{number}\n' * number * 50)
        file.chmod((0o644, 0o755, 0o600, 0o444, 0o4755, 0o2755, 0o000, 0o1666)[number % 8])
        if number % 4 == 0:
            os.link(file, place / f'hard-{number}')
        if number % 5 == 0:
            os.symlink(f'd{number % 5}/e{number % 3}/file {number}', place / f'link-{number}')
    (place / 'd0/dangling').symlink_to('nowhere')
    (place / 'loop').symlink_to('loop')
    (place / 'to-directory').symlink_to('d1')
    (place / 'name \xff\n*').write_text('odd\n')
    os.mkfifo(place / 'fifo', 0o640)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(place / 'socket'))
    with open(place / 'sparse', 'wb') as file:
        file.truncate(1 << 20)
    os.setxattr(place / 'sparse', 'user.mark', b'kept')
    (place / 'sticky').mkdir()
    (place / 'sticky').chmod(0o1777)
    (place / 'group').mkdir()
    (place / 'group').chmod(0o2755)
    if os.geteuid() == 0:
        os.chown(place / 'hard-0', 1234, 5678)
        os.chown(place / 'd0/dangling', 4321, 8765, follow_symlinks=False)
        os.mknod(place / 'null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for number, path in enumerate(sorted((place, *place.rglob('*')), reverse=True)):
        os.utime(path, (LONG_AGO, LONG_AGO + number), follow_symlinks=False)
    return place


def readable(place):
    """An ordinary user cannot copy what has no mode; root can."""
    if os.geteuid() != 0:
        for path in place.rglob('*'):
            if stat.S_ISREG(path.lstat().st_mode) and not path.lstat().st_mode & 0o400:
                path.chmod(0o400)
                os.utime(path, (LONG_AGO, LONG_AGO))
    return place


def in_place(name):
    """A new directory with an odd tree in it; made where its name is short, for the socket."""
    place = harness.workdir(name)
    here = os.getcwd()
    os.chdir(place)
    try:
        readable(odd_tree(place / 'tree'))
    finally:
        os.chdir(here)
    return place


def steps(mode, policy, place, *commands, **more):
    """What each command said, in order; `place` is told as PLACE."""
    found = []
    for command in commands:
        result = harness.run(command, mode, policy=policy, cwd=place, timeout=200,
                             env=environment(**more))
        found.append((result.returncode, result.stdout.replace(os.fsencode(place), b'PLACE'),
                      result.stderr.replace(os.fsencode(place), b'PLACE')))
    return found


def copies(_case, mode, policy):
    place = in_place('copies')
    return steps(mode, policy, place, ['cp', '-a', 'tree', 'copy'],
                 ['cp', '-al', 'tree', 'linked'],
                 ['cp', '-rs', place / 'tree', 'pointing'],
                 ['mv', 'copy', 'moved'],
                 ['diff', '-r', '--no-dereference', 'tree/d0', 'moved/d0'],
                 ['chmod', '-R', 'u+rw,g-w', 'moved/d1'],
                 ['touch', '-h', '-d', '@5', 'moved/loop', 'moved/sparse'],
                 ['ln', '-sfn', 'd2', 'moved/to-directory'],
                 ['install', '-D', '-m', '0751', 'tree/d1/e1/file 1', 'made/by/install'],
                 ['find', 'moved', '-newermt', '@6', '-printf', '%p %y %m\\n'],
                 ['rm', '-rf', 'linked/d0', 'pointing'],
                 ['du', '--apparent-size', '-s', 'moved/d2', 'moved/sparse'],
                 ['ls', '-lAR', '--full-time', 'moved/d1', 'moved/d3']), tree(place / 'moved')


def archives(_case, mode, policy):
    place = in_place('archives')
    (place / 'out').mkdir()
    options = ['--xattrs', '--sort=name', '--numeric-owner']
    results = steps(mode, policy, place, ['tar', *options, '-cf', 'a.tar', 'tree'],
                    ['tar', '-C', 'out', '--xattrs', '-xpf', 'a.tar'],
                    ['tar', '--compare', '-f', 'a.tar'],
                    ['tar', '-tvf', 'a.tar'],
                    ['tar', '-C', 'out', '--overwrite', '-xpf', 'a.tar'],
                    ['tar', '--delete', '-f', 'a.tar', 'tree/d0'],
                    ['tar', '-tf', 'a.tar'])
    return results, tree(place / 'out')


def rsyncs(_case, mode, policy):
    place = in_place('rsync')
    results = steps(mode, policy, place, ['rsync', '-aHX', 'tree/', 'copy/'],
                    ['rsync', '-aHXi', 'tree/', 'copy/'],
                    ['rsync', '-aHXc', '--delete', '--inplace', 'tree/d0/', 'copy/'],
                    ['rsync', '-a', '--link-dest', place / 'tree', 'tree/', 'second/'])
    return results, tree(place / 'copy'), tree(place / 'second')


def git_work(_case, mode, policy):
    """Commits, branches, conflicts, rebases, stashes, worktrees, packs."""
    place = harness.workdir('git')
    shell = """
        set -e
        git init -q repository; cd repository
        for i in 1 2 3 4 5 6; do
            mkdir -p d$i/sub; echo $i > d$i/sub/f; ln -sf ../d1/sub/f d$i/link
            echo "$i" > all; chmod +x d$i/sub/f; git add -A; git commit -qm "c$i"
        done
        git checkout -qb side HEAD~3; git rm -qr d1; git mv d2 moved; echo x > new; git add new
        git commit -qm side; git rebase -q main || true; git status --porcelain
        git checkout -q main; git merge -q side -m merged; git log --format=%T --stat
        git tag -a -m tag v1; git stash list; echo y > all; git stash -q; git stash pop -q
        git worktree add -q ../tree v1; git -C ../tree status --porcelain
        git reset -q --hard HEAD~1; git clean -fdxq; git revert --no-edit HEAD > /dev/null
        git bisect start -q HEAD HEAD~2 > /dev/null; git bisect reset -q
        git gc -q --aggressive --prune=now; git repack -adq; git prune; git fsck --full
        git archive --format=tar HEAD | sha256sum; git rev-parse HEAD HEAD^{tree} side v1
        git count-objects; git clone -q . ../copy; git -C ../copy log --format=%H | sha256sum
        git worktree remove ../tree; git branch -D side; git update-index --refresh"""
    results = steps(mode, policy, place, ['sh', '-c', shell], **GIT)
    files = {name: what for name, what in tree(place, times=False).items() if '.git' not in name}
    return results, files


SQLITE = """
import sqlite3, sys, os, threading
mode = sys.argv[1]
base = sqlite3.connect('base.db', isolation_level=None, timeout=30)
print(base.execute('PRAGMA journal_mode=' + mode).fetchall())
base.execute('CREATE TABLE t(n INTEGER PRIMARY KEY, v TEXT, who INTEGER)')
def work(who):
    own = sqlite3.connect('base.db', isolation_level=None, timeout=30)
    for n in range(25):
        own.execute('BEGIN IMMEDIATE')
        own.execute('INSERT INTO t(v, who) VALUES(?, ?)', ('v' * n, who))
        own.execute('ROLLBACK' if n % 7 == 6 else 'COMMIT')
threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(base.execute('SELECT who, count(*), sum(length(v)) FROM t GROUP BY who').fetchall())
base.execute('ATTACH ? AS other', ('other.db',))
base.execute('CREATE TABLE other.u AS SELECT v FROM t')
base.execute('DELETE FROM t WHERE n % 2')
base.execute('VACUUM')
print(base.execute('PRAGMA integrity_check').fetchall())
print(base.execute('SELECT count(*) FROM u').fetchall())
base.close()
print(sorted(os.listdir('.')), [oct(os.stat(n).st_mode) for n in sorted(os.listdir('.'))])
"""


def databases(_case, mode, policy):
    results = []
    for journal in ('delete', 'wal', 'truncate', 'persist'):
        place = harness.workdir('sqlite')
        results.append(steps(mode, policy, place, [PYTHON, '-I', '-c', SQLITE, journal]))
    return results


MAKEFILE = """
install: program
\tinstall -d $(DESTDIR)/usr/bin $(DESTDIR)/usr/share/man $(DESTDIR)/etc
\tinstall -m 0755 -s program $(DESTDIR)/usr/bin/program
\tinstall -m 0644 Makefile $(DESTDIR)/usr/share/man/page.1
\tgzip -n9 $(DESTDIR)/usr/share/man/page.1
\tln -sf program $(DESTDIR)/usr/bin/alias
\tln -f $(DESTDIR)/usr/bin/program $(DESTDIR)/usr/bin/second
\tcp -p Makefile $(DESTDIR)/etc/program.conf
\tchmod 0600 $(DESTDIR)/etc/program.conf
\ttouch -r Makefile $(DESTDIR)/etc/program.conf $(DESTDIR)/usr/bin
program: program.c
\tgcc -o $@ $<
uninstall:
\trm -f $(DESTDIR)/usr/bin/alias
\trmdir $(DESTDIR)/usr/bin || true
"""


def installation(_case, mode, policy):
    place = harness.workdir('install')
    (place / 'Makefile').write_text(MAKEFILE)
    (place / 'program.c').write_text('int main(void) { return 7; }\n')
    for name in ('Makefile', 'program.c'):
        os.utime(place / name, (LONG_AGO, LONG_AGO))
    results = steps(mode, policy, place, ['make', '-s', 'install', f'DESTDIR={place}/root'],
                    ['make', '-s', 'install', f'DESTDIR={place}/root'],
                    [place / 'root/usr/bin/alias'],
                    ['make', '-s', 'uninstall', f'DESTDIR={place}/root'])
    return results, tree(place / 'root', times=False)


CONTROL = 'Package: odd\nVersion: {}\nArchitecture: all\nMaintainer: A <a@example.org>\n' \
          'Description: odd files\n'
# Says what it saw, below the root that it is told of.
SCRIPT = '#!/bin/sh\nset -e\necho "{0} $*" >> "$DPKG_ROOT/script.log"\n'


def package(place, version):
    """A package of files of several kinds and modes, packed natively."""
    root = place / f'package-{version}'
    for part in ('DEBIAN', 'usr/share/odd/dir', 'etc'):
        (root / part).mkdir(parents=True)
    (root / 'DEBIAN/control').write_text(CONTROL.format(version))
    (root / 'DEBIAN/conffiles').write_text('/etc/odd.conf\n')
    for name in ('preinst', 'postinst', 'prerm', 'postrm'):
        (root / 'DEBIAN' / name).write_text(SCRIPT.format(name))
        (root / 'DEBIAN' / name).chmod(0o755)
    (root / 'etc/odd.conf').write_text(f'version {version}\n')
    for number, mode in enumerate((0o644, 0o755, 0o4755, 0o600)):
        file = root / f'usr/share/odd/file-{number}-{version if number else 0}'
        file.write_text(f'{number} {version}\n')
        file.chmod(mode)
    (root / 'usr/share/odd/link').symlink_to('dir')
    os.link(root / 'usr/share/odd/file-0-0', root / 'usr/share/odd/hard')
    harness.run(['dpkg-deb', '-b', '--root-owner-group', root, place / f'odd-{version}.deb'],
                'native', env=environment(SOURCE_DATE_EPOCH=str(LONG_AGO)))


def packages(_case, mode, policy):
    place = harness.workdir('dpkg')
    for version in (1, 2):
        package(place, version)
    for part in ('info', 'updates', 'triggers'):
        (place / 'root/var/lib/dpkg' / part).mkdir(parents=True)
    (place / 'root/var/lib/dpkg/status').touch()
    dpkg = ['dpkg', f'--root={place}/root', '--log=/dev/null', '--force-not-root',
            '--force-script-chrootless', '--force-bad-path', '--force-confold']
    results = steps(mode, policy, place, [*dpkg, '--install', 'odd-1.deb'],
                    ['sh', '-c', 'echo changed >> root/etc/odd.conf'],
                    [*dpkg, '--install', 'odd-2.deb'], [*dpkg, '--verify', 'odd'],
                    [*dpkg, '--listfiles', 'odd'], [*dpkg, '--install', 'odd-1.deb'],
                    [*dpkg, '--remove', 'odd'])
    return results, tree(place / 'root', times=False)


# Python's own tests of what works on names.
PYTHON_TESTS = ('test_os', 'test_posix', 'test_pathlib', 'test_shutil', 'test_tempfile',
                'test_glob', 'test_genericpath', 'test_fileio', 'test_stat',
                'test_fnmatch', 'test_filecmp', 'test_dbm_dumb')
if 'USHER_TEST_LONG' in os.environ:
    PYTHON_TESTS += ('test_tarfile', 'test_zipfile')


@functools.cache
def python_tests(name):
    """What runs one of them: each test's name and how it ended."""
    def tests(_case, mode, policy):
        place = harness.workdir('python')
        command = [PYTHON, '-B', '-W', 'ignore', '-m', 'unittest', '-v', f'test.{name}']
        result = harness.run(command, mode, policy=policy, cwd=place, timeout=200,
                             env=environment(PYTHONHASHSEED='0'))
        endings = {}
        for line in result.stderr.decode(errors='replace').splitlines():
            words, dots, ending = line.rpartition(' ... ')
            if dots:
                endings[words] = ending.partition(' ')[0]  # why one is skipped may have pids in it
        return result.returncode, endings
    return tests


def has_python_tests():
    return os.environ.get('CI') == 'true' or importlib.util.find_spec('test.test_os') is not None


@harness.both_modes
class Files(Comparison):
    def test_copies(self, mode):
        """cp, mv, ln, install, chmod, touch, find and rm leave the same tree as natively"""
        self.compare(copies, mode)

    def test_archives(self, mode):
        """tar packs, compares and unpacks a tree of odd modes and links as natively"""
        self.compare(archives, mode)

    @unittest.skipUnless(harness.need('rsync'), 'no rsync')
    def test_rsync(self, mode):
        """rsync copies a tree with hard links and attributes as natively"""
        self.compare(rsyncs, mode)

    def test_git(self, mode):
        """git commits, rebases, merges, stashes and packs as natively"""
        self.compare(git_work, mode)

    def test_sqlite(self, mode):
        """sqlite with four writers has the same rows in every journal mode"""
        self.compare(databases, mode)

    def test_dpkg(self, mode):
        """dpkg installs, upgrades, verifies and removes a package as natively"""
        self.compare(packages, mode)

    def test_install(self, mode):
        """make install fills a DESTDIR as natively"""
        self.compare(installation, mode)


class PythonTests(unittest.TestCase):
    """One for each of Python's own: they take their time."""


def python_test(name):
    @unittest.skipUnless(has_python_tests(), 'no libpython3.11-testsuite')
    def test(self, mode):
        wanted = native(PythonTests, python_tests(name))
        self.assertTrue(wanted[1])
        got = python_tests(name)(PythonTests, mode, 'everything')
        found = list(differences(wanted, got))
        self.assertFalse(found, f'{len(found)} differences\n' + '\n'.join(found[:20]))
    test.__doc__ = f"Python's own {name} ends as natively"
    return test


for test_name in PYTHON_TESTS:
    setattr(PythonTests, test_name, python_test(test_name))
harness.both_modes(PythonTests)


if __name__ == '__main__':
    unittest.main()
