# SPDX-License-Identifier: Apache-2.0
"""What the tests of the shipped policies have in common: their environment, what programs say of a
denial, and servers for them to meet.
"""

import os
import shutil
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import harness

PYTHON = '/usr/bin/python3'
GIT_SETTINGS = {'GIT_AUTHOR_NAME': 'A', 'GIT_AUTHOR_EMAIL': 'a@example.org',
                'GIT_COMMITTER_NAME': 'A', 'GIT_COMMITTER_EMAIL': 'a@example.org',
                'GIT_CONFIG_NOSYSTEM': '1'}


def environment(**more):
    return dict(harness.environment(), **GIT_SETTINGS, **more)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'the page\n')

    def log_message(self, *_):
        pass


class LocalServer:
    """A web server of this process on a free port, which counts who came."""

    def __enter__(self):
        self.count = 0

        class Counted(Page):
            def do_GET(page):
                self.count += 1
                super().do_GET()
        self.http = ThreadingHTTPServer(('127.0.0.1', 0), Counted)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class PolicyCase(unittest.TestCase):
    """Helpers for what a program says of a denial."""

    def run_in(self, place, command, mode, policy, **more):
        more.setdefault('env', environment())
        return harness.run(command, mode, policy=policy, cwd=place, **more)

    def assert_denied(self, result, number):
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(os.strerror(number).encode(), result.stderr)

    def assert_allowed(self, result, output=None):
        self.assertEqual(result.returncode, 0, result.stderr)
        if output is not None:
            self.assertEqual(result.stdout, output)


def outside_of_temporary(test):
    """A directory that is neither temporary nor current, and writable natively by anybody."""
    path = Path(f'/run/lock/usher-test-{os.getpid()}')
    path.mkdir()
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


NGINX = """
daemon off;
{user}
worker_processes 2;
pid run/nginx.pid;
error_log logs/error.log;
events {{ worker_connections 64; }}
http {{
    include /etc/nginx/mime.types;
    access_log logs/access.log;
    client_body_temp_path tmp/body; proxy_temp_path tmp/proxy; fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi; scgi_temp_path tmp/scgi;
    server {{
        listen 127.0.0.1:{port};
        root html;
        location /inside/ {{ proxy_pass http://127.0.0.1:{inside}/; }}
    }}
}}
"""


def nginx_site(inside=9):
    """A place with a site, and the command and port of an nginx for it."""
    place, port = harness.workdir('web'), harness.free_port()
    for part in ('html/.git', 'logs', 'run', 'tmp', 'conf'):
        (place / part).mkdir(parents=True)
    (place / 'html/index.html').write_text('the page\n')
    (place / 'html/.git/config').write_text('private\n')
    user = 'user www-data;' if os.geteuid() == 0 else ''
    (place / 'conf/nginx.conf').write_text(NGINX.format(port=port, inside=inside, user=user))
    make_reachable(place)
    command = ['nginx', '-p', f'{place}/', '-c', 'conf/nginx.conf', '-e', 'logs/error.log']
    return place, port, command


def make_reachable(place):
    """Workers of nginx run as another user, who must come to the tree as a visitor would."""
    for path in (*(part for part in place.parents if len(part.parts) > 2), place,
                 *place.rglob('*')):
        if path.stat().st_uid == os.getuid() and not path.stat().st_mode & 0o1000:
            path.chmod(path.stat().st_mode | 0o055)
