"""What is made of several rounds: medians, spreads, ratios, and whether a goal
was reached. Pure: numbers in, numbers out.

SPDX-License-Identifier: MIT
"""
import statistics

NOISE = 12.0  # per cent of a core that others may take from a measurement


def median(values):
    """None for no values at all."""
    return statistics.median(values) if values else None


def spread(values):
    """How far the farthest value is from the median, in per cent of it; None
    where that says nothing: fewer than two values, or a median of 0."""
    middle = median(values)
    if len(values) < 2 or not middle:
        return None
    return max(abs(v - middle) for v in values) / abs(middle) * 100


def ratio(rounds, above, below):
    """The median over the rounds of above / below.

    rounds  a list of {name: value}: what was measured at about the same time.
            Dividing within each round keeps out what changes from round to
            round, like the clock of the processor. A round that lacks one of
            the two is passed over.
    Returns None when no round has both.
    """
    return median([r[above] / r[below] for r in rounds
                   if r.get(above) is not None and r.get(below)])


class Goal:
    """What is to be reached, and what was measured."""

    def __init__(self, what, measured, limit, at_most=True, unit=''):
        self.what, self.measured, self.limit = what, measured, limit
        self.at_most, self.unit = at_most, unit

    @property
    def reached(self):
        """None: there is nothing to tell it from."""
        if self.measured is None:
            return None
        if self.at_most:
            return self.measured <= self.limit
        return self.measured >= self.limit

    @property
    def wanted(self):
        """'<= 1.1x'"""
        sign = '<=' if self.at_most else '>='
        return f'{sign} {self.limit:g}{self.unit}'


def noise(result):
    """Per cent of a core that others took meanwhile; 0 where nothing says."""
    of = result.get('noise', {})
    return of.get('other_pct', 0) + of.get('steal_pct', 0)


def disturbed(results):
    """Was more than half of {case: [result or None, ..]} not quiet?"""
    all_of = [r for some in results.values() for r in some if r]
    return sum(noise(r) > NOISE for r in all_of) * 2 > len(all_of)


def rounds_of(results, figure):
    """results: {case: [one result per round, or None]} -> [{case: figure}]"""
    count = max((len(some) for some in results.values()), default=0)
    return [{case: figure(some[i]) for case, some in results.items()
             if i < len(some) and some[i]} for i in range(count)]


def column(rounds, case):
    return [r[case] for r in rounds if r.get(case) is not None]
