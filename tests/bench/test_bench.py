#!/usr/bin/env python3
"""Tests of the benchmark's arithmetic and of what it writes. Prints TAP.

SPDX-License-Identifier: MIT
"""
import os
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cluster_page  # noqa: E402
import document  # noqa: E402
import figures  # noqa: E402
import instructions  # noqa: E402
import plot  # noqa: E402
from rows import ROWS, SERIES, SPECIAL, Point, Row, Series  # noqa: E402


class Profiles(unittest.TestCase):
    def test_own_costs(self):
        text = ('48,000 (100.0%) 20,000 (100.0%)  PROGRAM TOTALS\n'
                'D1mr   D1mw\n'
                '30,000 (62.50%) 20,000 (100.0%)  src/net/conn.c:on_event [/s]\n'
                ' 8,000 (16.67%)      .           src/net/list.h:on_event [/s]\n'
                '10,000 (20.83%)      .           ???:0x0001 [/lib/x.so]\n')
        self.assertEqual(instructions.own_costs(text),
                         {'on_event': 58000, '?': 10000})
        self.assertEqual(instructions.own_costs(
            ' 1,234 (12.3%)  protocol/a.c:f [/s]\n'), {'f': 1234})


class Figures(unittest.TestCase):
    def test_median(self):
        for values, want in (([], None), ([3], 3), ([3, 1, 2], 2),
                             ([4, 1, 2, 3], 2.5), ([1, 1, 100], 1)):
            self.assertEqual(figures.median(values), want)

    def test_spread_is_the_farthest_round(self):
        for values, want in (([], None), ([5], None), ([0, 0, 1], None),
                             ([10, 10, 10], 0), ([10, 9, 12], 20),
                             ([10, 7, 12], 30)):
            self.assertEqual(figures.spread(values), want)

    def test_ratio_divides_within_each_round(self):
        # The machine slows down to a third; the ratio stays.
        rounds = [{'a': 3, 'b': 2}, {'a': 6, 'b': 4}, {'a': 9, 'b': 6}]
        self.assertEqual(figures.ratio(rounds, 'a', 'b'), 1.5)

    def test_ratio_passes_over_rounds_that_lack_one(self):
        rounds = [{'a': 8}, {'b': 2}, {'a': 8, 'b': None}, {'a': 8, 'b': 0},
                  {'a': 4, 'b': 2}]
        self.assertEqual(figures.ratio(rounds, 'a', 'b'), 2)
        self.assertIsNone(figures.ratio(rounds[:4], 'a', 'b'))
        self.assertIsNone(figures.ratio([], 'a', 'b'))

    def test_a_goal_is_reached_up_to_its_limit(self):
        for measured, at_most, want in (
                (1.1, True, True), (1.1001, True, False), (1.0, True, True),
                (1.1, False, True), (1.0999, False, False),
                (None, True, None), (None, False, None)):
            goal = figures.Goal('', measured, 1.1, at_most)
            self.assertIs(goal.reached, want)

    def test_what_a_goal_wants_in_words(self):
        self.assertEqual(figures.Goal('', 1, 1.1, unit='x').wanted, '<= 1.1x')
        self.assertEqual(figures.Goal('', 1, 20, False).wanted, '>= 20')

    def test_rounds_of_keeps_what_belongs_together(self):
        results = {'a': [{'v': 1}, None, {'v': 3}], 'b': [{'v': 4}]}
        rounds = figures.rounds_of(results, lambda r: r['v'])
        self.assertEqual(rounds, [{'a': 1, 'b': 4}, {}, {'a': 3}])
        self.assertEqual(figures.column(rounds, 'a'), [1, 3])
        self.assertEqual(figures.rounds_of({}, None), [])


    def test_disturbed_is_more_than_half(self):
        loud, quiet = ({'noise': {'other_pct': p, 'steal_pct': 1}}
                       for p in (11.5, 11))
        for results, want in (({}, False), ({'a': [loud], 'b': [quiet]}, False),
                              ({'a': [loud, None], 'b': [loud, quiet]}, True),
                              ({'a': [{}]}, False)):
            self.assertIs(figures.disturbed(results), want)


def cpu(*values):
    return [v and {'cpu_us_per_msg': v} for v in values]


