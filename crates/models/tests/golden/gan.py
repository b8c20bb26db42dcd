"""Writes gan.json: what PyTorch computes by generators and discriminators whose weights both sides know a formula for.

python crates/models/tests/golden/gan.py    (torch)
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


def filled(shapes):
    """Tensors in the order of their names: as the Rust test fills them."""
    out = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        values = 0.3 * wave(shape, place)
        if name.endswith("running_var"):
            values = values + 1.0
        elif "bn" in name and name.endswith("weight"):
            values = values + 1.0
        elif name.endswith((".u", ".v")):
            values = values / values.norm()
        out[name] = values
    return out


def bn(x, w, name):
    return F.batch_norm(x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"])


def statistics(name, width):
    return {f"{name}.{part}": [width] for part in ["weight", "bias", "running_mean", "running_var"]}


def generator(upsampling):
    """9x9, two channels: maps of 4x4 and 9x9; three classes, five random numbers."""
    kernel = [6, 2, 4, 4] if upsampling == "transposed" else [2, 6, 3, 3]
    shapes = {"seed.embedding.weight": [3, 4], "seed.dense.weight": [6 * 16, 9], "up1.weight": kernel}
    shapes |= statistics("bn1", 6)
    w = filled(shapes)
    z, classes = wave([3, 5], 0.5), torch.tensor([2, 0, 1])
    x = torch.cat([z, w["seed.embedding.weight"][classes]], 1) @ w["seed.dense.weight"].T
    x = bn(x.reshape(3, 6, 4, 4), w, "bn1").relu()
    if upsampling == "transposed":
        x = F.conv_transpose2d(x, w["up1.weight"], stride=2, padding=1, output_padding=1)
    else:
        x = F.conv2d(F.interpolate(x, size=(9, 9), mode="nearest"), w["up1.weight"], padding=1)
    return x.tanh().flatten().tolist()


def spectral(w, name):
    weight = w[f"{name}.weight"]
    matrix = weight.flatten(1)
    return weight / (w[f"{name}.spectral.u"] @ matrix @ w[f"{name}.spectral.v"])


def discriminator():
    """8x8, one channel: one convolution to 4x4, spectral norm, three classes."""
    shapes = {
        "conv1.weight": [5, 1, 4, 4], "conv1.bias": [5], "conv1.spectral.u": [5], "conv1.spectral.v": [16],
        "verdict.linear.weight": [1, 80], "verdict.linear.bias": [1],
        "verdict.linear.spectral.u": [1], "verdict.linear.spectral.v": [80],
        "verdict.projection.weight": [3, 80], "verdict.projection.spectral.u": [3],
        "verdict.projection.spectral.v": [80],
    }
    w = filled(shapes)
    x, classes = wave([4, 1, 8, 8], 0.2), torch.tensor([0, 2, 1, 1])
    x = F.leaky_relu(F.conv2d(x, spectral(w, "conv1"), w["conv1.bias"], stride=2, padding=1), 0.2).flatten(1)
    score = x @ spectral(w, "verdict.linear").T + w["verdict.linear.bias"]
    score = score + (spectral(w, "verdict.projection")[classes] * x).sum(1, keepdim=True)
    return score.flatten().tolist()


def power_iteration():
    """Three batches of training: the weight of the third, and its gradient."""
    layer = torch.nn.Linear(6, 4, bias=False)
    layer.weight.data = wave([4, 6], 1.0)
    layer = torch.nn.utils.spectral_norm(layer)
    layer.weight_u.copy_(F.normalize(wave([4], 2.0), dim=0))
    x = wave([2, 6], 3.0)
    for _ in range(3):
        layer.weight_orig.grad = None
        y = layer(x)
        (y * wave([2, 4], 4.0)).sum().backward()
    return {"output": y.flatten().tolist(), "gradient": layer.weight_orig.grad.flatten().tolist()}


golden = {
    "transposed": generator("transposed"),
    "nearest": generator("nearest"),
    "discriminator": discriminator(),
    "power_iteration": power_iteration(),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden) + "\n")
