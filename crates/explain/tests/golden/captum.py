"""Writes captum.json: attributions of three small networks by Captum 0.9 on PyTorch 2, in float32.

    pip install torch captum numpy && python captum.py

The networks are Crucible's `mlp`, `lenet5` and `cnn`; their weights are PyTorch's layout and names. What Captum draws at
random (noise, baselines, choices of parts) is written down too, so that the same draws can be fed to Crucible.
The Shapley values of the mlp are by enumeration of all subsets in float64, of scores in float32.
"""

import json
import pathlib
import sys
from itertools import combinations
from math import factorial

sys.path.pop(0)  # This file's folder, where `captum` is this file.
import captum.attr as ca
import numpy as np
import torch
import torch.nn as nn
from captum._utils.models.model import Model
from captum.attr._utils import lrp_rules

torch.manual_seed(20261125)
np.random.seed(20261125)
rng = np.random.default_rng(20261125)


class Mlp(nn.Module):
    """10-8-6-3 with tanh, or with ReLU."""

    def __init__(self, act):
        super().__init__()
        self.fc1, self.act1 = nn.Linear(10, 8), act()
        self.fc2, self.act2 = nn.Linear(8, 6), act()
        self.fc3 = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc3(self.act2(self.fc2(self.act1(self.fc1(x)))))


class Lenet5(nn.Module):
    """On 12x12 pictures, with ReLU."""

    def __init__(self):
        super().__init__()
        self.conv1, self.act1, self.pool1 = nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)
        self.conv2, self.act2, self.pool2 = nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)
        self.fc1, self.act3 = nn.Linear(16, 120), nn.ReLU()
        self.fc2, self.act4 = nn.Linear(120, 84), nn.ReLU()
        self.fc3 = nn.Linear(84, 3)

    def forward(self, x):
        x = self.pool1(self.act1(self.conv1(x)))
        x = self.pool2(self.act2(self.conv2(x))).flatten(1)
        return self.fc3(self.act4(self.fc2(self.act3(self.fc1(x)))))


class Cnn(nn.Module):
    """On 6x6 pictures."""

    def __init__(self):
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(1, 32, 3), nn.ReLU()
        self.conv2, self.act2, self.pool = nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        self.fc1, self.act3 = nn.Linear(64, 128), nn.ReLU()
        self.fc2 = nn.Linear(128, 3)

    def forward(self, x):
        # Times one: where a ReLU's output is the pooling's input itself, DeepLift ignores its own rule for pooling (two
        # hooks on one tensor), and its values miss the difference of scores.
        x = self.pool(1 * self.act2(self.conv2(self.act1(self.conv1(x)))))
        return self.fc2(self.act3(self.fc1(x.flatten(1))))


def floats(array, digits=6):
    """Values with six significant digits."""
    array = array.detach().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
    return [float(f"{value:.{digits}g}") for value in array.astype(np.float64).flatten()]


def hundredths(tensor):
    return [int(v) for v in np.round(tensor.detach().numpy().astype(np.float64) * 100).flatten()]


def coarse(net):
    """Rounds the weights to hundredths: the file stays small."""
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.tensor(np.round(p.numpy().astype(np.float64) * 1.3, 2)))
    return net.eval()


def weights(net):
    """In hundredths."""
    return {name: {"shape": list(p.shape), "values": hundredths(p)} for name, p in net.state_dict().items()}


class Ridge(Model):
    """Weighted ridge regression with an intercept, in closed form and float64."""

    def __init__(self, alpha):
        self.alpha = alpha

    def fit(self, train_data, **_):
        x, y, w = (torch.cat(parts).double() for parts in zip(*list(train_data)))
        y = y.flatten()
        mean_x, mean_y = (w[:, None] * x).sum(0) / w.sum(), (w * y).sum() / w.sum()
        x, y = x - mean_x, y - mean_y
        matrix = x.T @ (w[:, None] * x) + self.alpha * torch.eye(x.shape[1], dtype=torch.float64)
        self.coefficients = torch.linalg.solve(matrix, x.T @ (w * y))
        return {}

    def representation(self):
        return self.coefficients[None].float()

    def __call__(self, x):
        raise NotImplementedError


def lime(net, x, target, mask, kernel_width, ridge, samples):
    """Captum's Lime over given choices of parts, weighted by the cosine distance of the choices to the whole."""
    parts = int(mask.max()) + 1
    kept = rng.integers(0, 2, size=(samples, parts))
    kept[0] = 1
    kept[kept.sum(1) == 0, 0] = 1  # An empty choice has distance 1 to the whole, in which 0/0 is not meant.
    results = []
    for i in range(len(x)):
        choices = iter(kept)

        def perturb(_, **__):
            while True:
                yield torch.tensor(next(choices))[None].long()

        def similarity(original, perturbed, interpretable, **_):
            share = interpretable.double().mean()
            return torch.exp(-(1 - share.sqrt()) ** 2 / (2 * kernel_width**2)).float()

        def expand(interpretable, original, **_):
            return original * interpretable[0][mask].float()

        base = ca.LimeBase(net, Ridge(ridge), similarity, perturb, True, expand, None)
        found = base.attribute(x[i : i + 1], target=int(target[i]), n_samples=samples)
        results.append(found[0][mask].flatten())
    return floats(torch.stack(results)), kept.flatten().tolist()


