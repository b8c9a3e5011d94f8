# SPDX-License-Identifier: Apache-2.0
"""slow_names.py ADDRESS FILE: the nameserver of the far side, which answers at ADDRESS what FILE (JSON)
says: for each name its addresses, null for one that is never answered."""

import json
import sys
import threading
from pathlib import Path

import nameserver

nameserver.SERVER = sys.argv[1]
server = nameserver.Nameserver(json.loads(Path(sys.argv[2]).read_text()))
threading.Event().wait()
