#!/usr/bin/env python3
"""Tests of the benchmark's arithmetic and of what it writes. Prints TAP.

SPDX-License-Identifier: MIT
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import document  # noqa: E402
import figures  # noqa: E402
from rows import Row  # noqa: E402


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
