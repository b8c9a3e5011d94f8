#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What connections cost: beside native ones, and beside user-mode networks that do comparable work.

  tests/bench/network.py BUILD_DIR [--rounds N] [--json FILE] [--only SETUP,...]
                         [--measure NAME,...]

The far side is a second network namespace behind a veth pair, so needs root. Each round measures
everything under each setup, in another order each time; a ratio is taken within a round, and what
is shown is the median of the rounds. `broker` is `net = broker`: the sockets are the broker's;
`host` the same rules in the machine's own network; `floor` the least supervisor, which makes the
sockets and the connections and does not look at what is sent; `slirp4netns` and `pasta` carry each
packet through a process of theirs. What is not installed is left out, and said.

`connections-one` are connections a second where all who take part, the server too, have one
processor: what is done for a connection is counted there, and not what the others idle meanwhile.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ''
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ['USHER_BUILD'] = BUILD
sys.path[:0] = [os.path.join(SOURCE, 'tests/integration'), os.path.join(SOURCE, 'tests/bench')]
import harness  # noqa: E402
import report  # noqa: E402
import world  # noqa: E402

PROGRAM = os.path.join(BUILD, 'tests/bench/network')
FLOOR = os.path.join(BUILD, 'tests/bench/floor')
CALLS, CALLS_ONE, IPERF, REDIS, WEB = 7000, 7001, 5201, 6379, 8000
ONE = ['taskset', '--cpu-list', str(min(os.sched_getaffinity(0)))]
SECONDS = 60

RULES = f'[network]\ndefault = deny\nallow connect = tcp {world.FAR}:* udp {world.FAR}:*\n'
# slirp4netns joins a namespace that is there; the command in it waits until that is done.
SLIRP = r'''
unshare -rn sh -c 'read -r _ <"$0"; exec "$@"' "$0" "$@" &
child=$!
while [ "$(readlink /proc/$child/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
slirp4netns --configure --ready-fd=3 $child tap0 3>"$0" >/dev/null 2>&1 &
wait $child
status=$?
kill $!
exit $status
'''


def usher(network):
    def prefix(place):
        policy = os.path.join(place, f'{network}.ini')
        with open(policy, 'w', encoding='ascii') as file:
            file.write(f'[policy]\nnet = {network}\n' + RULES)
        return [os.path.join(BUILD, 'client/usher'), 'run', '--policy', policy, '--']
    return prefix


def slirp(place):
    fifo = os.path.join(place, 'ready')
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    return ['sh', '-c', SLIRP, fifo]


# setup -> (the program that it needs, what stands in front of a command)
SETUPS = {
    'native': (None, lambda place: []),
    'broker': (None, usher('broker')),
    'host': (None, usher('host')),
    'floor': (None, lambda place: [FLOOR, '--notify', 'socket,connect']),
    'pasta': ('pasta', lambda place: ['pasta', '--runas', '0', '--config-net', '--no-map-gw', '-q', '--']),
    'slirp4netns': ('slirp4netns', slirp),
}


def of_iperf(output):
    return json.loads(output)['end']['sum_received']['bits_per_second'] / 1e9


def of_redis(output):
    return float(output.splitlines()[-1].split(',')[1].strip('"'))


def of_wrk(output):
    return float(output.split('Requests/sec:')[1].split()[0])


def microseconds(output):
    return float(output) / 1000


IPERF_COMMAND = ['iperf3', '-J', '-c', world.FAR, '-p', str(IPERF), '-t', '1']
# measure -> (unit, does more mean better, command, what is read from its output)
MEASURES = {
    'tcp out': ('Gbit/s', True, IPERF_COMMAND, of_iperf),
    'tcp in': ('Gbit/s', True, [*IPERF_COMMAND, '-R'], of_iperf),
    'connections': ('1/s', True, [PROGRAM, 'rate', world.FAR, str(CALLS), '0.5'], float),
    'connections-one': ('1/s', True, [PROGRAM, 'rate', world.FAR, str(CALLS_ONE), '0.5'], float),
    'connect': ('us', False, [PROGRAM, 'connect', world.FAR, str(CALLS), '2000'], microseconds),
    'sendto': ('us', False, [PROGRAM, 'sendto', world.FAR, str(CALLS), '5000'], microseconds),
    'redis get': ('1/s', True, ['redis-benchmark', '-h', world.FAR, '-p', str(REDIS), '-n',
                                '20000', '-c', '20', '-t', 'get', '--csv'], of_redis),
    'wrk kept': ('1/s', True, ['wrk', '-t1', '-c16', '-d1s',
                                f'http://{world.FAR}:{WEB}/'], of_wrk),
    'wrk closed': ('1/s', True, ['wrk', '-t1', '-c16', '-d1s', '-H', 'Connection: close',
                                  f'http://{world.FAR}:{WEB}/'], of_wrk),
}

