"""Writes roc.json: what scikit-learn and scipy say about fixed scores and counts.

    pip install scikit-learn scipy && python roc.py

DeLong's standard error, which neither has, is computed here from its definition, pair by pair.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from scipy.stats import beta, norm
from sklearn import metrics

rng = np.random.default_rng(20251125)


def exact(successes, trials, confidence):
    """By the quantiles of the beta distribution: `binomtest` has fewer digits."""
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.isf(tail, successes + 1, trials - successes) if successes < trials else 1.0
    return [float(low), float(high)]


def curve(name, positives, negatives):
    positives, negatives = np.round(positives, 4).astype(float), np.round(negatives, 4).astype(float)
    truth = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    scores = np.r_[positives, negatives]
    fpr, tpr, thresholds = metrics.roc_curve(truth, scores, drop_intermediate=False)
    pairs = np.heaviside(positives[:, None] - negatives[None, :], 0.5)
    variance = pairs.mean(1).var(ddof=1) / len(positives) + pairs.mean(0).var(ddof=1) / len(negatives)
    auc = metrics.roc_auc_score(truth, scores)
    interval = {c: (auc + norm.ppf([(1 - c) / 2, (1 + c) / 2]) * np.sqrt(variance)).clip(0, 1).tolist() for c in (0.9, 0.95)}
    accuracies = [metrics.balanced_accuracy_score(truth, scores >= t) for t in thresholds]
    at = []
    for most in (0.0, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0):
        best = tpr[fpr <= most].max()
        interval_there = exact(round(best * len(positives)), len(positives), 0.95)
        at.append({"most": most, "tpr": best, "interval": interval_there})
    return {
        "name": name, "positives": positives.tolist(), "negatives": negatives.tolist(),
        "fpr": fpr.tolist(), "tpr": tpr.tolist(), "thresholds": thresholds[1:].tolist(),
        "auc": auc, "intervals": interval, "balanced_accuracy": max(accuracies), "at": at,
    }


def clopper_pearson():
    cases = [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (81, 263), (15, 148), (9832, 10000), (1, 1_000_000),
             (999_990, 1_000_000), (500_000, 1_000_000), (3, 60_000)]
    found = []
    for successes, trials in cases:
        for confidence in (0.5, 0.9, 0.95, 0.99, 0.999):
            found.append({"successes": successes, "trials": trials, "confidence": confidence,
                          "interval": exact(successes, trials, confidence)})
    return found


golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
    "curves": [
        curve("normal", rng.normal(1, 1, 120), rng.normal(0, 1.5, 150)),
        curve("many ties", rng.integers(0, 6, 90), rng.integers(-2, 4, 200)),
        curve("worse than chance", rng.normal(-1, 1, 40), rng.normal(0, 1, 30)),
        curve("heavy tails, a few positives far out", np.r_[rng.standard_cauchy(100), np.full(7, 1e6)],
              rng.standard_cauchy(300)),
    ],
    "clopper_pearson": clopper_pearson(),
}
path = pathlib.Path(__file__).with_name("roc.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
