"""Writes corruptions.json: what MNIST-C's code, and the libraries that it calls, make of a few pictures.

    pip install scikit-image scipy && python corruptions.py MNIST-C/corruptions.py T10K-IMAGES.gz

The first file is that of github.com/google-research/mnist-c, of which some functions are run, with the draws that are noted;
the second are MNIST's test pictures. Motion blur is ImageMagick's `convert`.
"""

import ast
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import types
from importlib.metadata import version

import numpy as np
from PIL import Image
from scipy.stats import poisson
from skimage import color, feature, transform
from skimage.filters import gaussian

rng = np.random.default_rng(20261128)
digits = np.frombuffer(gzip.open(sys.argv[2]).read()[16:], np.uint8).reshape(-1, 28, 28)
seven, two, eight = digits[0], digits[1], digits[61]


class Draws:
    """In the place of numpy.random: what it hands out is kept."""

    def __init__(self):
        self.kept = []

    def keep(self, drawn):
        self.kept.append(drawn)
        return drawn

    def randint(self, low, high, size=None):
        return self.keep(rng.integers(low, high, size))

    def normal(self, size, loc, scale):
        return loc + scale * self.keep(np.round(rng.normal(size=size), 3))

    def uniform(self, low, high, size):
        return rng.uniform(low, high, size)


draws = Draws()
old_numpy = types.SimpleNamespace(**{name: getattr(np, name) for name in np.__all__ if hasattr(np, name)})
old_numpy.random, old_numpy.int, old_numpy.float_ = draws, int, float
theirs = {"np": old_numpy, "gaussian": gaussian, "feature": feature}
wanted = {"plasma_fractal", "line_from_points", "fog", "spatter", "dotted_line", "zigzag", "stripe", "canny_edges"}
for node in ast.parse(pathlib.Path(sys.argv[1]).read_text()).body:
    if isinstance(node, ast.FunctionDef) and node.name in wanted:
        exec(compile(ast.Module([node], []), sys.argv[1], "exec"), theirs)


def run(name, *arguments):
    draws.kept = []
    return theirs[name](*arguments), draws.kept


def picture(pixels):
    """`[height, width]`, or `[height, width, channels]`, as our bytes."""
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return {"shape": list(planes.shape), "values": planes.ravel().tolist()}


def whole(pixels):
    """Rounded to bytes, channel after channel."""
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return np.rint(np.clip(planes, 0, 255)).astype(int).ravel().tolist()


def warps(name, linear, cases):
    """MNIST-C's transforms, as matrices: those of its time, about the middle."""
    found = []
    for pixels, by in cases:
        matrix = np.eye(3)
        matrix[:2] = linear(*by)
        middle = (np.array(pixels.shape[1::-1]) - 1) / 2
        matrix[:2, 2] += middle - matrix[:2, :2] @ middle
        out = transform.warp(pixels / 255, inverse_map=transform.AffineTransform(matrix=matrix))
        found.append({"picture": picture(pixels), "by": list(by), "out": whole(out * 255)})
    return found


