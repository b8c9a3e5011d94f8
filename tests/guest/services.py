#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Under a real systemd: usherd of one user (`systemctl --user`), and services of Debian's that the
shipped drop-ins put under a policy. Each service does what it is for, is denied what its policy does
not allow while another without it is not, and goes on when usherd is killed.
"""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest as guests  # noqa: E402
from run import BUILD, Suite  # noqa: E402
from world import CONFIGURATION, World  # noqa: E402

USER = 65534
RUNTIME = f'/run/user/{USER}'
EXAMPLES = os.environ['USHER_INSTALLED_EXAMPLES']
DAEMON = '[grant redis]\nusers = redis\npolicies = redis\n'
CONFINED, MASTER, FREE = '6379', '6390', '6391'


class User:
    """Who has a user manager, as the login of this user would have started it."""

    def __init__(self, guest):
        self.guest = guest
        guest.run('systemctl', 'start', f'user@{USER}.service')

    def command(self, *command):
        return ['setpriv', f'--reuid={USER}', f'--regid={USER}', '--clear-groups', 'env', '-u',
                'XDG_CONFIG_HOME', 'HOME=/nonexistent', f'XDG_RUNTIME_DIR={RUNTIME}', *command]

    def run(self, *command):
        return self.guest.run(*self.command(*command))

    def echo(self, text):
        return self.run('usher', 'run', '--daemon', '--policy', 'everything', '--', 'echo', text)

    def property(self, name):
        return self.run('systemctl', '--user', 'show', '--value', '-p', name,
                        'usherd.service').stdout.strip()


def check_user(suite, world):
    guest, user = world.guest, User(world.guest)
    done = user.run('systemctl', '--user', 'start', 'usherd.socket')
    suite.test(done.returncode == 0 and user.property('ActiveState') == 'inactive',
               "a user's socket waits by itself", done)
    done = user.echo('served')
    suite.test(done.stdout == 'served\n' and user.property('StatusText').startswith('Serving'),
               "the user's first program starts usherd by the socket", done)
    suite.test(user.property('MainPID') == guest.run(
        'pgrep', '-x', 'usherd', '-u', str(USER)).stdout.strip(), 'it is the only one, of this user')
    process = guest.popen(*user.command('usher', 'run', '--daemon', '--policy', 'everything', '--',
                                        'cat'), stdin=-1)
    sessions = ('usher', 'sessions', '--json')
    world.wait(lambda: '"running"' in user.run(*sessions).stdout, 'its session runs')
    suite.test(user.property('NFileDescriptorStore') == '3', 'a session has two parcels in the store',
               user.property('NFileDescriptorStore'))
    before = user.property('MainPID')
    for pid in world.find('usherd'):
        world.kill(pid, 'usherd')
    back = world.wait(lambda: user.property('MainPID') not in (before, '0') and
                      '"running"' in user.run(*sessions).stdout, 'usherd is back')
    suite.test(back and process.poll() is None, 'killed, it is started again and has the session',
               user.run('systemctl', '--user', 'status', 'usherd').stdout)
    done = user.run('systemctl', '--user', 'reload', 'usherd')
    suite.test(done.returncode == 0, 'systemctl --user reload ends when it is done', done)
    out, _ = process.communicate('through\n', timeout=60)
    suite.test((process.returncode, out) == (0, 'through\n'), 'the program has noticed nothing', out)
    done = guest.run('usher', 'run', '--daemon', '--socket', f'{RUNTIME}/usher/usherd.sock',
                     '--policy', 'everything', '--', 'true')
    suite.test(done.returncode == 125, 'nobody else is served by it, not even root', done)
    done = user.run('usher', 'stop')
    suite.test(done.returncode == 0 and world.wait(
        lambda: user.property('ActiveState') == 'inactive', 'it has ended'),
        'usher stop ends it, and systemd does not start it again', done)


def confine(guest, unit, example):
    """As the example tells."""
    guest.run('install', '-D', f'{EXAMPLES}/{example}.conf',
              f'/etc/systemd/system/{unit}.service.d/usher.conf')
    guest.run('systemctl', 'daemon-reload')
    guest.run('systemctl', 'start', 'usherd.socket')


def policies(guest):
    return guest.run('sh', '-c', 'usher sessions --json').stdout


def kill_daemon(world):
    before = world.main_pid()
    for pid in world.find('usherd'):
        world.kill(pid, 'usherd')
    return world.wait_for_another(before)


def check_nginx(suite, world):
    guest = world.guest

    def get(path):
        return guest.run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
                         f'http://127.0.0.1/{path}').stdout

    guest.write('/var/www/html/.git/config', 'secret\n')
    guest.run('systemctl', 'start', 'nginx')
    suite.test(world.wait(lambda: get('') == '200', 'it serves') and get('.git/config') == '200',
               'nginx as Debian installs it shows what is not meant to be shown')
    guest.run('systemctl', 'stop', 'nginx')
    confine(guest, 'nginx', 'nginx')
    done = guest.run('systemctl', 'start', 'nginx')
    suite.test(done.returncode == 0 and world.wait(lambda: get('') == '200', 'it serves') and
               '"policy":"web"' in policies(guest), 'with the drop-in it runs under the policy web',
               done, policies(guest))
    suite.test(get('.git/config') == '403', 'and does not show it any more', get('.git/config'))
    done = guest.run('systemctl', 'reload', 'nginx')
    suite.test(done.returncode == 0 and world.wait(lambda: get('') == '200', 'it serves'),
               'systemctl reload nginx works', done)
    suite.test(kill_daemon(world) and get('') == '200' and get('.git/config') == '403',
               'it goes on when usherd is killed')
    done = guest.run('systemctl', 'stop', 'nginx')
    suite.test(done.returncode == 0 and guest.property('Result', 'nginx') == 'success' and
               world.wait(lambda: world.sessions() == 0, 'its session is over'),
               'systemctl stop nginx ends it and its session', done)


class Redis:
    def __init__(self, world):
        self.world = world

    def ask(self, port, *words):
        return self.world.guest.run('redis-cli', '-p', port, *words).stdout.strip()

    def is_up(self, port):
        return self.world.wait(lambda: self.ask(port, 'ping') == 'PONG', f'{port} answers')

    def link(self, port):
        return 'master_link_status:up' in self.ask(port, 'info', 'replication')


def check_redis(suite, world):
    guest, redis = world.guest, Redis(world)
    others = [guest.popen('redis-server', '--port', port, '--save', '', '--dir', '/tmp')
              for port in (MASTER, FREE)]
    suite.test(all(map(redis.is_up, (MASTER, FREE))), 'two servers without a policy run')
    confine(guest, 'redis-server', 'redis')
    done = guest.run('systemctl', 'start', 'redis-server')
    suite.test(done.returncode == 0 and redis.is_up(CONFINED) and
               '"policy":"redis"' in policies(guest),
               'with the drop-in redis runs under the policy redis', done,
               guest.run('journalctl', '-o', 'cat', '-u', 'redis-server').stdout, guest.journal())
    answers = [redis.ask(CONFINED, *words.split()) for words in
               ('set key value', 'save', 'get key', 'config rewrite')]
    suite.test(answers == ['OK', 'OK', 'value', 'OK'], 'it keeps data, saves them and its settings',
               answers)
    for port in (CONFINED, FREE):
        redis.ask(port, 'replicaof', '127.0.0.1', MASTER)
    suite.test(world.wait(lambda: redis.link(FREE), 'it has a master'),
               'a server without a policy follows whatever master it is told to')
    suite.test(world.wait(lambda: f'tcp 127.0.0.1:{MASTER}: ECONNREFUSED' in guest.journal(),
                          'it is denied') and not redis.link(CONFINED),
               'the one under the policy does not', guest.journal())
    redis.ask(CONFINED, 'replicaof', 'no', 'one')
    suite.test(kill_daemon(world) and redis.ask(CONFINED, 'save') == 'OK' and
               redis.ask(CONFINED, 'get', 'key') == 'value', 'it goes on when usherd is killed')
    done = guest.run('systemctl', 'stop', 'redis-server')
    suite.test(done.returncode == 0 and world.wait(lambda: world.sessions() == 0, 'it is over'),
               'systemctl stop redis-server ends it and its session', done)
    for process, port in zip(others, (MASTER, FREE)):
        redis.ask(port, 'shutdown', 'nosave')
        process.communicate()


def main():
    suite = Suite()
    # Whoever ends us ends the guest.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lacking = guests.missing() or next(
        (name for name in ('nginx', 'redis-server', 'redis-cli', 'curl') if not shutil.which(name)),
        None)
    if lacking:
        print(f'ok 1 - services under systemd # SKIP there is no {lacking}\n1..1')
        return 0
    with guests.Guest(BUILD) as guest:
        world = World(guest)
        guest.write(f'{CONFIGURATION}/usherd.ini', DAEMON)
        check_user(suite, world)
        check_nginx(suite, world)
        check_redis(suite, world)
    print('1..%d' % suite.number)
    return 1 if suite.failed else 0


if __name__ == '__main__':
    sys.exit(main())
