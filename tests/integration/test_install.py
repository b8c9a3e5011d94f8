# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts where, and that the tree works where it is put."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

import harness

PROGRAMS = {'bin/usher', 'sbin/usherd', 'libexec/usher/usher-broker', 'libexec/usher/usher-top'}
PAGES = {'share/man/man1/usher.1', 'share/man/man8/usherd.8', 'share/man/man5/usher-policy.5',
         'share/man/man5/usherd.ini.5'}
COMPLETIONS = {'share/bash-completion/completions/usher', 'share/bash-completion/completions/usherd',
               'share/zsh/vendor-completions/_usher', 'share/fish/vendor_completions.d/usher.fish'}


def policies():
    return {f'share/usher/policies/{path.name}'
            for path in (harness.SOURCE / 'conf/policies').glob('*.ini')}


@unittest.skipUnless(os.access(harness.BUILD / 'meson-private', os.W_OK),
                     'meson needs to write in the build directory')
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.destination = harness.workdir('install')
        subprocess.run(['meson', 'install', '--no-rebuild', '--quiet', '--destdir',
                        cls.destination, '-C', harness.BUILD], check=True, timeout=200,
                       stdout=subprocess.DEVNULL)
        # An ordinary user's programs must be able to reach it, too.
        cls.prefix = next(path.parent.parent for path in cls.destination.rglob('bin/usher'))

    def found(self, below):
        return {str(path.relative_to(below)) for path in below.rglob('*') if not path.is_dir()}

    def test_files(self):
        """each program, policy, man page and completion is where Debian looks for it"""
        found = self.found(self.prefix)
        wanted = PROGRAMS | PAGES | COMPLETIONS | policies()
        self.assertEqual(wanted - found, set())
        known = ('share/man/', 'lib/systemd/', 'lib/sysusers.d/', 'lib/tmpfiles.d/',
                 'share/doc/usher/', 'share/usher/', 'etc/usher/')
        for path in found - wanted:
            self.assertTrue(path.startswith(known), f'{path} is not known here')
        self.assertTrue(any(str(path).endswith('etc/usher/usherd.ini')
                            for path in self.destination.rglob('usherd.ini')))

    def test_modes(self):
        """programs may be run by all, and nothing is writable for others than the owner"""
        for name in PROGRAMS:
            self.assertEqual((self.prefix / name).stat().st_mode & 0o777, 0o755, name)
        for path in self.prefix.rglob('*'):
            if not path.is_symlink():
                self.assertEqual(path.stat().st_mode & 0o022, 0, path)

    def test_moved(self):
        """the tree works where it is moved to: broker and policies are found beside it"""
        moved = harness.workdir('moved') / 'tree'
        shutil.copytree(self.prefix, moved, symlinks=True)
        environment = {**harness.environment(), 'XDG_CONFIG_HOME': '/nowhere'}
        done = subprocess.run([moved / 'bin/usher', 'run', '--embedded', '--policy', 'everything',
                               '--', 'cat', '/etc/hostname'], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, env=environment, timeout=harness.SECONDS, check=False)
        self.assertEqual(done.stdout, Path('/etc/hostname').read_text(), done.stderr)
        check = subprocess.run([moved / 'bin/usher', 'check', '--json', 'everything'], stdout=subprocess.PIPE,
                               text=True, env=environment, timeout=harness.SECONDS, check=False)
        self.assertIn(str(moved / 'share/usher/policies/everything.ini'), check.stdout)


if __name__ == '__main__':
    unittest.main()
