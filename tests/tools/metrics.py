#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Metrics by Prometheus' own library: metrics.py ADDRESS PORT FOLDER [LINES]; prints "ready" when it listens.

work_total grows by 100 a second, and by 40 while the file FOLDER/slow exists; depth is 3, and 9 while it exists. LINES more
series are there, as in a store. The process ends when FOLDER/stop exists, or when its parent ends.
"""
import os
import sys
import threading
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, start_http_server

address, port, folder = sys.argv[1:4]
registry = CollectorRegistry()
ProcessCollector(registry=registry)
work = Counter("work", "Work that was done", ["kind"], registry=registry)
depth = Gauge("depth", "How much waits", ["queue"], registry=registry)
many = Gauge("many_series", "As many as a store has", ["region"], registry=registry)
for region in range(int(sys.argv[4]) if len(sys.argv) > 4 else 0):
    many.labels(f"region-{region}").set(region)


parent = os.getppid()


def is_slow():
    return os.path.exists(folder + "/slow")


def run():
    before = time.monotonic()
    while not os.path.exists(folder + "/stop") and os.getppid() == parent:
        time.sleep(0.005)
        now = time.monotonic()
        work.labels("write").inc((now - before) * (40 if is_slow() else 100))
        before = now
    os._exit(0)


depth.labels("in").set_function(lambda: 9 if is_slow() else 3)
work.labels("read").inc(5)
start_http_server(int(port), address, registry)
threading.Thread(target=run, daemon=True).start()
print("ready", flush=True)
while True:
    time.sleep(60)
