#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Computes each trial's summary from its samples, by nothing of eval's, and prints where the record differs.

usage: summary.py DATABASE; prints nothing if all agree, and exits 1 if there was nothing to compare
"""
import json
import math
import sqlite3
import sys

PHASES = {"before": "warmup", "during": "hold", "after": "recover"}


def percentile(good, percent, least):
    if len(good) < least or not good:
        return None
    return sorted(good)[math.ceil(len(good) * percent / 100) - 1]


def outage(samples, phase):
    longest, since, began = 0, None, None
    for at, end, good, own_phase in samples:
        if good and since is not None:
            if began == phase:
                longest = max(longest, at - since)
            since = None
        elif not good and since is None:
            since, began = at, own_phase
        last_end = end
    if since is not None and began == phase:
        longest = max(longest, last_end - since)
    return longest / 1e9


def figures(samples, phase):
    own = [s for s in samples if s[3] == phase]
    good = [(end - start) / 1e6 for _, end, ok, _, start in own if ok]
    return {
        "count": len(own),
        "good": len(good),
        "availability": len(good) / len(own) if own else None,
        "p50_ms": percentile(good, 50, 1),
        "p90_ms": percentile(good, 90, 10),
        "p99_ms": percentile(good, 99, 100),
        "max_ms": max(good) if good else None,
        "outage_seconds": outage([s[:4] for s in samples], phase) if own else None,
    }


def differs(recorded, computed):
    if recorded is None or computed is None:
        return recorded is not computed
    return abs(recorded - computed) > 1e-6


def main():
    database = sqlite3.connect(sys.argv[1])
    compared = 0
    for trial, attempt, text in database.execute("SELECT id, attempt, summary FROM trials WHERE summary IS NOT NULL"):
        for probe, windows in json.loads(text)["probes"].items():
            samples = [(at, start + latency, ok, phase, start) for at, start, latency, ok, phase in database.execute(
                "SELECT scheduled_ns, started_at_ns, latency_ns, ok, phase FROM samples WHERE trial_id = ? AND attempt = ? "
                "AND probe = ? ORDER BY scheduled_ns", (trial, attempt, probe))]
            for window, phase in PHASES.items():
                for key, value in figures(samples, phase).items():
                    compared += 1
                    if differs(windows[window].get(key), value):
                        print(f"{trial} {probe} {window} {key}: recorded {windows[window].get(key)}, computed {value}")
    sys.exit(0 if compared else 1)


main()
