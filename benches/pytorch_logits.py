#!/usr/bin/env python3
"""PyTorch loads a run's model.safetensors into the same network: do both give the same logits?

    cargo build --release --workspace --example logits
    python3 benches/pytorch_logits.py RUN...

For each run of the shipped recipes mnist-mlp, mnist-lenet5 or mnist-cnn, over the 10,000 test pictures of MNIST: the
largest difference of a logit, absolute and relative to max(1, |logit|), the share of logits within 1e-5, the largest
logit, and how far each side is from the same network in float64. Needs torch, numpy and safetensors.
"""
import gzip, json, os, subprocess, sys, tempfile
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Tanh, Sequential

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ACTIVATION = {"relu": ReLU, "tanh": Tanh}


def network(config):
    act = ACTIVATION[config.get("activation", "relu")]
    if config["name"] == "mlp":
        sizes = [784, *config["hidden"], 10]
        layers = []
        for i, (a, b) in enumerate(zip(sizes, sizes[1:]), 1):
            layers += [(f"fc{i}", Linear(a, b)), (f"a{i}", act())]
        return Sequential(OrderedDict(layers[:-1]))
    if config["name"] == "lenet5":
        return Sequential(OrderedDict(
            conv1=Conv2d(1, 6, 5, padding=2), a1=act(), p1=AvgPool2d(2), conv2=Conv2d(6, 16, 5), a2=act(), p2=AvgPool2d(2),
            f=Flatten(), fc1=Linear(400, 120), a3=act(), fc2=Linear(120, 84), a4=act(), fc3=Linear(84, 10)))
    return Sequential(OrderedDict(
        conv1=Conv2d(1, 32, 3), a1=act(), conv2=Conv2d(32, 64, 3), a2=act(), p=MaxPool2d(2), f=Flatten(),
        fc1=Linear(9216, 128), a3=act(), fc2=Linear(128, 10)))


with gzip.open(os.path.join(ROOT, "data", "mnist", "t10k-images-idx3-ubyte.gz")) as f:
    pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255

for run in sys.argv[1:]:
    config = json.load(open(os.path.join(run, "config.json")))
    given = config["format"]["input"]
    inputs = torch.from_numpy((pixels - np.float32(given["mean"][0])) / np.float32(given["std"][0]))
    net = network(config["architecture"])
    net.load_state_dict(load_file(os.path.join(run, "model.safetensors")))
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        shaped = inputs if config["architecture"]["name"] == "mlp" else inputs.view(-1, 1, 28, 28)
        theirs = net(shaped)
        there, back = os.path.join(folder, "in"), os.path.join(folder, "out")
        save_file({"inputs": inputs}, there)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
        subprocess.run([os.path.join(target, "release", "examples", "logits"), run, there, back], check=True)
        ours = load_file(back)["logits"]
        exact = net.double()(shaped.double())
    difference = (ours - theirs).abs()
    print(json.dumps({
        "run": run, "largest_difference": difference.max().item(),
        "within_1e-5": (difference <= 1e-5).double().mean().item(),
        "largest_relative": (difference / theirs.abs().clamp(min=1)).max().item(),
        "largest_logit": theirs.abs().max().item(),
        "ours_to_float64": (ours - exact).abs().max().item(),
        "theirs_to_float64": (theirs - exact).abs().max().item(),
    }))
