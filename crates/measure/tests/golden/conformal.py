"""Writes conformal.json: MAPIE's thresholds and sets for fixed probabilities and labels.

    pip install mapie && python conformal.py

MAPIE's APS and RAPS calibrate with random numbers u of its seed, which are written too; `randomized` sets draw others.
With `include_last_label=True` a set holds the class at which the sum passes the threshold, as if u were 1 there.
"""

import json
import pathlib
import warnings
from importlib.metadata import version

import numpy as np
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import APSConformityScore, LACConformityScore, RAPSConformityScore
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261129)
K, N, M, SEED = 6, 240, 60, 7


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose answers are its inputs."""

    def fit(self, X, y):
        self.classes_ = np.arange(K)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return X.argmax(1)

    def __sklearn_is_fitted__(self):
        return True


def sample(count):
    labels = np.r_[np.arange(K), rng.integers(0, K, count - K)]
    return softmax(1.2 * rng.normal(size=(count, K)) + 1.3 * np.eye(K)[labels], axis=1), labels


calibration, labels = sample(N)
fresh, fresh_labels = sample(M)


def uniform(count):
    return np.random.RandomState(SEED).uniform(size=count)


def case(name, score, alpha, last=None):
    given = Given().fit(None, None)
    model = SplitConformalClassifier(given, confidence_level=1 - alpha, conformity_score=score, prefit=True, random_state=SEED)
    model.conformalize(calibration, labels)
    options = {} if last is None else {"conformity_score_params": {"include_last_label": last}}
    _, sets = model.predict_set(fresh, **options)
    inner = model._mapie_classifier.conformity_score_function_
    found = {"name": name, "alpha": alpha, "last": last, "threshold": float(np.ravel(inner.quantiles_)[0]),
             "sets": sets[:, :, 0].astype(int).ravel().tolist()}
    if name == "raps":
        # It keeps a part of the examples to choose λ and k by, and shuffles the others.
        split = StratifiedShuffleSplit(1, test_size=inner.size_raps, random_state=SEED)
        rest, kept = next(split.split(calibration, labels))
        assert (inner.X_raps == calibration[kept]).all()
        found |= {"lambda": float(inner.lambda_star), "k_reg": int(inner.k_star[0]), "calibrated_on": rest.tolist()}
    return found


cases = []
for alpha in (0.05, 0.1, 0.25):
    cases.append(case("lac", LACConformityScore(), alpha))
    for last in (True, "randomized"):
        cases.append(case("aps", APSConformityScore(), alpha, last))
    cases.append(case("raps", RAPSConformityScore(), alpha, False))
golden = {
    "source": {name: version(name) for name in ("numpy", "mapie", "scikit-learn")},
    "classes": K, "calibration": calibration.ravel().tolist(), "labels": labels.tolist(),
    "fresh": fresh.ravel().tolist(), "fresh_labels": fresh_labels.tolist(),
    "draws": uniform(N).tolist(), "fresh_draws": uniform(M).tolist(), "cases": cases,
}
path = pathlib.Path(__file__).with_name("conformal.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
