# SPDX-License-Identifier: Apache-2.0
"""Imports the whole standard library and tells for each module where it came from."""
import importlib
import os
import sys
import warnings

warnings.simplefilter('ignore')
# These do something to the outside when they are imported.
LEFT_OUT = {'antigravity', 'this', 'idlelib', 'test', 'turtledemo', 'lib2to3'}
failed = 0
for name in sorted(sys.stdlib_module_names - LEFT_OUT):
    try:
        module = importlib.import_module(name)
        print(name, os.path.basename(getattr(module, '__file__', None) or 'built in'))
    except ImportError as error:
        failed += 1
        print(name, type(error).__name__, error)
print(len(sys.modules) > 300, failed)
