"""Writes golden.json: what scikit-learn, statsmodels and scipy say about fixed inputs.

    pip install scikit-learn statsmodels scipy && python make.py
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from scipy.stats import norm
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

rng = np.random.default_rng(20240917)


def clean(value):
    """JSON has no NaN: an undefined metric becomes null."""
    return None if np.isnan(value) else float(value)


def quantiles():
    ps = [1e-300, 1e-100, 1e-20, 1e-12, 1e-11, 1.4e-11, 1e-6, 0.001, 0.025, 0.05, 0.0749, 0.0751]
    ps += [0.2, 0.5, 0.7, 0.9249, 0.9251, 0.975, 0.995, 0.9999, 1 - 1e-12]
    return [{"p": p, "z": float(norm.ppf(p))} for p in ps]


def wilson():
    cases = [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (81, 263), (15, 148), (9832, 10000), (1, 1_000_000)]
    return [
        {"successes": s, "trials": n, "confidence": c, "interval": proportion_confint(s, n, 1 - c, "wilson")}
        for s, n in cases
        for c in (0.9, 0.95, 0.99)
    ]


def confusion(name, actual, predicted, classes):
    labels = list(range(classes))
    kept = {"zero_division": np.nan, "labels": labels}
    p, r, f, support = metrics.precision_recall_fscore_support(actual, predicted, **kept)
    averages = {
        kind: [
            clean(v)
            for v in metrics.precision_recall_fscore_support(actual, predicted, average=kind, **kept)[:3]
        ]
        for kind in ("macro", "weighted")
    }
    return {
        "name": name,
        "actual": [int(v) for v in actual],
        "predicted": [int(v) for v in predicted],
        "rows": metrics.confusion_matrix(actual, predicted, labels=labels).tolist(),
        "accuracy": float(metrics.accuracy_score(actual, predicted)),
        "precision": [clean(v) for v in p],
        "recall": [clean(v) for v in r],
        "f1": [clean(v) for v in f],
        "support": [int(v) for v in support],
        **averages,
    }


def confusions():
    actual = rng.integers(0, 5, 300)
    predicted = np.where(rng.random(300) < 0.7, actual, rng.integers(0, 5, 300))
    return [
        confusion("five classes", actual, predicted, 5),
        confusion("class 3 never occurs, class 0 is never answered", [0, 1, 2, 1, 2, 0], [1, 1, 2, 3, 2, 2], 4),
        confusion("class 2 neither occurs nor is answered", [0, 1, 1, 0], [0, 1, 0, 0], 3),
        confusion("all wrong", [0, 1, 0, 1], [1, 0, 1, 0], 2),
    ]


def top_k():
    targets = rng.integers(0, 6, 200)
    scores = (rng.normal(size=(200, 6)) + 1.0 * np.eye(6)[targets]).astype(np.float32)
    return {
        "classes": 6,
        "targets": targets.tolist(),
        "scores": [float(v) for v in scores.ravel()],
        "hits": {
            str(k): int(metrics.top_k_accuracy_score(targets, scores, k=k, normalize=False)) for k in range(1, 6)
        },
    }


def regression():
    targets = (rng.normal(size=120) * 3 + 10).astype(np.float32)
    predictions = (targets + rng.normal(size=120) * 0.8 + 0.1).astype(np.float32)
    y, p = targets.astype(np.float64), predictions.astype(np.float64)
    interval = lambda errors: [float(v) for v in DescrStatsW(errors).zconfint_mean(alpha=0.05)]
    return {
        "predictions": p.tolist(),
        "targets": y.tolist(),
        "mse": metrics.mean_squared_error(y, p),
        "rmse": metrics.root_mean_squared_error(y, p),
        "mae": metrics.mean_absolute_error(y, p),
        "r2": metrics.r2_score(y, p),
        "mse_interval": interval((p - y) ** 2),
        "mae_interval": interval(np.abs(p - y)),
    }


golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "statsmodels")},
    "quantiles": quantiles(),
    "wilson": wilson(),
    "confusions": confusions(),
    "top_k": top_k(),
    "regression": regression(),
}
path = pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
