"""Writes calibration.json: what scikit-learn, netcal and scipy say about fixed logits and labels.

    pip install scikit-learn netcal scipy && python calibration.py

The error over bins of equal mass, which none has without ties split by order, is computed here from its definition.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from netcal.metrics import ECE, MCE
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss

rng = np.random.default_rng(20261128)
K, N, BINS = 4, 300, 15
labels = rng.integers(0, K, N)
logits = np.round(2.5 * (rng.normal(size=(N, K)) + 1.2 * np.eye(K)[labels]), 4)
probabilities = softmax(logits, axis=1)
top, right = probabilities.max(1), probabilities.argmax(1) == labels


def equal_mass(p, happened, bins):
    order = np.argsort(p, kind="stable")
    parts = np.split(order, [b * len(p) // bins for b in range(1, bins)])
    return sum(len(i) * abs(p[i].mean() - happened[i].mean()) for i in parts) / len(p)


def equal_width(p, happened, bins):
    which = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    return sum(abs(p[which == b].sum() - happened[which == b].sum()) for b in range(bins)) / len(p)


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose answers are its inputs."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(1)]


def temperature():
    """Where the slope by 1/T is 0: a search by values would find it to half the digits only."""
    own = logits[np.arange(N), labels]
    slope = lambda b: (softmax(b * logits, axis=1) * logits).sum(1).mean() - own.mean()
    b = brentq(slope, 1e-3, 1e3, xtol=1e-16, rtol=1e-15)
    return 1 / b, float(-log_softmax(b * logits, axis=1)[np.arange(N), labels].mean())


def vector(ridge):
    def objective(x):
        w, b = x[:K], x[K:]
        z = logits * w + b
        value = -log_softmax(z, axis=1)[np.arange(N), labels].mean()
        miss = (softmax(z, axis=1) - np.eye(K)[labels]) / N
        slope = np.r_[(miss * logits).sum(0), miss.sum(0)] + ridge * np.r_[w - 1, b]
        return value + ridge / 2 * (np.square(w - 1).sum() + np.square(b).sum()), slope

    found = minimize(objective, np.r_[np.ones(K), np.zeros(K)], jac=True, method="BFGS", options={"gtol": 1e-13, "maxiter": 5000})
    return found.x.tolist()


def isotonic():
    given = Given().fit(probabilities, labels)
    calibrated = CalibratedClassifierCV(FrozenEstimator(given), method="isotonic", ensemble=False, cv=3)
    fresh = softmax(np.round(2.5 * rng.normal(size=(60, K)), 4), axis=1)
    calibrated.fit(probabilities, labels)
    tied = np.round(probabilities[:, 1], 1)
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(tied, labels == 1)
    at = np.linspace(0, 1, 41)
    return {"fresh": fresh.ravel().tolist(), "calibrated": calibrated.predict_proba(fresh).ravel().tolist(),
            "tied": tied.tolist(), "at": at.tolist(), "curve": curve.predict(at).tolist()}


of_class = [(probabilities[:, k], labels == k) for k in range(K)]
best, least = temperature()
golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "netcal")},
    "classes": K, "bins": BINS, "logits": logits.ravel().tolist(), "labels": labels.tolist(),
    "ece": float(ECE(BINS).measure(probabilities, labels)),
    "mce": float(MCE(BINS).measure(probabilities, labels)),
    "ece_equal_mass": equal_mass(top, right, BINS),
    "class_wise": float(np.mean([equal_width(p, y, BINS) for p, y in of_class])),
    "class_wise_equal_mass": float(np.mean([equal_mass(p, y, BINS) for p, y in of_class])),
    "brier": brier_score_loss(labels, probabilities, labels=range(K), scale_by_half=False),
    "brier_of_class": [brier_score_loss(y, p) for p, y in of_class],
    "log_loss": log_loss(labels, probabilities, labels=range(K)),
    "temperature": best, "log_loss_at_temperature": least,
    "ridge": 1e-3, "vector": vector(1e-3),
    "isotonic": isotonic(),
}
path = pathlib.Path(__file__).with_name("calibration.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
