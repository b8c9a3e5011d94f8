#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usherd under a real systemd: a hundred sessions under load, and everything is killed.

    run.py [--seconds N] [--sessions N]

All that a session does has a known result (load.c), so a call that fails while daemon and brokers
are killed, restarted, upgraded or hang is counted, and so is the longest call. --seconds is how long
the storm of kills lasts.
"""
import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest as guests  # noqa: E402
from world import CONFIGURATION, Frozen, Loads, Newcomers, World  # noqa: E402

BUILD = os.path.abspath(os.environ['USHER_BUILD'])
PROGRAMS = os.environ['USHER_INSTALLED_PROGRAMS']
EXPOSURE_MAX = 7.4  # what `systemd-analyze security` says of the unit
LONGEST_CALL_US = 10_000_000 * float(os.environ.get('USHER_TEST_PATIENCE', '1'))
KILLS_LEAST = 5
DAEMON = """\
[daemon]
audit = no
[limits]
sessions-per-user = 1000
clients-per-user = 128
"""
TEST_DROP_IN = """\
[Service]
WatchdogSec=1s
TimeoutAbortSec=1s
RestartSec=20ms
"""


class Suite:
    def __init__(self):
        self.number = self.failed = 0
        self.began = time.monotonic()

    def test(self, passed, name, *details):
        self.number += 1
        print('%sok %d - %s' % ('' if passed else 'not ', self.number, name))
        print('# at %.1f s' % (time.monotonic() - self.began))
        if not passed:
            self.failed += 1
            for detail in details:
                # What takes long to find out is asked for only now.
                detail = detail() if callable(detail) else detail
                for line in str(detail).splitlines()[-60:]:
                    print('# ' + line)
        sys.stdout.flush()
        return passed


def check_start(suite, world):
    guest = world.guest
    suite.test(guest.run('systemctl', 'start', 'usherd.socket').returncode == 0 and
               guest.property('ActiveState') == 'inactive', 'the socket waits by itself')
    done = guest.run('usher', 'run', '--daemon', '--policy', 'everything', '--', 'echo', 'served')
    suite.test(done.stdout == 'served\n', 'the first program starts usherd by the socket', done)
    suite.test(guest.property('StatusText').startswith('Serving'), 'the status says so')
    worst = guest.run('systemd-analyze', 'security', '--no-pager', 'usherd.service').stdout
    level = float(re.search(r'exposure level for usherd.service: ([\d.]+)', worst).group(1))
    suite.test(level <= EXPOSURE_MAX, f'systemd-analyze security: at most {EXPOSURE_MAX}', level)
    print(f'# security score: {level}')
    verified = guest.run('systemd-analyze', 'verify', '/lib/systemd/system/usherd.service',
                         '/lib/systemd/system/usherd.socket', '/lib/systemd/system/usher@x.service')
    complaints = [line for line in verified.stderr.splitlines() if "Command 'man" not in line]
    suite.test(not complaints, 'systemd-analyze verify: nothing is wrong with the units', *complaints)
    store = guest.property('FileDescriptorStoreMax')
    suite.test(f'FDSTORE={store}' in guest.property('Environment').split(),
               'usherd is told what the store holds')
    guest.write('/run/systemd/system/usherd.service.d/test.conf', TEST_DROP_IN)
    guest.run('systemctl', 'daemon-reload')
    guest.run('systemctl', 'restart', 'usherd')


def storm(world, seconds):
    """Kills daemon and brokers, at least some; (kills of the daemon, of brokers)."""
    choice = random.Random(1)
    kills = {'usherd': 0, 'usher-broker': 0}
    ends = time.monotonic() + seconds
    latest = ends + 60  # where the machine has much else to do
    while time.monotonic() < ends or (
            time.monotonic() < latest and
            (kills['usherd'] < KILLS_LEAST or kills['usher-broker'] < 10 * KILLS_LEAST)):
        for name, rounds in (('usher-broker', 20), ('usherd', 1)):
            pids = world.find(name)
            for pid in choice.sample(pids, min(rounds, len(pids))):
                kills[name] += world.kill(pid, name)
                time.sleep(choice.uniform(0, 0.01))
        time.sleep(choice.uniform(0, 0.1))
    return kills['usherd'], kills['usher-broker']


def check_storm(suite, world, loads, sessions, seconds):
    guest = world.guest
    loads.start(sessions, 100)
    running = world.wait(lambda: world.sessions() == sessions, f'{sessions} sessions', 40)
    suite.test(running, f'{sessions} sessions run', world.sessions(), guest.journal)
    suite.test(world.stored() == 2 * sessions + 1, 'each has two parcels in the store',
               world.stored())
    suite.test(world.wait(lambda: guest.property('StatusText') == f'Serving; sessions: {sessions}',
                          'it is told'),
               'the status tells how many there are', guest.property('StatusText'))
    newcomers = Newcomers(guest)
    newcomers.start()
    daemon_kills, broker_kills = storm(world, seconds)
    newcomers.ended.set()
    newcomers.join()
    back = world.wait(lambda: world.sessions() == sessions, 'all are served', 40)
    suite.test(back and loads.living() == sessions,
               'after the storm all sessions live and are served', world.sessions(),
               loads.living(), guest.journal)
    suite.test(not newcomers.failed, 'every session that was begun meanwhile was served',
               *newcomers.failed)
    suite.test(daemon_kills >= KILLS_LEAST and broker_kills >= 10 * KILLS_LEAST, 'daemon and brokers were killed',
               daemon_kills, broker_kills)
    print(f'# storm of {seconds} s: {daemon_kills} kills of usherd, {broker_kills} of brokers; '
          f'{newcomers.count} sessions begun meanwhile')


def check_restarts(suite, world, sessions):
    guest = world.guest

    before = world.main_pid()
    frozen = [Frozen(pid) for pid in world.find('usherd')]
    suite.test(world.wait_for_another(before, *frozen) and world.sessions() == sessions and
               world.is_told('Watchdog timeout'),
               'a loop that hangs is found by the watchdog; the sessions go on', guest.journal)

    before = world.main_pid()
    for pid in world.find('usherd'):
        world.kill(pid, 'usherd', signal.SIGABRT)
    suite.test(world.wait_for_another(before) and world.sessions() == sessions,
               'so they do after an abort')

    before = world.main_pid()
    brokers = sorted(world.find('usher-broker'))
    shutil.copy(os.path.join(BUILD, 'tests/guest/usherd-upgraded'),
                f'/proc/{guest.pid}/root{PROGRAMS}/usherd.new')
    guest.run('mv', f'{PROGRAMS}/usherd.new', f'{PROGRAMS}/usherd')
    guest.run('systemctl', 'restart', 'usherd')
    suite.test(world.wait_for_another(before) and world.sessions() == sessions and
               'another-build' in guest.run('usher', 'status', '--json').stdout,
               'a restart into another build takes over all sessions', guest.journal)
    suite.test(sorted(world.find('usher-broker')) == brokers, 'their brokers serve on')

    guest.run('systemctl', 'daemon-reexec')
    before = world.main_pid()
    for pid in world.find('usherd'):
        world.kill(pid, 'usherd')
    suite.test(world.wait_for_another(before) and world.sessions() == sessions,
               "what is kept outlives systemd's own restart")

    before = world.main_pid()
    done = guest.run('systemctl', 'reload', 'usherd')
    suite.test(done.returncode == 0 and guest.property('SubState') == 'running' and
               guest.property('StatusText').startswith('Serving') and world.main_pid() == before,
               'systemctl reload ends when it is done', done, guest.journal)
    guest.write(f'{CONFIGURATION}/usherd.ini', 'nonsense\n')
    done = guest.run('systemctl', 'reload', 'usherd')
    suite.test(done.returncode != 0, 'and fails where something is wrong', done)
    guest.run('systemctl', 'restart', 'usherd')
    done = guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
    suite.test(world.sessions() == sessions and done.returncode == 125 and
               'configuration is wrong' in done.stderr,
               'with a wrong configuration sessions go on, and nobody new is served', done)
    guest.write(f'{CONFIGURATION}/usherd.ini', DAEMON)
    guest.run('systemctl', 'reload', 'usherd')
    done = guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
    suite.test(done.returncode == 0, 'until it is mended and reloaded', done)


def check_figures(suite, world, loads):
    calls, wrong, longest, strange = loads.finish()
    suite.test(wrong == 0 and not strange, 'of all calls not one returned anything else', *strange)
    suite.test(longest.took < LONGEST_CALL_US, 'no call waited for ever', longest)
    print(f'# {calls} calls, {wrong} wrong, the longest {longest.took / 1e6:.3f} s '
          f'({longest.what}, at {longest.ended / 1e6 - suite.began:.1f} s)')
    suite.test(world.wait(lambda: world.stored() == 1, 'the store is empty'),
               'sessions that are over leave nothing in the store', world.stored())


def pss(pid):
    match = re.search(r'^Pss:\s+(\d+)', guests.read(f'/proc/{pid}/smaps_rollup'), re.M)
    return int(match.group(1)) if match else 0


@contextlib.contextmanager
def idle_sessions(world, count):
    """Sessions whose program waits for its standard input to end."""
    before = world.sessions()
    processes = [world.guest.popen('usher', 'run', '--daemon', '--policy', 'load', '--', 'cat',
                                   stdin=-1) for _ in range(count)]
    world.wait(lambda: world.sessions() == before + count, 'they run')
    try:
        yield processes
    finally:
        for process in processes:
            process.communicate()


def check_memory(world):
    with idle_sessions(world, 20):
        daemon = sum(map(pss, world.find('usherd')))
        brokers = list(map(pss, world.find('usher-broker')))
        print(f'# memory of 20 idle sessions: usherd {daemon} KiB; '
              f'each broker {sum(brokers) // max(len(brokers), 1)} KiB (PSS)')


def make_incompatible(world):
    """The session's memory gets a version that no build has."""
    world.wait(lambda: len(world.find('usher-broker')) == 1, 'its broker is there')
    pid, = world.find('usher-broker')
    for name in os.listdir(f'/proc/{pid}/fd'):
        path = f'/proc/{pid}/fd/{name}'
        if 'memfd:usher-session' in os.readlink(path):
            with open(path, 'r+b', buffering=0) as memory:
                memory.seek(4)
                memory.write(struct.pack('I', 999))
            return
    raise RuntimeError('the broker has no session memory')