NGINX = """\
daemon off; master_process off; pid {place}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; server {{ listen {port}; location / {{ return 200 hello; }} }} }}
"""


def start_far(place):
    far = world.World(delay=None)
    world.sh('ip', 'route', 'add', 'default', 'via', world.FAR)  # pasta looks for one
    config = os.path.join(place, 'nginx.conf')
    with open(config, 'w', encoding='ascii') as file:
        file.write(NGINX.format(place=place, port=WEB))
    far.serve(PROGRAM, 'serve', world.FAR, CALLS)
    far.serve(*ONE, PROGRAM, 'serve', world.FAR, CALLS_ONE)
    far.serve('iperf3', '-s', '-p', IPERF)
    far.serve('redis-server', '--bind', world.FAR, '--port', REDIS, '--save', '',
              '--protected-mode', 'no', cwd=place)
    far.serve('nginx', '-c', config)
    for port in CALLS, CALLS_ONE, IPERF, REDIS, WEB:
        harness.wait_until(lambda port=port: world.is_open(port), f'port {port} is open')


def measure(setup, name, place):
    _, _, command, read = MEASURES[name]
    held = ONE if name.endswith('-one') else []
    result = subprocess.run([*held, *SETUPS[setup][1](place), *command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                            check=False, text=True)
    try:
        return read(result.stdout)
    except (ValueError, IndexError, KeyError):
        sys.exit(f'{setup}, {name}: status {result.returncode}: '
                 f'{result.stdout[-500:]}{result.stderr[-500:]}')


def run_rounds(setups, measures, rounds, place):
    """{measure: {setup: {round: figure}}}"""
    figures = {name: {setup: {} for setup in setups} for name in measures}
    for number in range(rounds):
        for name in measures:
            for setup in random.sample(setups, len(setups)):
                report.show_progress(f'round {number + 1} of {rounds}: {name}, {setup}')
                figures[name][setup][number] = measure(setup, name, place)
    report.show_progress('')
    return figures


def summarise(figures):
    return [{'measure': name, 'unit': MEASURES[name][0], 'more_is_better': MEASURES[name][1],
             'setups': {setup: {'median': statistics.median(values.values()),
                                'spread_percent': report.spread(list(values.values())),
                                'to_native': report.paired_ratio(values, table.get('native', {}))}
                        for setup, values in table.items()}}
            for name, table in figures.items()]


def print_table(rows, setups):
    print('The median of the rounds, its spread, and the ratio to native in the same round; for '
          'what is in us\nless is better, for the rest more.\n')
    print(f'{"":21}' + ' | '.join(f'{setup:>9} {"+-":>5}' +
                                  ('' if setup == 'native' else ' /native') for setup in setups))
    for row in rows:
        cells = []
        for setup in setups:
            figure = row['setups'][setup]
            text = f"{figure['median']:9.5g} {figure['spread_percent']:4.0f}%"
            cells.append(text if setup == 'native' else
                         text + ' ' + report.ratio_text(figure['to_native']))
        print(f"{row['measure'] + ', ' + row['unit']:21}" + ' | '.join(cells))


def there_are(setups):
    result = []
    for setup in setups:
        needs = SETUPS[setup][0]
        if needs and not shutil.which(needs):
            print(f'{setup}: left out, {needs} is not installed', file=sys.stderr)
        else:
            result.append(setup)
    return result


def arguments():
    parser = argparse.ArgumentParser(prog='./dev bench network', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--json')
    parser.add_argument('--only', default=','.join(SETUPS), metavar='SETUP,...')
    parser.add_argument('--measure', default=','.join(MEASURES), metavar='NAME,...')
    options = parser.parse_args()
    options.setups, options.measures = options.only.split(','), options.measure.split(',')
    for known, given in (SETUPS, options.setups), (MEASURES, options.measures):
        for name in given:
            if name not in known:
                parser.error(f'{name} is none of {", ".join(known)}')
    return options


def main():
    options = arguments()
    world.enter()
    setups = there_are(options.setups)
    with tempfile.TemporaryDirectory() as place:
        start_far(place)
        rows = summarise(run_rounds(setups, options.measures, options.rounds, place))
    print_table(rows, setups)
    if options.json:
        with open(options.json, 'w', encoding='ascii') as file:
            json.dump({'kernel': platform.release(), 'processors': os.cpu_count(),
                       'rounds': options.rounds, 'measures': rows}, file, indent=1)


if __name__ == '__main__':
    main()
