"""Writes generation.json: what torch-fidelity, prdc, scikit-image and numpy say of fixed features and pictures.

    pip install torch-fidelity prdc scikit-image && python generation.py
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
import torch
from prdc import compute_prdc
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kernel_mmd, kid_features_to_metric
from torch_fidelity.defaults import DEFAULTS

rng = np.random.default_rng(20261129)


def features(count, width, shift, rank=None):
    """Not negative, as after a rectifier, with much that is 0."""
    mix = np.random.default_rng(width).normal(size=(rank or width, width)) / np.sqrt(rank or width)
    return np.round(np.maximum(0, rng.normal(shift, 1 + shift, (count, rank or width)) @ mix), 4)


def frechet(name, first, second):
    statistics = [fid_features_to_statistics(torch.tensor(x)) for x in (first, second)]
    fidelity = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    # The same by singular values of the centred features, which loses nothing where there are few of them.
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (first, second)]
    shared = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    apart = ((first.mean(0) - second.mean(0)) ** 2).sum()
    exact = apart + sum((x**2).sum() for x in centred) - 2 * shared
    return {"name": name, "width": first.shape[1], "first": first.ravel().tolist(), "second": second.ravel().tolist(),
            "torch_fidelity": fidelity, "exact": exact}


def kernel(first, second, count, size):
    settings = DEFAULTS | {"kid_subsets": count, "kid_subset_size": size, "verbose": False}
    state = np.random.RandomState(settings["rng_seed"])
    subsets = [[state.choice(len(x), size, replace=False).tolist() for x in (first, second)] for _ in range(count)]
    found = kid_features_to_metric(torch.tensor(first), torch.tensor(second), **settings)
    return {"width": first.shape[1], "first": first.ravel().tolist(), "second": second.ravel().tolist(), "subsets": subsets,
            "whole": kernel_mmd(first[: len(second)], second, **settings),
            "mean": found["kernel_inception_distance_mean"], "deviation": found["kernel_inception_distance_std"]}


def prdc(real, generated, k):
    return {"width": real.shape[1], "k": k, "real": real.ravel().tolist(), "generated": generated.ravel().tolist()} | {
        name: float(value) for name, value in compute_prdc(real, generated, k).items()}


def nearest(samples, examples):
    distances, indices = cKDTree(examples).query(samples)
    return {"width": samples.shape[1], "samples": samples.ravel().tolist(), "examples": examples.ravel().tolist(),
            "distances": distances.tolist(), "indices": indices.tolist()}


def pictures(shape, spread, span):
    truth = np.round(np.clip(gaussian_filter(rng.normal(0.5, 1, shape), (0, 2, 2)) * 2, 0, 1) * span, 3)
    found = np.round(np.clip(truth + rng.normal(0, spread * span, shape), 0, span), 3)
    similarity = structural_similarity(truth, found, gaussian_weights=True, use_sample_covariance=False, data_range=span, channel_axis=0)
    return {"shape": list(shape), "range": span, "truth": truth.ravel().tolist(), "picture": found.ravel().tolist(),
            "psnr": peak_signal_noise_ratio(truth, found, data_range=span), "ssim": similarity}


golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-image", "torch", "torch-fidelity", "prdc")},
    "frechet": [
        frechet("more examples than features", features(150, 12, 0.0), features(90, 12, 0.4)),
        frechet("few directions", np.c_[features(80, 10, 0.0, 4), np.zeros(80)], np.c_[features(60, 10, 0.3, 4), np.zeros(60)]),
        frechet("fewer examples than features", features(20, 40, 0.0), features(14, 40, 0.5)),
    ],
    "kernel": kernel(features(60, 8, 0.0), features(45, 8, 0.3), 7, 25),
    "prdc": [prdc(features(70, 5, 0.0), features(90, 5, 0.4), 3), prdc(features(90, 6, 0.1), features(60, 6, 0.0), 5)],
    "nearest": nearest(features(30, 70, 0.2), features(50, 70, 0.0)),
    "pictures": [pictures((1, 28, 28), 0.1, 255.0), pictures((3, 17, 23), 0.3, 1.0), pictures((1, 11, 11), 0.05, 1.0)],
}
path = pathlib.Path(__file__).with_name("generation.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
