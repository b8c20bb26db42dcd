#!/usr/bin/env python3
"""Robust accuracy of a run of `mnist-robust` by Crucible and by torchattacks, on the same weights and pictures.

    python3 benches/robust_accuracy.py RUN [--count 1000] [--eps 0.3] [--norm linf|l2] [--auto] [--seed 0] [--crucible FILE]

Prints the accuracy on the first test pictures that is left by PGD (40 steps of ε/30 from a random start), and with --auto
by AutoAttack: torchattacks' APGD-CE, APGD-T, FAB-T (100 steps each) and Square (5,000 queries) one after another on what
still stands, since its own class runs 10 steps. Needs torch, torchattacks and numpy.
"""
import argparse, gzip, json, os, subprocess, time

import numpy as np
import torch
import torchattacks
from torch import nn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def idx(name, header):
    with gzip.open(os.path.join(ROOT, "data", "mnist", name)) as file:
        return np.frombuffer(file.read()[header:], dtype=np.uint8)


def weights(path):
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    return {name: torch.tensor(np.frombuffer(body[slice(*entry["data_offsets"])], dtype="<f4").reshape(entry["shape"]))
            for name, entry in header.items() if name != "__metadata__"}


class Convnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 4, 2, 1), nn.Conv2d(16, 32, 4, 2, 1)
        self.fc1, self.fc2 = nn.Linear(1568, 100), nn.Linear(100, 10)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--eps", type=float, default=0.3)
    parser.add_argument("--norm", default="linf")
    parser.add_argument("--auto", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    net = Convnet()
    net.load_state_dict(weights(os.path.join(a.run, "model.safetensors")))
    net.eval()
    x = torch.tensor(idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:a.count] / np.float32(255))
    y = torch.tensor(idx("t10k-labels-idx1-ubyte.gz", 8)[:a.count].astype(np.int64))
    norm = {"linf": "Linf", "l2": "L2"}[a.norm]
    pgd = torchattacks.PGD if a.norm == "linf" else torchattacks.PGDL2
    common = {"norm": norm, "eps": a.eps}
    methods = {"pgd": [lambda: pgd(net, eps=a.eps, alpha=a.eps / 30, steps=40, random_start=True)]}
    if a.auto:
        methods["auto"] = [
            lambda: torchattacks.APGD(net, **common, steps=100, loss="ce", seed=a.seed),
            lambda: torchattacks.APGDT(net, **common, steps=100, n_classes=10, seed=a.seed),
            lambda: torchattacks.FAB(net, **common, steps=100, multi_targeted=True, n_classes=10, seed=a.seed),
            lambda: torchattacks.Square(net, **common, n_queries=5000, seed=a.seed)]
    for name, attacks in methods.items():
        torch.manual_seed(a.seed)
        start = time.time()
        standing = net(x).argmax(1) == y
        for make in attacks:
            rows = standing.nonzero().flatten()
            moved = torch.cat([make()(x[part], y[part]) for part in rows.split(250)])
            change = (moved - x[rows]).flatten(1)
            size = change.abs().amax(1) if a.norm == "linf" else change.norm(dim=1)
            standing[rows] = ~((net(moved).argmax(1) != y[rows]) & (size <= a.eps * (1 + 1e-5) + 1e-6))
        theirs, seconds = float(standing.float().mean()), time.time() - start
        command = [a.crucible, "attack", a.run, "--method", name, "--norm", a.norm, "--eps", str(a.eps),
                   "--count", str(a.count), "--seed", str(a.seed + 1), "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        print(json.dumps({"attack": name, "norm": a.norm, "eps": a.eps, "count": a.count, "ours": ours["robust_accuracy"],
                          "torchattacks": theirs, "seconds": round(ours["seconds"], 1),
                          "their_seconds": round(seconds, 1)}), flush=True)


main()