def shapley(net, x, target):
    """Exact Shapley values by enumeration, against a baseline of zeros."""
    n = x.shape[1]
    results = []
    for i in range(len(x)):
        choices = torch.tensor([[m >> j & 1 for j in range(n)] for m in range(2**n)]).float()
        with torch.no_grad():
            score = net(choices * x[i])[:, int(target[i])].double().numpy()
        values = np.zeros(n)
        for j in range(n):
            rest = [k for k in range(n) if k != j]
            for size in range(n):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                for chosen in combinations(rest, size):
                    m = sum(1 << k for k in chosen)
                    values[j] += weight * (score[m | 1 << j] - score[m])
        results.append(values)
    return floats(np.array(results), 12)


def noise_tunnel(net, x, target, samples):
    noise = (0.2 * torch.randn(len(x) * samples, *x.shape[1:])).mul(1000).round().div(1000)
    original, torch.normal = torch.normal, lambda mean, std: noise.reshape(std.shape)
    kinds = {"mean": "smoothgrad", "squared": "smoothgrad_sq", "variance": "vargrad", "absolute": "smoothgrad"}
    try:
        found = {
            name: floats(
                ca.NoiseTunnel(ca.Saliency(net)).attribute(
                    x, nt_type=kind, nt_samples=samples, stdevs=0.2, target=target, abs=name == "absolute"
                )
            )
            for name, kind in kinds.items()
        }
    finally:
        torch.normal = original
    return {"samples": samples, "noise": floats(noise), "cases": found}


def gradient_shap(net, x, target, background, samples):
    uniform, choice, alphas, chosen = np.random.uniform, np.random.choice, [], []

    def keep(function, into):
        def kept(*a, **k):
            into.append(function(*a, **k))
            return into[-1]

        return kept

    np.random.uniform, np.random.choice = keep(uniform, alphas), keep(choice, chosen)
    try:
        result = ca.GradientShap(net).attribute(x, background, n_samples=samples, stdevs=0.0, target=target)
    finally:
        np.random.uniform, np.random.choice = uniform, choice
    (alphas,), (chosen,) = alphas, chosen
    assert len(alphas) == len(chosen) == len(x) * samples
    return {
        "samples": samples,
        "alphas": floats(torch.tensor(alphas).float(), 9),
        "baselines": [int(c) for c in chosen],
        "values": floats(result),
    }


def lrp(make, x, target):
    found = {}
    rules = {
        "epsilon": lambda: lrp_rules.EpsilonRule(0.01),
        "gamma": lambda: lrp_rules.GammaRule(0.25),
        "gamma_without_bias": lambda: lrp_rules.GammaRule(0.25, True),
        "z-plus_without_bias": lambda: lrp_rules.Alpha1_Beta0_Rule(True),
    }
    for name, rule in rules.items():
        net = make()
        for module in net.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)) or (
                name == "epsilon" and isinstance(module, (nn.AvgPool2d, nn.MaxPool2d))
            ):
                module.rule = rule()
        found[name] = floats(ca.LRP(net).attribute(x, target=target))
    return found


def grad_cam(net, x, target, layers):
    return {
        name: floats(ca.LayerGradCam(net, getattr(net, name)).attribute(x, target=target)) for name in layers
    }


def grad_cam_plus_plus(net, x, target, layer):
    """Chattopadhyay et al. 2018, equations 10 and 19, without the factor exp(score); Captum has no such method."""
    maps = []
    handle = getattr(net, layer).register_forward_hook(lambda _, __, out: maps.append(out))
    score = net(x)[range(len(x)), target].sum()
    handle.remove()
    (a,) = maps
    (g,) = torch.autograd.grad(score, a)
    below = 2 * g**2 + a.sum((2, 3), keepdim=True) * g**3
    alpha = torch.where(below != 0, g**2 / below, torch.zeros(()))
    return floats(((alpha * g.relu()).sum((2, 3), keepdim=True) * a).sum(1).relu())


