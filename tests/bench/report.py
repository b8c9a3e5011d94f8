# SPDX-License-Identifier: Apache-2.0
"""Figures from interleaved rounds: medians, spread, and ratios.

A ratio is taken within each round, between runs that followed each other, and then the median of
the rounds: what slows the machine for a while slows both sides of it.
"""

import statistics
import sys

# What a line is judged by: a lone caller's typical call, and what many get done together.
ALONE, TOGETHER = 'p50_ns', 'wall_ns'


def spread(values):
    """Half the distance from the first to the third quartile, in percent of the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    middle = statistics.median(values)
    return 50.0 * (high - low) / middle if middle else 0.0


def paired_ratio(figures, others):
    """The median of the ratios in rounds that both have; None without any."""
    ratios = [figures[number] / others[number] for number in figures
              if number in others and others[number]]
    return statistics.median(ratios) if ratios else None


def show_progress(text):
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def column(name):
    return TOGETHER if name.rpartition(' ')[2][:1] == 'x' else ALONE


def by_name(samples, setup, placement):
    """{line's name: {round: {column: figure}}}"""
    table = {}
    for sample in samples:
        if sample['setup'] == setup and sample['placement'] == placement:
            table.setdefault(sample['name'], {})[sample['round']] = sample['figures']
    return table


def summarise(samples, setups, placements):
    """A list of rows for a table or for JSON."""
    rows = []
    for placement in placements:
        tables = {setup: by_name(samples, setup, placement) for setup in setups}
        names = list(dict.fromkeys(name for setup in setups for name in tables[setup]))
        for name in names:
            rows.append(summarise_line(placement, name, tables))
    return rows


def summarise_line(placement, name, tables):
    key = column(name)
    rounds = {setup: {number: figures[key] for number, figures in table.get(name, {}).items()}
              for setup, table in tables.items()}
    row = {'placement': placement, 'name': name, 'column': key, 'setups': {}}
    for setup, figures in rounds.items():
        if not figures:
            continue
        row['setups'][setup] = {
            'median_ns': statistics.median(figures.values()),
            'spread_percent': spread(list(figures.values())),
            'to_native': paired_ratio(figures, rounds.get('native', {})),
            'to_floor': paired_ratio(figures, rounds.get('floor', {})),
            'p99_ns': statistics.median(
                each['p99_ns'] for each in tables[setup][name].values()),
            'p999_ns': statistics.median(
                each['p999_ns'] for each in tables[setup][name].values()),
        }
    return row


def ratio_text(value):
    return f'{value:6.2f}x' if value is not None else '      -'


def cell(setup, figures):
    if figures is None:
        return f"{'-':>9} {'':>5}" + ('' if setup == 'native' else ' ' * 8) + \
            ('' if setup in ('native', 'floor') else ' ' * 8)
    text = f"{figures['median_ns'] / 1000:9.2f} {figures['spread_percent']:4.0f}%"
    if setup != 'native':
        text += ' ' + ratio_text(figures['to_native'])
    if setup not in ('native', 'floor'):
        text += ' ' + ratio_text(figures['to_floor'])
    return text


def head(setup):
    text = f'{setup[:9]:>9} {"+-":>5}'
    if setup != 'native':
        text += ' /native'
    if setup not in ('native', 'floor'):
        text += '  /floor'
    return text


def print_table(rows, setups, out):
    width = max((len(row['name']) for row in rows), default=4)
    for placement in dict.fromkeys(row['placement'] for row in rows):
        print(f'\n{placement}: microseconds a call, the median of the rounds and its spread; '
              'ratios from the same round', file=out)
        print(f'{"":{width}}  ' + ' | '.join(head(setup) for setup in setups), file=out)
        for row in rows:
            if row['placement'] == placement:
                cells = (cell(setup, row['setups'].get(setup)) for setup in setups)
                print(f"{row['name']:{width}}  " + ' | '.join(cells), file=out)


def markdown_cell(setup, figures):
    if figures is None:
        return '-'
    text = f"{figures['median_ns'] / 1000:.2f} ±{figures['spread_percent']:.0f}%"
    ratios = [] if setup == 'native' else [figures['to_native']]
    ratios += [] if setup in ('native', 'floor') else [figures['to_floor']]
    known = [f'{ratio:.2f}' for ratio in ratios if ratio is not None]
    text += f" ({' / '.join(known)})" if known else ''
    return text + f"; {figures['p99_ns'] / 1000:.0f}, {figures['p999_ns'] / 1000:.0f}"


def print_markdown(rows, setups, out):
    """The same with the rarer calls, for a page: `median ±spread (/native / /floor); p99, p99.9`."""
    for placement in dict.fromkeys(row['placement'] for row in rows):
        print(f'\n{placement}, microseconds: median ±spread (ratio to native / to the floor); '
              'p99, p99.9\n', file=out)
        print('| | ' + ' | '.join(setups) + ' |', file=out)
        print('| --- |' + ' ---: |' * len(setups), file=out)
        for row in rows:
            if row['placement'] == placement:
                cells = (markdown_cell(setup, row['setups'].get(setup)) for setup in setups)
                print(f"| {row['name']} | " + ' | '.join(cells) + ' |', file=out)
