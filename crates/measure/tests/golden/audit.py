"""Writes audit.json: what cleanlab, scipy and numpy say about fixed answers, labels and errors.

    pip install cleanlab scipy mpmath && python audit.py

The area under the risk-coverage curve is computed from its definition.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.rank import get_normalized_margin_for_each_label
from mpmath import findroot, log, mp, mpf
from scipy.optimize import least_squares
from scipy.special import softmax

mp.dps = 40
rng = np.random.default_rng(20261201)


def labels():
    K, N = 4, 400
    true = rng.integers(0, K, N)
    given = np.where(rng.random(N) < 0.15, rng.integers(0, K, N), true)
    p = softmax(1.5 * rng.normal(size=(N, K)) + 2.5 * np.eye(K)[true], axis=1)
    thresholds = get_confident_thresholds(given, p)
    # Where the most probable class does not reach its threshold but several others do, cleanlab takes it all the same;
    # the paper does not. Without such rows, the two agree.
    reach = p >= thresholds - 1e-6
    kept = (reach.sum(1) < 2) | reach[np.arange(N), p.argmax(1)]
    for _ in range(20):
        given, p = given[kept], p[kept]
        thresholds = get_confident_thresholds(given, p)
        reach = p >= thresholds - 1e-6
        kept = (reach.sum(1) < 2) | reach[np.arange(len(given)), p.argmax(1)]
    assert kept.all()
    joint, off = compute_confident_joint(given, p, calibrate=False, return_indices_of_off_diagonals=True)
    assert (np.diag(joint) > 1).all()
    scaled = joint / joint.sum(1, keepdims=True) * np.bincount(given)[:, None]
    margins = 2 * get_normalized_margin_for_each_label(given, p) - 1
    ranked = off[np.argsort(margins[off], kind="stable")]
    return {"classes": K, "probabilities": p.ravel().tolist(), "labels": given.tolist(), "thresholds": thresholds.tolist(),
            "joint": joint.tolist(), "distribution": (scaled / scaled.sum()).tolist(), "suspects": ranked.tolist(),
            "margins": margins[ranked].tolist()}


def selective():
    N = 250
    correct = rng.random(N) < 0.8
    confidence = np.round(rng.random(N) + 0.4 * correct, 6)
    order = np.argsort(-confidence)
    assert len(set(confidence)) == N
    risks = np.cumsum(~correct[order]) / np.arange(1, N + 1)
    best = np.cumsum(np.sort(~correct)) / np.arange(1, N + 1)
    return {"confidence": confidence.tolist(), "correct": correct.astype(int).tolist(), "area": risks.mean(),
            "excess": risks.mean() - best.mean()}


def polished(x, errors, start):
    """Where the gradient is 0, to all digits: the search ends where squares no longer change."""
    bound = start[2] < 1e-9
    x, errors = [mpf(float(v)) for v in x], [mpf(float(v)) for v in errors]

    def gradient(a, b, c=mpf(0)):
        off = [a * v**-b + c - e for v, e in zip(x, errors)]
        of_a = sum(o * v**-b for o, v in zip(off, x))
        of_b = sum(o * v**-b * log(v) for o, v in zip(off, x))
        return [of_a, of_b] if bound else [of_a, of_b, sum(off)]

    found = [float(v) for v in findroot(gradient, [float(v) for v in start[: 2 if bound else 3]], tol=1e-30)]
    return found + [0.0] if bound else found


def curve(name, sizes, errors):
    sizes, errors = np.asarray(sizes, float), np.asarray(errors, float)
    least = sizes.min()
    residuals = lambda x: x[0] * (sizes / least) ** -x[1] + x[2] - errors
    found = min((least_squares(residuals, [s, b, c], bounds=([0, 0.01, 0], [np.inf, 5, np.inf]), xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=20000)
                 for s in (0.1, 1) for b in (0.1, 0.5, 1, 2) for c in (0.001, 0.1)), key=lambda r: r.cost)
    a, b, c = polished(sizes / least, errors, found.x)
    return {"name": name, "sizes": sizes.tolist(), "errors": errors.tolist(), "cost": found.cost,
            "law": [a * least**b, b, c], "twice": a * (2 * sizes.max() / least) ** -b + c}


n = np.repeat([100, 200, 400, 800, 1600, 3200], 3)
noise = rng.normal(size=len(n))
golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "mpmath", "cleanlab")},
    "labels": labels(), "selective": selective(),
    "curves": [
        curve("with a floor", n, 3 * n**-0.5 + 0.04 + 0.004 * noise),
        curve("without", n, 2 * n**-0.35 * np.exp(0.02 * noise) - 0.02),
        curve("exact", [10, 100, 1000, 10000], [0.5 * 10.0 ** (-0.7 * k) + 0.01 for k in range(4)]),
    ],
}
path = pathlib.Path(__file__).with_name("audit.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
