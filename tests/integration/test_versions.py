# SPDX-License-Identifier: Apache-2.0
"""What two builds share: a change of it is not made without a thought of its version.

usherd is upgraded while sessions and their brokers live, so what is in their memory, on their
sockets and in the store was written by another build. Each of these layouts has a version, and
behind the version stands a short hash of the layout: the words of the header, or the names of a
table. The test fails when the two no longer belong together; what to do then is what it says.
"""

import hashlib
import re
import unittest

import harness

ADVICE = """{what} is not as it was when its version {version} was written down. If a build of before
would misread what this one writes, or this one what that one has written, raise {name} in {where}.
Then write behind it: /* layout {layout} */"""


def source(path):
    return (harness.SOURCE / path).read_text()


def words(text):
    """What the compiler reads: without comments, however it is laid out."""
    text = re.sub(r'/\*.*?\*/', ' ', text, flags=re.DOTALL)
    return ' '.join(re.findall(r'\w+|[^\w\s]', text))


def names(text, tables):
    """The rows of some tables of a source."""
    return ' '.join(words(re.search(rf'\}} {table}\[\] = \{{\n(.*?)\n\}};', text, re.DOTALL)[1])
                    for table in tables)


def structure(text, name):
    return words(re.search(rf'^struct {name} \{{.*?^\}};', text, re.DOTALL | re.MULTILINE)[0])


LAYOUTS = {
    'SESSION_VERSION': ('include/usher/session.h', "the session's memory",
                        lambda: words(source('include/usher/session.h'))),
    'WIRE_VERSION': ('include/usher/wire.h', 'what is said in the hand-over',
                     lambda: words(source('include/usher/wire.h'))),
    'RECORD_VERSION': ('daemon/record.h', 'what the store keeps of a session',
                       lambda: names(source('daemon/record.c'),
                                     ('descriptors', 'numbers', 'strings'))),
    'SNAPSHOT_VERSION': ('daemon/policy/snapshot.c', "a policy's snapshot",
                         lambda: structure(source('daemon/policy/snapshot.c'), 'snapshot_header')),
}


class Versions(unittest.TestCase):
    def test_layouts(self):
        """each layout that two builds share is the one that its version stands for"""
        for name, (where, what, text) in LAYOUTS.items():
            layout = hashlib.sha256(text().encode()).hexdigest()[:8]
            version, noted = re.search(
                rf'^#define {name} +(\w+)(?: +/\* layout (\w+) \*/)?$', source(where), re.M).groups()
            with self.subTest(name):
                self.assertEqual(noted, layout, ADVICE.format(
                    what=what, version=version, name=name, where=where, layout=layout))

    def test_hash(self):
        """a member, a constant and a type count; a comment and white space do not"""
        text = 'struct x {\n\tint a; /* one */\n};\n#define N 5u\n'
        same = 'struct x { int a; };\n\n#define N 5u /* another word */\n'
        self.assertEqual(words(text), words(same))
        for old, new in (('int a', 'long a'), ('int a;', 'int a; int b;'), ('5u', '6u'), ('a;', 'b;')):
            self.assertNotEqual(words(text), words(text.replace(old, new)))


if __name__ == '__main__':
    unittest.main()
