#!/usr/bin/env python3
"""An attack and an attribution against the same in PyTorch: torchattacks and Captum.

    python3 benches/methods.py [--rounds 5] [--crucible target/release/crucible] [--threads 2]

Each round runs ours and the peer, one after another, each a process of its own; the table has the medians. The network is
conv3x3(1,32)-ReLU-conv3x3(32,64)-ReLU-maxpool2-fc(9216,128)-ReLU-fc(128,10) with fresh weights, on 64 random pictures
from 0 to 1 of 28x28 with random labels.

    pgd     40 steps of 0.01 within L-infinity 0.3 from a random start, on all pictures to the last step; and, as an
            attack runs by default here, leaving a picture alone once it fools the network
    ig      integrated gradients over 50 Gauss-Legendre points from black

Needs torch, torchattacks and captum.
"""
import argparse, json, os, statistics, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def peer(task, batch, runs, threads):
    import torch
    import torch.nn as nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)).eval()
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    if task == "pgd":
        import torchattacks

        attack = torchattacks.PGD(net, eps=0.3, alpha=0.01, steps=40)
        run = lambda: attack(x, y)
    else:
        from captum.attr import IntegratedGradients

        method = IntegratedGradients(net)
        run = lambda: method.attribute(x, target=y, n_steps=50)
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(json.dumps({"ms": statistics.median(times[1:]) * 1e3}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer, a.batch, a.runs, a.threads)
    common = ["--batch", str(a.batch), "--runs", str(a.runs), "--threads", str(a.threads)]

    def last(command):
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])

    print("| task | PyTorch ms | ours ms | ours / PyTorch | leaving fooled pictures alone |")
    print("|---|---|---|---|---|")
    for name, verb, task in (("PGD-40", "attack", "pgd"), ("integrated gradients, 50 points", "explain", "ig")):
        pairs = [(last([a.crucible, "bench", verb, "--json", *common]),
                  last([sys.executable, __file__, "--peer", task, *common])) for _ in range(a.rounds)]
        middle = statistics.median
        mine, other = middle(p[0]["ms"] for p in pairs), middle(p[1]["ms"] for p in pairs)
        stopping = middle(p[0].get("stopping_ms", p[0]["ms"]) for p in pairs)
        short = f"{stopping:.0f} ms, {stopping / other:.2f}" if task == "pgd" else ""
        print(f"| {name}, batch {a.batch} | {other:.0f} | {mine:.0f} | {mine / other:.2f} | {short} |", flush=True)


main()
