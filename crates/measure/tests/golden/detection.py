"""Writes detection.json: what scikit-learn, scipy and numpy say about fixed scores and features.

    pip install scikit-learn scipy && python detection.py

ViM follows the authors' code (github.com/haoqiwang/vim), in numpy.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from scipy.special import logsumexp, softmax
from scipy.stats import entropy
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

rng = np.random.default_rng(20261130)
K, D, N, M, PRINCIPAL, NEIGHBOURS = 4, 9, 120, 50, 5, 7


def curve(name, positives, negatives):
    truth = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    scores = np.r_[positives, negatives].astype(float)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    return {"name": name, "positives": np.asarray(positives, float).tolist(), "negatives": np.asarray(negatives, float).tolist(),
            "auroc": roc_auc_score(truth, scores), "aupr": average_precision_score(truth, scores),
            "aupr_of_negatives": average_precision_score(1 - truth, -scores), "fpr": fpr[np.argmax(tpr >= 0.95)]}


labels = np.r_[np.arange(K), rng.integers(0, K, N - K)]
centres = rng.normal(size=(K, D))
mix = rng.normal(size=(D, D)) * np.linspace(1, 0.1, D)
features = np.round(2 * centres[labels] + rng.normal(size=(N, D)) @ mix, 4)
fresh = np.round(2 * rng.normal(size=(M, D)), 4)
weights, bias = np.round(centres, 4), np.round(rng.normal(size=K), 4)
logits = features @ weights.T + bias
fresh_logits = fresh @ weights.T + bias
p = softmax(fresh_logits, axis=1)
ordered = np.sort(p, axis=1)

means = np.array([features[labels == k].mean(0) for k in range(K)])
tied = EmpiricalCovariance(assume_centered=True).fit(features - means[labels])
mahalanobis = np.min([tied.mahalanobis(fresh - m) for m in means], axis=0)

unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(unit(features)).kneighbors(unit(fresh))[0][:, -1]

origin = -np.linalg.pinv(weights) @ bias
values, vectors = np.linalg.eigh(EmpiricalCovariance(assume_centered=True).fit(features - origin).covariance_)
null = vectors[:, np.argsort(values)[::-1][PRINCIPAL:]]
scale = logits.max(1).mean() / np.linalg.norm((features - origin) @ null, axis=1).mean()
vim = scale * np.linalg.norm((fresh - origin) @ null, axis=1) - logsumexp(fresh_logits, axis=1)

golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
    "curves": [
        curve("normal", np.round(rng.normal(1, 1, 90), 4), np.round(rng.normal(0, 1.5, 140), 4)),
        curve("many ties", rng.integers(0, 6, 60), rng.integers(-2, 4, 100)),
        curve("apart", rng.integers(5, 9, 20), rng.integers(0, 4, 30)),
    ],
    "classes": K, "width": D, "principal": PRINCIPAL, "k": NEIGHBOURS, "temperature": 2.5,
    "features": features.ravel().tolist(), "labels": labels.tolist(), "fresh": fresh.ravel().tolist(),
    "weights": weights.ravel().tolist(), "bias": bias.tolist(), "fresh_logits": fresh_logits.ravel().tolist(),
    "max_softmax": (1 - ordered[:, -1]).tolist(), "entropy": entropy(p, axis=1).tolist(),
    "margin": (1 - (ordered[:, -1] - ordered[:, -2])).tolist(),
    "energy": (-2.5 * logsumexp(fresh_logits / 2.5, axis=1)).tolist(),
    "mahalanobis": mahalanobis.tolist(), "neighbours": neighbours.tolist(), "vim": vim.tolist(),
}
path = pathlib.Path(__file__).with_name("detection.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