def motion(pixels, radius, sigma, degrees):
    """In 16 bits: bytes, ImageMagick cuts off."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = pathlib.Path(folder, "before.png"), pathlib.Path(folder, "after.raw")
        Image.fromarray(pixels).save(before)
        blur = ["-motion-blur", f"{radius}x{sigma}+{degrees}", "-depth", "16", "-endian", "LSB"]
        kind = "rgb" if pixels.ndim == 3 else "gray"
        subprocess.run(["convert", before, *blur, f"{kind}:{after}"], check=True)
        out = np.fromfile(after, "<u2").reshape(pixels.shape) / 257
    return {"picture": picture(pixels), "radius": radius, "sigma": sigma, "degrees": degrees, "out": whole(out)}


def spatter(pixels, severity):
    out, (noise,) = run("spatter", pixels, severity)
    return {"picture": picture(pixels), "severity": severity, "noise": noise.ravel().tolist(), "out": whole(out)}


def fog(pixels, severity):
    clouds = np.round(rng.uniform(size=(28, 28)), 3)
    plasma, theirs["plasma_fractal"] = theirs["plasma_fractal"], lambda wibbledecay: clouds
    out, _ = run("fog", pixels, severity)
    theirs["plasma_fractal"] = plasma
    return {"picture": picture(pixels), "severity": severity, "clouds": clouds.ravel().tolist(), "out": whole(out)}


def plasma(decay):
    maps = np.array([theirs["plasma_fractal"](wibbledecay=decay)[:28, :28] for _ in range(2000)])
    steps = np.sqrt(np.mean(np.diff(maps, axis=2) ** 2))
    return {"decay": decay, "statistics": [maps.mean(), maps.std(), steps, maps.mean(axis=(1, 2)).std()]}


def dotted_line(pixels):
    out, ((left, right),) = run("dotted_line", pixels)
    return {"picture": picture(pixels), "left": int(left), "right": int(right), "out": whole(out)}


def zigzag(pixels):
    out, (row, rise) = run("zigzag", pixels)
    return {"picture": picture(pixels), "first": int(row), "last": int(row + rise), "out": whole(out)}


def plain(name, pixels):
    return {"picture": picture(pixels), "out": whole(run(name, pixels)[0])}


def blurred(pixels, sigma):
    axis = -1 if pixels.ndim == 3 else None
    out = 255 * gaussian(pixels / 255, sigma=sigma, channel_axis=axis)
    return {"picture": picture(pixels), "sigma": sigma, "out": whole(out)}


def brighter(pixels, more):
    hsv = color.rgb2hsv(pixels / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + more, 0, 1)
    return {"picture": picture(pixels), "more": more, "out": whole(255 * color.hsv2rgb(hsv))}


def colours(height, width):
    """Random, but smooth, with black and white in it."""
    noise = gaussian(rng.normal(size=(height, width, 3)), sigma=1.5, channel_axis=-1)
    return np.rint(np.clip(127 + 400 * noise, 0, 255)).astype(np.uint8)


small = colours(11, 17)
shares = np.r_[0, 1e-9, np.round(rng.uniform(size=30), 4), 0.999999]
rotation = lambda angle: [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]
golden = {
    "source": {name: version(name) for name in ("numpy", "scipy", "scikit-image")}
    | {"ImageMagick": subprocess.run(["convert", "-version"], capture_output=True, text=True).stdout.split()[2]},
    "poisson": [{"mean": mean, "shares": shares.tolist(), "counts": poisson.ppf(np.maximum(shares, 1e-300), mean).tolist()}
                for mean in (0.0, 0.0118, 1.5, 12.0, 60.0)],
    "gaussian": [blurred(two, 0.7), blurred(two, 1.5), blurred(small, 1.1), blurred(small, 6.0)],
    "motion": [motion(two, 10, 3, 30.0), motion(seven, 15, 8, -44.0), motion(eight, 20, 15, 3.5), motion(small, 6, 2, -20.0)],
    "shear": warps("shear", lambda s: [[1, -np.sin(s), 0], [0, np.cos(s), 0]], [(two, [0.4]), (eight, [-1.0]), (small, [0.6])]),
    "rotate": warps("rotate", rotation, [(two, [0.4]), (eight, [-1.0]), (small, [0.6])]),
    "scale": warps("scale", lambda s: [[1 / s, 0, 0], [0, 1 / s, 0]], [(two, [0.7]), (seven, [0.5]), (small, [0.9])]),
    "translate": warps("translate", lambda x, y: [[1, 0, x], [0, 1, y]], [(two, [3, -3]), (small, [-1.25, 0.5])]),
    "brightness": [brighter(small, 0.1), brighter(colours(9, 9), 0.5), brighter(np.zeros((2, 2, 3), np.uint8), 0.3)],
    "stripe": [plain("stripe", two)],
    "fog": [fog(two, 1), fog(eight, 5)],
    "plasma": [plasma(decay) for decay in (2.0, 1.7, 1.4)],
    "spatter": [spatter(eight, severity) for severity in range(1, 6)],
    "dotted_line": [dotted_line(pixels) for pixels in (seven, two, eight)],
    "zigzag": [zigzag(pixels) for pixels in digits[:12]],
    "canny": [plain("canny_edges", pixels) for pixels in digits[:20]]
    + [plain("canny_edges", np.rint(255 * rng.uniform(size=(23, 31))).astype(np.uint8))],
}
path = pathlib.Path(__file__).with_name("corruptions.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
