#!/usr/bin/env python3
"""The default job against the same job in PyTorch, both as whole processes, in turn.

    python3 benches/default_job.py [--runs 3] [--crucible target/release/crucible]

The peer: 784-128-64-10, ReLU, cross-entropy, SGD lr 0.01 momentum 0.9, batch 64, 10 epochs; the whole data set in memory
as tensors, shuffled by index, no DataLoader; accuracy on the test split after each epoch. Its time is taken inside the
process, from reading the files on, so that importing torch does not count; Crucible's is the whole process. Needs torch
and numpy. Prints one JSON line: medians, ratio, accuracies.
"""
import argparse, gzip, json, os, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MNIST = os.path.join(ROOT, "data", "mnist")


def peer(seed):
    import numpy as np
    import torch
    import torch.nn as nn

    start = time.perf_counter()
    torch.manual_seed(seed)

    def idx(name, offset):
        with gzip.open(os.path.join(MNIST, name)) as f:
            return np.frombuffer(f.read(), np.uint8, offset=offset).copy()

    def split(prefix):
        x = torch.from_numpy(idx(f"{prefix}-images-idx3-ubyte.gz", 16)).view(-1, 784).float() / 255
        return x, torch.from_numpy(idx(f"{prefix}-labels-idx1-ubyte.gz", 8)).long()

    (x, y), (xt, yt) = split("train"), split("t10k")
    mean, std = x.mean(), x.std()
    x, xt = (x - mean) / std, (xt - mean) / std
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    crit = nn.CrossEntropyLoss()
    for _ in range(10):
        order = torch.randperm(len(x))
        total = 0.0
        for i in range(0, len(x), 64):
            batch = order[i:i + 64]
            opt.zero_grad()
            loss = crit(net(x[batch]), y[batch])
            loss.backward()
            opt.step()
            total += loss.item() * len(batch)
        with torch.no_grad():
            accuracy = (net(xt).argmax(1) == yt).float().mean().item()
    print(json.dumps({"seconds": time.perf_counter() - start, "accuracy": accuracy}))


def ours(binary, seed):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [binary, "train", "--json", "--out", os.path.join(folder, "run"), "--set", f"seed={seed}"]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return time.perf_counter() - start, json.loads(out.splitlines()[-1])["test_accuracy"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer is not None:
        return peer(args.peer)
    times, peers = [], []
    for seed in range(1, args.runs + 1):
        times.append(ours(args.crucible, seed))
        command = [sys.executable, __file__, "--peer", str(seed)]
        peers.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    mine, theirs = statistics.median(t for t, _ in times), statistics.median(p["seconds"] for p in peers)
    print(json.dumps({
        "crucible_s": round(mine, 2), "torch_s": round(theirs, 2), "ratio": round(mine / theirs, 3),
        "pair_ratios": [round(t / p["seconds"], 3) for (t, _), p in zip(times, peers)],
        "crucible_accuracy": [a for _, a in times], "torch_accuracy": [round(p["accuracy"], 4) for p in peers],
    }))


main()
