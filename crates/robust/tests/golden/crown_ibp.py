"""Writes crown_ibp.json: bounds of differences of logits of small networks, by interval bounds and by CROWN-IBP, in float64
with every layer as one matrix, an example and a difference at a time.

    pip install numpy && python crown_ibp.py

Weights and inputs come from a formula that `src/certify/crown_ibp.rs` shares. Written from H. Zhang et al. 2018 and 2020.
"""

import json
import math
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def numbers(count, salt):
    """Fractions from -1 to 1."""
    i = np.arange(count)
    return ((i * i * 7 + i * 29 + salt * 13) % 101 - 50) / 50


class Parameters:
    """The values of each name, which stands at its place among all names in order."""

    def __init__(self, shapes):
        self.shapes, self.order = shapes, sorted(shapes)

    def __getitem__(self, name):
        shape = self.shapes[name]
        values = numbers(math.prod(shape), self.order.index(name))
        if name.endswith("running_var"):
            values = 1.5 + values
        divisor = math.ceil(math.sqrt(math.prod(shape[1:]))) if len(shape) > 1 else 2
        return np.float32(values / divisor).astype(np.float64).reshape(shape)


def convolution(weight, bias, size, stride, padding):
    outputs, inputs, kernel, _ = weight.shape
    height, width = [(side + 2 * padding - kernel) // stride + 1 for side in size]
    matrix = np.zeros((outputs, height, width, inputs, *size))
    for row, column, u, v in np.ndindex(height, width, kernel, kernel):
        y, z = row * stride + u - padding, column * stride + v - padding
        if 0 <= y < size[0] and 0 <= z < size[1]:
            matrix[:, row, column, :, y, z] += weight[:, :, u, v]
    matrix = matrix.reshape(outputs * height * width, -1)
    return (matrix, np.repeat(bias, height * width)), [height, width]


def windows(channels, size, pool):
    places = np.arange(channels * size[0] * size[1]).reshape(channels, *size)
    down, across = size[0] // pool, size[1] // pool
    tiles = [places[c, pool * i:pool * (i + 1), pool * j:pool * (j + 1)].ravel()
             for c, i, j in np.ndindex(channels, down, across)]
    return tiles, [down, across]


def averages(channels, size, pool):
    tiles, after = windows(channels, size, pool)
    matrix = np.zeros((len(tiles), channels * size[0] * size[1]))
    for row, tile in enumerate(tiles):
        matrix[row, tile] = 1 / pool ** 2
    return (matrix, np.zeros(len(tiles))), after


def mlp(config, features, classes):
    widths = [features, *config["hidden"], classes]
    shapes, hidden = {}, len(config["hidden"])
    for i in range(1, hidden + 2):
        shapes |= {f"fc{i}.weight": [widths[i], widths[i - 1]], f"fc{i}.bias": [widths[i]]}
        if config.get("batch_norm") and i <= hidden:
            shapes |= {f"bn{i}.{part}": [widths[i]] for part in ["weight", "bias", "running_mean", "running_var"]}
    of, layers = Parameters(shapes), []
    for i in range(1, hidden + 2):
        layers.append(("affine", of[f"fc{i}.weight"], of[f"fc{i}.bias"]))
        if i <= hidden:
            if config.get("batch_norm"):
                scale = of[f"bn{i}.weight"] / np.sqrt(of[f"bn{i}.running_var"] + 1e-5)
                shift = of[f"bn{i}.bias"] - scale * of[f"bn{i}.running_mean"]
                layers.append(("affine", np.diag(scale), shift))
            layers.append(("bend", config["activation"]))
    return layers


def convnet(config, side, classes):
    shapes, channels, size = {}, 1, [side, side]
    for i, conv in enumerate(config["conv"], 1):
        shapes |= {f"conv{i}.weight": [conv["channels"], channels, conv["kernel"], conv["kernel"]],
                   f"conv{i}.bias": [conv["channels"]]}
        size = [((s + 2 * conv["padding"] - conv["kernel"]) // conv["stride"] + 1) // conv["pool"] for s in size]
        channels = conv["channels"]
    widths = [channels * size[0] * size[1], *config["hidden"], classes]
    for i in range(1, len(widths)):
        shapes |= {f"fc{i}.weight": [widths[i], widths[i - 1]], f"fc{i}.bias": [widths[i]]}
    of, layers, size = Parameters(shapes), [], [side, side]
    for i, conv in enumerate(config["conv"], 1):
        affine, size = convolution(of[f"conv{i}.weight"], of[f"conv{i}.bias"], size, conv["stride"], conv["padding"])
        layers += [("affine", *affine), ("bend", config["activation"])]
        if conv["pool"] > 1:
            tiles, size = windows(conv["channels"], size, conv["pool"])
            layers.append(("max", tiles))
    for i in range(1, len(widths)):
        layers.append(("affine", of[f"fc{i}.weight"], of[f"fc{i}.bias"]))
        if i < len(widths) - 1:
            layers.append(("bend", config["activation"]))
    return layers


def lenet5(config, side, classes):
    side = ((side // 2) - 4) // 2
    shapes = {"conv1.weight": [6, 1, 5, 5], "conv1.bias": [6], "conv2.weight": [16, 6, 5, 5], "conv2.bias": [16]}
    widths = [16 * side * side, 120, 84, classes]
    for i in range(1, 4):
        shapes |= {f"fc{i}.weight": [widths[i], widths[i - 1]], f"fc{i}.bias": [widths[i]]}
    of, layers, size = Parameters(shapes), [], [config["side"]] * 2
    for i, (channels, padding) in enumerate([(6, 2), (16, 0)], 1):
        affine, size = convolution(of[f"conv{i}.weight"], of[f"conv{i}.bias"], size, 1, padding)
        layers += [("affine", *affine), ("bend", config["activation"])]
        affine, size = averages(channels, size, 2)
        layers.append(("affine", *affine))
    for i in range(1, 4):
        layers.append(("affine", of[f"fc{i}.weight"], of[f"fc{i}.bias"]))
        if i < 3:
            layers.append(("bend", config["activation"]))
    return layers


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def normal(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


VALUE = {
    "relu": lambda x: max(x, 0.0),
    "leaky-relu": lambda x: max(x, 0.01 * x),
    "tanh": math.tanh,
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * normal(x),
}
SLOPE = {
    "tanh": lambda x: 1 - math.tanh(x) ** 2,
    "sigmoid": lambda x: sigmoid(x) * (1 - sigmoid(x)),
    "silu": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    "gelu": lambda x: normal(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}


def image(activation, low, high):
    """The least and the most of an activation on an interval, on a fine grid where it is not monotone."""
    f = VALUE[activation]
    if activation in ["gelu", "silu"]:
        values = [f(x) for x in np.linspace(low, high, 100_001)]
        return min(values), max(values)
    return f(low), f(high)


def lines(activation, low, high):
    """Slope and shift of the line below and of the line above."""
    if activation in ["relu", "leaky-relu"]:
        arm = 0.01 if activation == "leaky-relu" else 0.0
        if low >= 0:
            return (1, 0), (1, 0)
        if high <= 0:
            return (arm, 0), (arm, 0)
        chord = (high - arm * low) / (high - low)
        return (1 if high > -low else arm, 0), (chord, high - chord * high)
    f, slope = VALUE[activation], min(map(SLOPE[activation], np.linspace(low, high, 10_001)))
    return (slope, f(low) - slope * low), (slope, f(high) - slope * high)


def bounds(layers, low, high):
    """The intervals before each layer, and those of the outputs."""
    all = [(low, high)]
    for kind, *layer in layers:
        low, high = all[-1]
        if kind == "affine":
            positive, negative = np.maximum(layer[0], 0), np.minimum(layer[0], 0)
            low, high = positive @ low + negative @ high + layer[1], positive @ high + negative @ low + layer[1]
        elif kind == "bend":
            pairs = [image(layer[0], a, b) for a, b in zip(low, high)]
            low, high = np.array(pairs).T
        else:
            low, high = [np.array([values[tile].max() for tile in layer[0]]) for values in (low, high)]
        all.append((low, high))
    return all


def upper(slopes, shift, low, high):
    return float(np.maximum(slopes, 0) @ high + np.minimum(slopes, 0) @ low + shift)


def worst(layers, low, high, label, other):
    """The most that the logit of `other` can exceed that of `label`: by intervals up to the last layer, and by lines."""
    all = bounds(layers, low, high)
    _, weight, bias = layers[-1]
    slopes, shift = weight[other] - weight[label], bias[other] - bias[label]
    interval = upper(slopes, shift, *all[-2])
    for (kind, *layer), (low, high) in list(zip(layers, all))[-2::-1]:
        if kind == "affine":
            slopes, shift = slopes @ layer[0], shift + slopes @ layer[1]
            continue
        before = np.zeros(len(low))
        if kind == "bend":
            for i, slope in enumerate(slopes):
                line = lines(layer[0], low[i], high[i])[int(slope > 0)]
                before[i], shift = slope * line[0], shift + slope * line[1]
        else:
            for slope, tile in zip(slopes, layer[0]):
                best = tile[np.argmax(low[tile])]
                rest = [high[i] for i in tile if i != best]
                if slope <= 0 or low[best] >= max(rest):
                    before[best] += slope
                else:
                    shift += slope * high[tile].max()
        slopes = before
    return interval, upper(slopes, shift, *all[0])


def conv(channels, kernel, stride=1, padding=0, pool=1):
    return {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding, "pool": pool}


def main():
    models = [({"name": "mlp", "hidden": [7, 5], "activation": activation}, mlp, None) for activation in VALUE]
    models += [
        ({"name": "mlp", "hidden": []}, mlp, None),
        ({"name": "mlp", "hidden": [6, 6], "activation": "relu", "batch_norm": True}, mlp, None),
        ({"name": "convnet", "activation": "relu", "hidden": [8],
          "conv": [conv(3, 4, 2, 1), conv(4, 3, 2, 1)]}, convnet, 9),
        ({"name": "convnet", "activation": "leaky-relu", "hidden": [],
          "conv": [conv(3, 3, 1, 1, 2), conv(2, 2, 1, 0, 3)]}, convnet, 9),
        ({"name": "lenet5", "activation": "relu"}, lenet5, 12),
    ]
    cases, classes = [], 3
    for config, build, side in models:
        features = 6 if side is None else side * side
        layers = build({**config, "side": side} if side else config, side or features, classes)
        for eps in [0.02, 0.2]:
            centre = np.float32(numbers(features, 3)).astype(np.float64)
            eps = float(np.float32(eps))
            pairs = [worst(layers, centre - eps, centre + eps, 1, other) for other in range(classes)]
            cases.append({"model": config, "side": side, "features": features, "eps": eps,
                          "interval": [pair[0] for pair in pairs], "linear": [pair[1] for pair in pairs]})
    lines = ",\n ".join(json.dumps(case) for case in cases)
    (HERE / "crown_ibp.json").write_text(f"[{lines}]\n")


main()
