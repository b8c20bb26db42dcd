#!/usr/bin/env python3
"""Scores of membership inference by numpy and scipy: likelihood ratio attacks as TensorFlow Privacy's `mi_lira_2021/plot.py`
computes them (there a low prediction is a member's; here it is negated), RMIA as ML Privacy Meter's `rmia.py`.

    python3 membership.py > membership.json

Needs numpy and scipy.
"""
import json

import numpy as np
from scipy.special import expit, log_expit, logsumexp
from scipy.stats import norm

rng = np.random.default_rng(20251125)


def groups(scores, keep, member):
    return [scores[keep[:, j] == member, j] for j in range(scores.shape[1])]


def online(target, scores, keep, fixed):
    inside, outside = groups(scores, keep, True), groups(scores, keep, False)
    mean_in, mean_out = [np.array([np.median(x) for x in g]) for g in (inside, outside)]
    if fixed:
        std_in = std_out = np.std(np.concatenate(inside))
    else:
        std_in, std_out = [np.array([np.std(x) for x in g]) for g in (inside, outside)]
    return norm.logpdf(target, mean_in, std_in + 1e-30) - norm.logpdf(target, mean_out, std_out + 1e-30)


def offline(target, scores, keep, fixed, both):
    outside = groups(scores, keep, False)
    mean = np.array([np.median(x) for x in outside])
    std = np.std(np.concatenate(outside)) if fixed else np.array([np.std(x) for x in outside])
    if both:
        return -norm.logpdf(target, mean, std + 1e-30)
    # The paper's probability of a lower confidence, as the place of a standard normal variable with that probability; from
    # the other side where it is nearly 1.
    return np.where(target < mean, norm.ppf(norm.cdf(target, mean, std)), norm.isf(norm.sf(target, mean, std)))


def calibrated(target, scores, keep):
    return log_expit(target) - np.array([log_expit(x).mean() for x in groups(scores, keep, False)])


def rmia(target, scores, keep, z_target, z_scores, gamma, a):
    mean_x = (1 + a) / 2 * np.array([expit(x).mean() for x in groups(scores, keep, False)]) + (1 - a) / 2
    mean_z = (1 + a) / 2 * expit(z_scores).mean(0) + (1 - a) / 2
    ratios = (expit(target) / mean_x)[:, None] / (expit(z_target) / mean_z)
    return np.average(ratios > gamma, axis=1)


def case(name, keep):
    models, examples = keep.shape
    hardness = rng.normal(2, 2, examples)
    draw = lambda inside: np.round(hardness + 1.5 * inside + rng.normal(0, 1, inside.shape), 6)
    scores, target = draw(keep), draw(rng.random(examples) < 0.5)
    z_scores, z_target = [np.round(rng.normal(2, 2, shape), 6) for shape in ((models, 9), 9)]
    given = {"target": target, "scores": scores, "z_target": z_target, "z_scores": z_scores}
    evidence = target, scores, keep
    found = {
        "loss": log_expit(target),
        "calibrated-loss": calibrated(*evidence),
        "lira each": online(*evidence, False),
        "lira fixed": online(*evidence, True),
        "lira-offline each both": offline(*evidence, False, True),
        "lira-offline fixed both": offline(*evidence, True, True),
        "lira-offline each high": offline(*evidence, False, False),
        "lira-offline fixed high": offline(*evidence, True, False),
        "rmia 1 0.3": rmia(*evidence, z_target, z_scores, 1.0, 0.3),
        "rmia 1.2 0.9": rmia(*evidence, z_target, z_scores, 1.2, 0.9),
    }
    flat = lambda table: {key: np.ravel(value).tolist() for key, value in table.items()}
    return {"name": name, **flat(given), "members": keep.ravel().tolist(), "found": flat(found)}


half = np.array([rng.permutation([True] * 4 + [False] * 4) for _ in range(15)]).T
uneven = np.concatenate([np.array([[True] * 12, [True] * 12, [False] * 12, [False] * 12]), rng.random((5, 12)) < 0.4])
logits = np.round(rng.normal(0, 4, (6, 5)), 6)
logits[0, 2], logits[1, 3] = 60.0, -800.0
confidences = [[float(row[y] - logsumexp(np.delete(row, y))) for y in range(5)] for row in logits]
print(json.dumps({
    "cases": [case("every example in half of the models", half), case("examples in different numbers of models", uneven)],
    "confidence": {"logits": logits.tolist(), "confidences": confidences},
}, separators=(",", ":"), allow_nan=False))
