#!/usr/bin/env python3
"""ε by Opacus 1.6 (Rényi, GDP) and by Google's dp-accounting 0.6 (privacy-loss distribution, pessimistic and optimistic).

    python3 accountants.py > accountants.json

Needs opacus and dp-accounting.
"""
import json

from dp_accounting.pld import privacy_loss_distribution as distribution
from opacus.accountants.analysis import gdp, rdp

ORDERS = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
SETTINGS = [(1.5, 0.04, 2250, 1e-5), (1.5, 0.04, 2249, 1e-5), (1.3, 0.0025, 6000, 1e-5), (1.0, 0.001, 30000, 1e-7),
            (0.7, 0.01, 120, 1e-5), (4.0, 0.01, 10000, 1e-5), (4.0, 0.01, 40000, 1e-5), (1.0, 1.0, 1, 1e-5),
            (2.0, 1.0, 50, 1e-6), (0.6, 0.2, 30, 1e-5), (10.0, 0.5, 1000, 1e-6), (0.5, 0.004, 3000, 1e-5)]

rows = []
for noise, rate, steps, delta in SETTINGS:
    interval = 1e-4 if steps < 5000 else 1e-5
    bounds = []
    for pessimistic in (False, True):
        one = distribution.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=interval,
                                                   pessimistic_estimate=pessimistic, use_connect_dots=pessimistic)
        bounds.append(one.self_compose(steps).get_epsilon_for_delta(delta))
    by_rdp, _ = rdp.get_privacy_spent(orders=ORDERS, delta=delta,
                                      rdp=rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=ORDERS))
    mu = gdp.compute_mu_poisson(steps=steps, noise_multiplier=noise, sample_rate=rate)
    rows.append({"noise": noise, "rate": rate, "steps": steps, "delta": delta, "rdp": float(by_rdp),
                 "pld_lower": bounds[0], "pld_upper": bounds[1], "gdp": float(gdp.eps_from_mu(mu=mu, delta=delta))})
print(json.dumps(rows, indent=1))