class Document(unittest.TestCase):
    def test_numbers(self):
        for value, want in ((None, '-'), (0, '0'), (0.24, '0.24'),
                            (3.333, '3.33'), (24.04, '24'), (99.96, '100'),
                            (958.4, '958'), (15165, '15,165'),
                            (1234567, '1,234,567')):
            self.assertEqual(document.number(value), want)

    def test_a_row_with_both_goals_reached(self):
        row = Row('n', 'what', '', 1.10, 3)
        self.assertEqual(
            document.event_row(row, {'floor': cpu(2, 2), 'libsio': cpu(2, 2),
                                     'node': cpu(8, 8)}),
            ['what (`n`)', '2 ±0 %', '2 ±0 %', '8 ±0 %', '1x', '<= 1.10x',
             '4x', '>= 3x', 'yes'])

    def test_one_goal_missed_is_no(self):
        row = Row('n', 'what', '', 1.10, 3)
        for libsio, node in ((2.21, 8), (2, 5.9)):
            cells = document.event_row(row, {
                'floor': cpu(2), 'libsio': cpu(libsio), 'node': cpu(node)})
            self.assertEqual(cells[-1], '**no**')

    def test_what_was_not_measured_is_not_reached(self):
        row = Row('n', 'what', '', 1.10, 3)
        cells = document.event_row(row, {
            'floor': cpu(2), 'libsio': cpu(2), 'node': cpu(None)})
        self.assertEqual(cells[3:], ['-', '1x', '<= 1.10x', '-', '>= 3x',
                                     'not measured'])

    def test_a_disturbed_row_says_so(self):
        loud = [{'cpu_us_per_msg': 2,
                 'noise': {'other_pct': 50, 'steal_pct': 0}}]
        for node, want in ((6, 'yes (disturbed)'), (3, '**no** (disturbed)')):
            cells = document.event_row(Row('n', 'what', '', 1.10, 3), {
                'floor': loud, 'libsio': loud, 'node': cpu(node)})
            self.assertEqual(cells[-1], want)

    def test_without_goals_there_is_nothing_to_reach(self):
        cells = document.event_row(Row('n', 'what', ''), {
            'floor': cpu(2), 'libsio': cpu(3), 'node': cpu(6)})
        self.assertEqual(cells[4:], ['1.5x', '', '2x', '', ''])

    def test_the_table_has_a_line_for_each_measured_row(self):
        rows = [Row('a', 'A', ''), Row('b', 'B', '')]
        text = document.event_table(rows, {
            'b': {'floor': cpu(1), 'libsio': cpu(1), 'node': cpu(1)}})
        lines = text.split('\n')
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[1].startswith('|---|--:|'))
        self.assertTrue(lines[2].startswith('| B (`b`) | 1 | 1 | 1 |'))
        self.assertEqual({line.count('|') for line in lines}, {10})


SERIES_OF_TEST = Series('s', 'what', 'things', 'us', [
    Point('libsio', n, '') for n in (1, 100, 10000)])


class Goals(unittest.TestCase):
    def cells(self, *per_point, limit=1.1):
        results = {f'libsio/{n}': cpu(*values)
                   for n, values in zip((1, 100, 10000), per_point)}
        return document.growth_line('{last} beside {first}', SERIES_OF_TEST,
                                    results, limit)

    def test_growth_is_the_last_point_beside_that_of_a_hundred(self):
        self.assertEqual(
            self.cells([9, 9, 9], [2, 4, 6], [2.2, 4.4, 6.6]),
            ['10,000 beside 100', '1.1x', '', '<= 1.1x', '', '', 'yes'])
        self.assertEqual(self.cells([1], [2], [3])[-1], '**no**')

    def test_growth_with_a_point_missing_is_not_measured(self):
        self.assertEqual(self.cells([1], [2], [None])[1:],
                         ['-', '', '<= 1.1x', '', '', 'not measured'])

    def test_memory(self):
        lines = document.memory_lines({
            'libsio websocket': {'each': 1000, 'start': 100, 'after': 111,
                                 'clients': 10000},
            'node websocket': {'each': 14000},
            'libsio polling': {'each': 1501},
            'node polling': {'each': 30000},
            'libsio tls': {'each': 12288}})
        self.assertEqual([line[-1] for line in lines],
                         ['yes', '**no**', 'yes', '**no**'])
        self.assertEqual(lines[0][1:3], ['1,000', '14,000'])
        self.assertEqual(lines[3][1], '+11 %')
        self.assertTrue(all(len(line) == len(document.GOAL_HEAD)
                            for line in lines))

    def test_memory_of_a_kind_that_failed(self):
        lines = document.memory_lines({'node polling': {'each': 1}})
        self.assertEqual([line[-1] for line in lines], ['not measured'] * 3)

    def test_start_two_loops_and_broadcasts(self):
        one = {'ms': 10, 'rss': 5e6}
        lines = document.start_lines([{'libsio': one, 'node': one}, None])
        self.assertEqual([line[-1] for line in lines], ['yes', 'yes'])
        loops = {'1': {'per_s': 100, 'cpu_us_per_msg': 80},
                 '2': {'per_s': 169}}
        self.assertEqual(document.loops_lines([loops])[0][-1], '**no**')
        loops['2']['per_s'] = 170
        self.assertEqual(document.loops_lines([loops])[0][-1], 'yes')

    def test_a_loop_whose_core_others_had_was_disturbed(self):
        for wall, cpu_us, want in (
                (25000, 20000, 'yes'), (25001, 20000, '**no**'),
                (30000, 10000, '**no** (disturbed)')):
            held = {'held_us': wall, 'cpu_us': cpu_us,
                    'echoes': latency(1)[0]}
            self.assertEqual(document.held_lines([held, None])[0][-1], want)


