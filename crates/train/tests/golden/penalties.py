"""Writes penalties.json: penalties on input gradients, and their gradients by a discriminator's weights, in float64.

Double backward of PyTorch, held against finite differences of the penalty itself.

python crates/train/tests/golden/penalties.py    (torch)
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(shape, phase):
    count = math.prod(shape)
    return torch.tensor([math.sin(0.7 * i + phase) for i in range(count)]).reshape(shape)


SHAPES = {
    "conv1.weight": [5, 1, 4, 4], "conv1.bias": [5], "conv1.spectral.u": [5], "conv1.spectral.v": [16],
    "conv2.weight": [10, 5, 4, 4], "conv2.bias": [10], "conv2.spectral.u": [10], "conv2.spectral.v": [80],
    "verdict.linear.weight": [1, 160], "verdict.linear.bias": [1],
    "verdict.linear.spectral.u": [1], "verdict.linear.spectral.v": [160],
    "verdict.projection.weight": [3, 160], "verdict.projection.spectral.u": [3],
    "verdict.projection.spectral.v": [160],
}


def weights(spectral):
    out = {}
    names = sorted(name for name in SHAPES if spectral or "spectral" not in name)
    for place, name in enumerate(names):
        values = 0.3 * wave(SHAPES[name], place)
        out[name] = values / values.norm() if name.endswith((".u", ".v")) else values
    return out


def weight(w, name):
    value = w[f"{name}.weight"]
    if f"{name}.spectral.u" not in w:
        return value
    return value / (w[f"{name}.spectral.u"] @ value.flatten(1) @ w[f"{name}.spectral.v"])


CLASSES = torch.tensor([0, 2, 1, 1])


def scores(w, x):
    x = x.reshape(4, 1, 16, 16)
    for name in ["conv1", "conv2"]:
        x = F.leaky_relu(F.conv2d(x, weight(w, name), w[f"{name}.bias"], stride=2, padding=1), 0.2)
    x = x.flatten(1)
    score = x @ weight(w, "verdict.linear").T + w["verdict.linear.bias"]
    return score + (weight(w, "verdict.projection")[CLASSES] * x).sum(1, keepdim=True)


def penalty(kind, w, create_graph=True):
    x = wave([4, 256], 0.2).requires_grad_()
    (gradient,) = torch.autograd.grad(scores(w, x).sum(), x, create_graph=create_graph)
    squares = gradient.square().sum(1)
    if kind == "r1":
        return (5.0 * squares).mean()
    return (10.0 * (squares.sqrt() - 1).square()).mean()


def case(kind, spectral):
    w = weights(spectral)
    learned = {name: value.requires_grad_() for name, value in w.items() if not name.endswith((".u", ".v"))}
    value = penalty(kind, w)
    gradients = torch.autograd.grad(value, list(learned.values()), allow_unused=True)
    found = {name: g for name, g in zip(learned, gradients) if g is not None}
    worst = 0.0
    with torch.enable_grad():
        for name, gradient in found.items():
            flat, scale = learned[name].data.view(-1), gradient.abs().max().item()
            for place in range(0, flat.numel(), max(1, flat.numel() // 5)):
                kept, step, sides = flat[place].item(), 1e-7, []
                for sign in [1, -1]:
                    flat[place] = kept + sign * step
                    sides.append(penalty(kind, w, False).item())
                flat[place] = kept
                difference = (sides[0] - sides[1]) / (2 * step)
                worst = max(worst, abs(difference - gradient.reshape(-1)[place].item()) / max(scale, 1e-12))
    print(kind, "spectral" if spectral else "plain", "finite differences agree within", worst)
    assert worst < 1e-5
    return {"value": value.item(), "gradients": {name: g.flatten().tolist() for name, g in found.items()}}


golden = {
    f"{kind}/{'spectral' if spectral else 'none'}": case(kind, spectral)
    for kind in ["gradient-penalty", "r1"]
    for spectral in [True, False]
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden) + "\n")