def check_incompatible(suite, world):
    guest = world.guest
    with idle_sessions(world, 1) as (process,):
        make_incompatible(world)
        before = world.main_pid()
        for pid in world.find('usherd'):
            world.kill(pid, 'usherd')
        world.wait_for_another(before)
        suite.test(world.is_told('sessions this one does not understand') and world.sessions() == 0,
                   'a session of a build that is not understood is left to its broker')
        suite.test(process.poll() is None and len(world.find('usher-broker')) == 1,
                   'which serves on')
        for pid in world.find('usher-broker'):
            world.kill(pid, 'usher-broker')
        out, _ = process.communicate('x\n', timeout=20)
        suite.test(out in ('x\n', ''), 'without it nobody waits for ever', out)


def check_journal(suite, world):
    """What administrators ask the journal by: the name that usherd has there, and fields."""
    guest = world.guest
    guest.write(f'{CONFIGURATION}/usherd.ini', DAEMON.replace('audit = no', 'audit = yes'))
    guest.run('systemctl', 'restart', 'usherd')
    guest.write('/load/journal/closed', 'closed')
    guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'cat', '/load/journal/closed')

    def ask(*words):
        return guest.run('journalctl', '-q', '-o', 'cat', '-t', 'usherd', *words).stdout.splitlines()
    told = world.wait(lambda: ask('USHER_VERDICT=deny'), 'the denial is told')
    denials = ask('USHER_VERDICT=deny')
    suite.test(told and len(denials) == 1 and '/load/journal/closed' in denials[0],
               'journalctl -t usherd USHER_VERDICT=deny tells the denial, and nothing else', *denials)
    suite.test(ask('USHER_POLICY=load', 'USHER_VERDICT=deny') == denials and
               not ask('USHER_VERDICT=inject'), 'other fields narrow it down')
    guest.write(f'{CONFIGURATION}/usherd.ini', DAEMON)
    guest.run('systemctl', 'restart', 'usherd')


