"""Writes fairness.json: what Fairlearn, AIF360 and statsmodels say about fixed scores, labels and groups.

    pip install fairlearn aif360 statsmodels && python fairness.py

GE(0) is not among the cases: AIF360 0.6.1 divides it by the mean benefit, against its own documentation.
"""

import json
import pathlib
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from aif360.algorithms.preprocessing import Reweighing
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric
from fairlearn import metrics as fl
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score, precision_score
from statsmodels.stats.proportion import confint_proportions_2indep

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261202)
N, G = 600, 3
groups = rng.choice(G, N, p=[0.5, 0.3, 0.2])
actual = rng.random(N) < np.array([0.55, 0.4, 0.25])[groups]
scores = np.round(rng.normal(size=N) + 1.1 * actual + np.array([0.3, 0.0, -0.2])[groups], 2)
predicted = scores > 0.6


def by_group(metric, **more):
    frame = fl.MetricFrame(metrics=metric, y_true=actual, y_pred=predicted, sensitive_features=groups, **more)
    return {"by_group": frame.by_group.tolist(), "difference": frame.difference(), "ratio": frame.ratio()}


def aif360():
    """Group 1 against group 0."""
    two = groups < 2
    frame = lambda y: BinaryLabelDataset(df=pd.DataFrame({"g": groups[two], "y": y[two].astype(int)}), label_names=["y"], protected_attribute_names=["g"])
    under, over = [{"g": 1}], [{"g": 0}]
    m = ClassificationMetric(frame(actual), frame(predicted), under, over)
    weights = Reweighing(under, over).fit_transform(frame(actual)).instance_weights
    return {"statistical_parity": m.statistical_parity_difference(), "disparate_impact": m.disparate_impact(),
            "equal_opportunity": m.equal_opportunity_difference(), "average_odds": m.average_odds_difference(),
            "theil": m.theil_index(), "entropy_2": m.generalized_entropy_index(2), "entropy_3": m.generalized_entropy_index(3),
            "between_2": m.between_group_generalized_entropy_index(2), "weights": weights.tolist()}


def newcombe():
    cases = [(5, 10, 3, 12), (0, 10, 3, 40), (56, 70, 48, 80), (9, 10, 3, 10), (10, 10, 0, 20), (0, 5, 0, 9), (6662, 21790, 1179, 10771)]
    return [{"counts": case, "confidence": c, "interval": [float(v) for v in confint_proportions_2indep(*case, method="newcomb", compare="diff", alpha=1 - c)]}
            for case in cases for c in (0.9, 0.95)]


class Given(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.c_[-X[:, 0], X[:, 0]]

    def __sklearn_is_fitted__(self):
        return True


def thresholds(constraint, ours):
    optimizer = ThresholdOptimizer(estimator=Given().fit(None, None), constraints=constraint, objective="accuracy_score", prefit=True, predict_method="predict_proba", grid_size=1000)
    X = scores.reshape(-1, 1)
    optimizer.fit(X, actual.astype(int), sensitive_features=groups)
    p = optimizer._pmf_predict(X, sensitive_features=groups)[:, 1]
    return {"parity": ours, "target": float(optimizer._x_best), "probabilities": p.tolist(), "accuracy": float(np.where(actual, p, 1 - p).mean())}


y = {"y_true": actual, "y_pred": predicted, "sensitive_features": groups}
golden = {
    "source": {name: version(name) for name in ("numpy", "fairlearn", "aif360", "statsmodels")},
    "groups": groups.tolist(), "actual": actual.astype(int).tolist(), "predicted": predicted.astype(int).tolist(), "scores": scores.tolist(),
    "selection": by_group(fl.selection_rate), "true_positive": by_group(fl.true_positive_rate),
    "false_positive": by_group(fl.false_positive_rate), "false_negative": by_group(fl.false_negative_rate),
    "precision": by_group(precision_score), "accuracy": by_group(accuracy_score),
    "demographic_parity": [fl.demographic_parity_difference(**y), fl.demographic_parity_ratio(**y)],
    "equalized_odds": [fl.equalized_odds_difference(**y), fl.equalized_odds_ratio(**y)],
    "equal_opportunity": [fl.equal_opportunity_difference(**y), fl.equal_opportunity_ratio(**y)],
    "aif360": aif360(), "newcombe": newcombe(),
    "thresholds": [thresholds("demographic_parity", "demographic"), thresholds("true_positive_rate_parity", "equal_opportunity"), thresholds("equalized_odds", "equalized_odds")],
}
path = pathlib.Path(__file__).with_name("fairness.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