def rollout(x, width, heads, feedforward, layers):
    """Abnar and Zuidema 2020 over PyTorch's own attention weights; Captum has no such method."""
    torch.manual_seed(7)
    stack = [
        nn.TransformerEncoderLayer(width, heads, feedforward, dropout=0.0, activation="gelu", batch_first=True)
        for _ in range(layers)
    ]
    net = nn.ModuleDict({"layers": nn.ModuleList(stack), "head": nn.Linear(width, 3)})
    for p in net.parameters():
        p.data += 0.3 * torch.randn_like(p)
    coarse(net)
    product, h = torch.eye(x.shape[1]).expand(len(x), -1, -1), x
    for layer in stack:
        _, attention = layer.self_attn(h, h, h, average_attn_weights=True)
        product = (0.5 * attention + 0.5 * torch.eye(x.shape[1])) @ product
        h = layer(h)
    return {"weights": weights(net), "inputs": floats(x), "relevance": floats(product.mean(1))}


def case(architecture, make, x, classes):
    net = make()
    n = len(x)
    target = torch.arange(n) % classes
    background = torch.tensor(rng.uniform(0, 1, size=(4, *x.shape[1:])).astype(np.float32).round(3))
    relu = not any(isinstance(module, nn.Tanh) for module in net.modules())
    picture = x.dim() == 4
    args = {"target": target}
    found = {
        "architecture": architecture,
        "weights": weights(net),
        "inputs": floats(x),
        "targets": target.tolist(),
        "background": floats(background),
        "logits": floats(net(x)),
        "saliency": floats(ca.Saliency(net).attribute(x, **args)),
        "saliency_signed": floats(ca.Saliency(net).attribute(x, abs=False, **args)),
        "input_x_gradient": floats(ca.InputXGradient(net).attribute(x, **args)),
        "integrated_gradients": floats(
            ca.IntegratedGradients(net).attribute(x, n_steps=50, method="gausslegendre", **args)
        ),
        "integrated_gradients_mean": floats(
            ca.IntegratedGradients(net).attribute(
                x, background.mean(0, keepdim=True), n_steps=50, method="gausslegendre", **args
            )
        ),
        "deep_lift": floats(ca.DeepLift(make()).attribute(x, **args)),
        "deep_lift_mean": floats(ca.DeepLift(make()).attribute(x, background.mean(0, keepdim=True), **args)),
        "smooth_grad": noise_tunnel(net, x, target, 6),
        "expected_gradients": gradient_shap(net, x, target, background, 7),
    }
    if relu:
        found["guided_backprop"] = floats(ca.GuidedBackprop(make()).attribute(x, **args))
    found["lrp"] = lrp(make, x, target)
    if picture:
        window, stride = 3, 2
        found["occlusion"] = floats(
            ca.Occlusion(net).attribute(
                x, sliding_window_shapes=(1, window, window), strides=(1, stride, stride), baselines=0.25, **args
            )
        )
        found["grad_cam"] = grad_cam(net, x, target, ["conv1", "act1", "conv2", "act2"])
        found["grad_cam_plus_plus"] = grad_cam_plus_plus(net, x, target, "act2")
        size = x.shape[-1]
        rows = torch.arange(size) // 3
        mask = rows[:, None] * (-(-size // 3)) + rows[None]
        values, kept = lime(net, x, target, mask[None], 0.25, 1.0, 60)
        found["lime"] = {"square": 3, "kept": kept, "values": values}
        # Nine parts of 2x2 of a 6x6 picture are too many for permutations: parts of 3x3 or 6x6.
        side = size // 2
        rows = torch.arange(size) // side
        mask = (rows[:, None] * 2 + rows[None])[None, None]
        exact = ca.ShapleyValues(net).attribute(x, feature_mask=mask, **args)
        found["shapley"] = {"square": side, "values": floats(exact)}
    else:
        found["occlusion"] = floats(
            ca.Occlusion(net).attribute(x, sliding_window_shapes=(1,), baselines=0.25, **args)
        )
        values, kept = lime(net, x, target, torch.arange(10), 0.25, 1.0, 60)
        found["lime"] = {"square": 1, "kept": kept, "values": values}
        found["shapley"] = {"square": 1, "values": shapley(net, x, target)}
    return found


def make(kind, *args):
    torch.manual_seed(7)
    return coarse(kind(*args))


def data(*shape):
    return torch.tensor(rng.uniform(0, 1, size=shape).astype(np.float32).round(3))


mlp = {"name": "mlp", "hidden": [8, 6], "activation": "tanh"}
cases = [
    case(mlp, lambda: make(Mlp, nn.Tanh), data(5, 10), 3),
    case({**mlp, "activation": "relu"}, lambda: make(Mlp, nn.ReLU), data(5, 10), 3),
    case({"name": "lenet5", "activation": "relu"}, lambda: make(Lenet5), data(2, 1, 12, 12), 3),
    case({"name": "cnn"}, lambda: make(Cnn), data(3, 1, 6, 6), 3),
]
path = pathlib.Path(__file__).with_name("captum.json")
golden = {"cases": cases, "rollout": rollout(data(2, 5, 8), 8, 2, 12, 2)}
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(path.stat().st_size)
