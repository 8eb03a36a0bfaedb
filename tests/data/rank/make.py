#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes reference.json: 1,000 random data sets with what SciPy says of them.

usage: tests/data/rank/make.py >tests/data/rank/reference.json; needs python3-scipy (made with 1.10.1)

p: the exact two-sided p-value of the Mann-Whitney test, with ties by SciPy's permutation test over all ways to part the
numbers. shift, low, high: median and interval of the differences, whose ranks come from the exact distribution of U.
holm: adjusted p-values of five.
"""
import json
import random
import sys

import numpy
from scipy import stats


def rank_sum(a, b, axis=-1):
    ranks = stats.rankdata(numpy.concatenate((a, b), axis=axis), axis=axis)
    mean = a.shape[axis] * (a.shape[axis] + b.shape[axis] + 1) / 2
    return numpy.abs(numpy.take(ranks, range(a.shape[axis]), axis=axis).sum(axis=axis) - mean)


def p_value(a, b):
    if len(set(a + b)) == len(a + b):
        return stats.mannwhitneyu(a, b, alternative="two-sided", method="exact").pvalue
    found = stats.permutation_test((numpy.array(a), numpy.array(b)), rank_sum, vectorized=True,
                                   n_resamples=numpy.inf, alternative="greater")
    return found.pvalue


def first_rank(m, n):
    # The distribution of U by counting, for SciPy has no public one.
    counts = {0: 1}
    table = [[None] * (n + 1) for _ in range(m + 1)]
    for i in range(m + 1):
        for j in range(n + 1):
            if not i or not j:
                table[i][j] = counts
                continue
            merged = dict(table[i][j - 1])
            for u, count in table[i - 1][j].items():
                merged[u + j] = merged.get(u + j, 0) + count
            table[i][j] = merged
    total = sum(table[m][n].values())
    below, rank = table[m][n].get(0, 0), 0
    while below / total < 0.025:
        rank += 1
        below += table[m][n].get(rank, 0)
    return rank


def holm(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, least = [0] * len(p), 0
    for place, i in enumerate(order):
        least = max(least, min(1, p[i] * (len(p) - place)))
        adjusted[i] = least
    return adjusted


def main():
    random.seed(7)
    sets = []
    for number in range(1000):
        m, n = random.randint(2, 8), random.randint(2, 8)
        with_ties = number % 3 == 0
        draw = (lambda: float(random.randint(0, 6))) if with_ties else (lambda: round(random.lognormvariate(0, 1), 6))
        a, b = [draw() for _ in range(m)], [draw() + (0 if number % 2 else 1) for _ in range(n)]
        differences = sorted(y - x for x in a for y in b)
        first = first_rank(m, n)
        sets.append({
            "a": a,
            "b": b,
            "p": float(min(1, p_value(a, b))),
            "shift": float(numpy.median(differences)),
            "low": differences[first - 1] if first else None,
            "high": differences[len(differences) - first] if first else None,
        })
    tests = [[random.random() ** 3 for _ in range(5)] for _ in range(100)]
    json.dump({"sets": sets, "holm": [{"p": p, "adjusted": holm(p)} for p in tests]}, sys.stdout, indent=None,
              separators=(",", ":"))
    sys.stdout.write("\n")


main()
