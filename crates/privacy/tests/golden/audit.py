#!/usr/bin/env python3
"""Bounds of ε from audits, by scipy: one run as in the code of arXiv:2305.08846's appendix D, many runs by the exact
intervals of both kinds of mistake.

    python3 audit.py > audit.json

Needs numpy and scipy.
"""
import json
import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm


def p_value(m, r, v, eps, delta):
    q = 1 / (1 + math.exp(-eps))
    # P[v > Binomial(r, q) >= v - i], for i = 1, 2, …
    sums = np.cumsum(binom.pmf(v - np.arange(1, v + 1), r, q))
    alpha = (sums / np.arange(1, v + 1)).max(initial=0)
    return min(binom.sf(v - 1, r, q) + alpha * delta * 2 * m, 1)


def one_run(m, r, v, delta, p):
    low, high = 0, 1
    while p_value(m, r, v, high, delta) < p:
        high += 1
    for _ in range(50):
        eps = (low + high) / 2
        low, high = (eps, high) if p_value(m, r, v, eps, delta) < p else (low, eps)
    return low


def upper(k, n, confidence):
    return float(beta.isf((1 - confidence) / 2, k + 1, n - k)) if k < n else 1.0


def rates(fp, fn, delta):
    ways = [(1 - delta - a) / b for a, b in ((fp, fn), (fn, fp))]
    return max([0.0] + [math.log(way) for way in ways if way > 0])


def gaussian(fp, fn, delta):
    mu = max(0.0, norm.isf(fp) - norm.ppf(fn))
    excess = lambda eps: norm.cdf(mu / 2 - eps / mu) - math.exp(eps) * norm.cdf(-mu / 2 - eps / mu) - delta
    return brentq(excess, 0, 100, xtol=1e-14) if mu > 0 and excess(0) > 0 else 0.0


ONE_RUN = [(500, 100, 100, 1e-5), (500, 100, 60, 1e-5), (1000, 100, 75, 1e-4), (100000, 1510, 1439, 1e-5),
           (100, 100, 75, 0.0), (1000, 1000, 540, 1e-5), (5000, 50, 50, 1e-3), (10, 10, 0, 1e-5), (20, 0, 0, 0.0), (50, 3, 1, 1e-3)]
MISTAKES = [(3, 500, 20, 500), (0, 1000, 0, 1000), (250, 500, 250, 500), (0, 1000, 900, 1000), (900, 1000, 0, 1000),
            (1, 30, 2, 50), (0, 10, 0, 10), (40, 100, 30, 100), (5, 5, 0, 5)]
runs = [{"canaries": m, "made": r, "right": v, "delta": delta, "confidence": c, "epsilon": one_run(m, r, v, delta, 1 - c),
         "p_values": [[eps, p_value(m, r, v, eps, delta)] for eps in (0.0, 0.5, 2.0, 6.0)]}
        for m, r, v, delta in ONE_RUN for c in (0.95, 0.99)]
many = []
for a, n, b, m in MISTAKES:
    for c in (0.9, 0.95, 0.99):
        for delta in (1e-5, 0.01):
            fp, fn = upper(a, n, c), upper(b, m, c)
            many.append({"false_positives": [a, n], "false_negatives": [b, m], "delta": delta, "confidence": c,
                         "rates": rates(fp, fn, delta), "gaussian": gaussian(fp, fn, delta)})
print(json.dumps({"one_run": runs, "many_runs": many}, indent=1))