def latency(*values):
    return [{'lat_us': {'p99': v}} for v in values]


class Plots(unittest.TestCase):
    def parsed(self, svg):
        """Well-formed, nothing from elsewhere, both grounds thought of."""
        root = ElementTree.fromstring(svg)
        self.assertEqual(svg.count('http'), 1)  # the namespace
        self.assertIn('prefers-color-scheme: dark', svg)
        return root

    def count(self, root, tag):
        return len(root.findall(f'.//{{http://www.w3.org/2000/svg}}{tag}'))

    def test_a_line_for_each_curve_and_a_dot_for_each_point(self):
        root = self.parsed(plot.lines('a < b & c', 'x', 'y', {
            'one': [(1, [2, 3, 4]), (100, [3])], 'two': [(10, [])]}))
        self.assertEqual(self.count(root, 'polyline'), 2)
        dots = [float(c.get('cy')) for c in root.iter() if
                c.tag.endswith('circle')]
        self.assertEqual(dots[0], dots[1])  # the median of 2, 3, 4 is 3
        self.assertEqual(self.count(root, 'circle'), 2)

    def test_nothing_measured_is_said(self):
        self.assertIn('not measured', plot.lines('t', 'x', 'y', {}))
        self.assertIn('not measured', plot.dots('t', 'x', [('a', {'n': None})]))

    def test_dots(self):
        self.assertEqual(plot.colour_of('floor', ['libsio', 'floor']), 'c2')
        root = self.parsed(plot.dots('t', 'x', [
            ('a', {'n': 1, 'm': 20}), ('b', {'n': None, 'm': 0.5})]))
        self.assertEqual(self.count(root, 'circle'), 3)

    def test_ticks_enclose_what_is_shown(self):
        for top in (0.004, 0.3, 1, 4.7, 5, 99, 1234):
            ticks = plot.linear_ticks(top)
            self.assertEqual(ticks[0], 0)
            self.assertTrue(top <= ticks[-1] * 1.001 <= 2 * top + 1e-9, top)
            self.assertLessEqual(len(ticks), 7)
        for low, high in ((1, 1), (1, 10), (2, 9), (0.3, 5000)):
            ticks = plot.log_ticks(low, high)
            self.assertTrue(ticks[0] <= low and high <= ticks[-1])
            self.assertGreater(len(ticks), 1)

    def test_places(self):
        axis = plot.Axis([1, 100], 0, 200, log=True)
        self.assertEqual(axis.place(10), 100)
        axis = plot.Axis([0, 50, 100], 200, 0)
        self.assertEqual(axis.place(25), 150)


class Page(unittest.TestCase):
    def run_of(self, **more):
        return {'meta': {'libsio': 'abc'}, 'note': '', 'noise': 12,
                'measured': 9, 'disturbed': 2, 'failures': [], **more}

    def page(self, **more):
        return document.full_page(self.run_of(**more), [Row('a', 'A', '')],
                                  {'s': SERIES_OF_TEST}, str)

    def test_says_of_which_commit_and_what_disturbed(self):
        text = self.page()
        self.assertIn('| libsio | abc |', text)
        self.assertIn('2 of 9 measurements were disturbed', text)
        self.assertNotIn('**', text.split('interface:')[0])

    def test_a_note_and_what_failed(self):
        text = self.page(note='Not final.', failures=['a: lost'])
        self.assertIn('**Not final.**', text)
        self.assertIn('* a: lost', text)

    def test_parts_that_were_not_measured_are_left_out(self):
        self.assertNotIn('## What an event costs', self.page())
        text = self.page(events={'a': {'floor': cpu(1), 'libsio': cpu(1),
                                       'node': cpu(2)}})
        self.assertIn('| A (`a`) | 1 | 1 | 2 | 1x |  | 2x |  |  |', text)

    def test_every_plot_of_the_page_is_made(self):
        more = {'events': {'a': {'floor': cpu(1), 'libsio': cpu(1),
                                 'node': cpu(2)}},
                'series': {'s': {f'libsio/{n}': cpu(n)
                                 for n in (1, 100, 10000)}}}
        pictures = document.plots(self.run_of(**more), [Row('a', 'A', '')],
                                  {'s': SERIES_OF_TEST})
        text = self.page(**more)
        for name in pictures:
            self.assertIn(f'images/bench-{name}.svg', text)
        self.assertEqual(len(pictures), text.count('images/bench-'))