def check_limit(suite, world):
    guest = world.guest
    guest.write('/run/systemd/system/usherd.service.d/limit.conf',
                '[Service]\nFileDescriptorStoreMax=12\nEnvironment=FDSTORE=12\n')
    guest.run('systemctl', 'daemon-reload')
    guest.run('systemctl', 'restart', 'usherd')
    with idle_sessions(world, 2):
        done = guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
        suite.test(done.returncode == 125 and 'serves 2 sessions' in done.stderr and
                   'FileDescriptorStoreMax' in done.stderr,
                   'more sessions than the store holds are refused, with the reason', done)
    world.wait(lambda: world.sessions() == 0, 'they have ended')
    done = guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
    suite.test(done.returncode == 0, 'and served when there is room again', done)


def check_stop(suite, world):
    guest = world.guest
    with idle_sessions(world, 1) as (process,):
        done = guest.run('usher', 'stop')
        suite.test(done.returncode != 0 and 'sessions live: 1' in done.stderr,
                   'usher stop is refused while sessions live', done)
        done = guest.run('usher', 'stop', '--end')
        world.wait(lambda: guest.property('SubState') == 'dead', 'it has ended')
        suite.test(done.returncode == 0 and guest.property('SubState') == 'dead' and
                   guest.property('Result') == 'success' and process.wait(20) != 0,
                   'or ends them, and is not started again', done, guest.journal)
    done = guest.run('usher', 'run', '--daemon', '--policy', 'load', '--', 'true')
    suite.test(done.returncode == 0, 'until the next program comes', done)
    with idle_sessions(world, 1) as (process,):
        guest.run('systemctl', 'stop', 'usherd.socket', 'usherd.service')
        suite.test(guest.property('ActiveState') == 'inactive' and
                   guest.property('Result') == 'success', 'systemctl stop ends it', guest.journal)
        out, _ = process.communicate('x\n', timeout=20)
        suite.test((process.returncode, out) == (0, 'x\n'),
                   'a session goes on without it, by its broker', out)
    suite.test(world.wait(lambda: not world.find('usher-broker'), 'no broker is left'),
               'and its broker ends with it')


def run(suite, options):
    with guests.Guest(BUILD) as guest:
        world = World(guest)
        guest.write(f'{CONFIGURATION}/usherd.ini', DAEMON)
        check_start(suite, world)
        loads = Loads(world)
        check_storm(suite, world, loads, options.sessions, options.seconds)
        check_restarts(suite, world, options.sessions)
        check_figures(suite, world, loads)
        check_memory(world)
        check_journal(suite, world)
        check_incompatible(suite, world)
        check_limit(suite, world)
        check_stop(suite, world)
        loads.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=8)
    parser.add_argument('--sessions', type=int, default=100)
    options = parser.parse_args()
    suite = Suite()
    # Whoever ends us ends the guest.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lacking = guests.missing()
    if lacking:
        print(f'ok 1 - usherd under systemd # SKIP there is no {lacking}\n1..1')
        return 0
    run(suite, options)
    print('1..%d' % suite.number)
    return 1 if suite.failed else 0


if __name__ == '__main__':
    sys.exit(main())