class Parts(unittest.TestCase):
    MARKS = ('<!-- x: written by `make x` -->', '<!-- end of x -->')

    def test_a_part_is_put_at_the_end_and_then_replaced(self):
        begin, end = self.MARKS
        text = document.with_part('# Page\n', 'x', 'one\n')
        self.assertEqual(text, f'# Page\n\n{begin}\n\none\n\n{end}\n')
        self.assertEqual(document.with_part(text + 'behind\n', 'x', 'two'),
                         f'# Page\n\n{begin}\n\ntwo\n\n{end}\nbehind\n')

    def test_a_page_written_again_keeps_the_parts_of_others(self):
        old = document.with_part('# Old\n', 'x', 'one')
        new = document.with_parts_of('# New\n', old)
        self.assertEqual(new, document.with_part('# New\n', 'x', 'one'))
        self.assertEqual(document.with_parts_of(new, '# None\n'), new)


def crossing(cpu_us, per_s, busy=99, noise=0):
    return {'cpu': cpu_us, 'per_s': per_s, 'busy_pct': busy,
            'delay_us': {'p50': 100, 'p99': 2000},
            'noise': {'other_pct': noise, 'steal_pct': 0}}


class Clusters(unittest.TestCase):
    def results(self, **more):
        mine, node = crossing([2, 4, 1], 100), crossing([10, 20, 1], 25, **more)
        return {'libsio': {'rate': [mine, None], 'most': [mine, None]},
                'node': {'rate': [node, node], 'most': [node, None]}}

    def test_cpu_of_each_process_and_the_ratio_of_the_nodes(self):
        row = cluster_page.Row('r', 'what', '', 1000)
        lines = cluster_page.cost_lines(row, self.results())
        self.assertEqual(lines, [
            ['what', '1,000', 'libsio', '2', '4', '1', '0.1', '2', ''],
            ['', '', 'Node', '10 ±0 %', '20 ±0 %', '1 ±0 %', '0.1', '2', '5x']])
        self.assertEqual({len(line) for line in lines},
                         {len(cluster_page.COST_HEAD)})

    def test_how_many_there_are_at_most(self):
        row = cluster_page.Row('r', 'what', '', 1000)
        lines = cluster_page.most_lines(row, self.results(noise=50))
        self.assertEqual(lines, [['what', 'libsio', '100', '99 %', ''],
                                 ['', 'Node', '25', '99 %', '4x']])
        self.assertEqual({len(line) for line in lines},
                         {len(cluster_page.MOST_HEAD)})

    def test_what_was_not_measured_is_a_dash(self):
        row = cluster_page.Row('r', 'what', '', 1000)
        nothing = {kind: {'rate': [None], 'most': [None]}
                   for kind in ('libsio', 'node')}
        self.assertEqual(cluster_page.most_lines(row, nothing)[1],
                         ['', 'Node', '-', '-', '-'])

    def test_the_part_says_of_which_commit_and_what_failed(self):
        name = cluster_page.ROWS[0].name
        text = cluster_page.part({
            'meta': {'libsio': 'abc'}, 'note': 'Not final.', 'noise': 12,
            'measured': 9, 'disturbed': 2, 'failures': ['all1: lost'],
            'adapters': {'classic': {name: self.results()}, 'sharded': {}}})
        for want in ('| libsio | abc |', '**Not final.**', '### classic',
                     '* not measured: all1: lost', '2 of 9 measurements'):
            self.assertIn(want, text)
        self.assertNotIn('### sharded', text)

    def test_rows_have_names_of_their_own(self):
        names = [row.name for row in cluster_page.ROWS]
        self.assertEqual(len(names), len(set(names)))


class Rows(unittest.TestCase):
    def test_names_are_unique(self):
        names = [row.name for row in ROWS] + list(SERIES) + list(SPECIAL)
        self.assertEqual(len(names), len(set(names)))

    def test_series_keep_to_the_connections_that_there_may_be(self):
        for most in (800, 20000):
            for make in SERIES.values():
                for point in make(most).points:
                    words = point.load.split()
                    count = int(words[words.index('-c') + 1])
                    self.assertLessEqual(count, max(most, 1000))
                    self.assertEqual(words[0], 'echo')


class Tap(unittest.TestResult):
    def line(self, ok, test, why=''):
        text = test.id().split('.', 1)[1].replace('test_', '')
        for each in why.splitlines():
            print('# ' + each)
        print(f'{ok} - bench: {text.replace("_", " ").replace(".", ": ")}')

    def addSuccess(self, test):
        self.line('ok', test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line('not ok', test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line('not ok', test, self.errors[-1][1])


if __name__ == '__main__':
    result = Tap()
    unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules['__main__']).run(result)
    sys.exit(not result.wasSuccessful())
