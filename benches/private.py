#!/usr/bin/env python3
"""A step of training with differential privacy beside Opacus, and beside a step without.

    python3 benches/private.py [--rounds 3] [--batch 64] [--crucible target/release/crucible] [--threads 2]

Each round runs ours and Opacus (ghost clipping, then hooks), one after another, each a process of its own; the table has
the medians. Fixed batches of random inputs, clipping norm 1, noise 1, SGD with momentum 0.9; the networks are those of
`crucible bench step`. Needs torch and opacus.
"""
import argparse, json, os, statistics, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def peer(task, mode, batch, steps, threads):
    import warnings

    warnings.filterwarnings("ignore")
    import torch
    from opacus import PrivacyEngine
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if task == "mlp":
        net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
        x = torch.randn(batch, 784)
    else:
        net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                            nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))
        x = torch.randn(batch, 1, 28, 28)
    y, loss = torch.randint(0, 10, (batch,)), nn.CrossEntropyLoss()
    common = dict(module=net, optimizer=torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9), noise_multiplier=1.0,
                  max_grad_norm=1.0, poisson_sampling=False,
                  data_loader=DataLoader(TensorDataset(x, y), batch_size=batch))
    if mode == "ghost":
        net, optimizer, loss, _ = PrivacyEngine().make_private(criterion=loss, grad_sample_mode="ghost", **common)
    else:
        net, optimizer, _ = PrivacyEngine().make_private(**common)
    times = []
    for _ in range(steps + 5):
        start = time.perf_counter()
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step()
        value.item()
        times.append(time.perf_counter() - start)
    print(json.dumps({"ms": statistics.median(times[5:]) * 1e3}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(*a.peer, a.batch, a.steps, a.threads)
    common = ["--batch", str(a.batch), "--steps", str(a.steps), "--threads", str(a.threads)]

    def last(command):
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])

    print("| task | ours ms | plain ms | ours / plain | Opacus ghost ms | ours / ghost | Opacus hooks ms | ours / hooks |")
    print("|---|---|---|---|---|---|---|---|")
    for task in ("mlp", "cnn"):
        rounds = []
        for _ in range(a.rounds):
            ours = last([a.crucible, "bench", "private", "--task", task, "--json", *common])
            peers = [last([sys.executable, __file__, "--peer", task, mode, *common]) for mode in ("ghost", "hooks")]
            rounds.append([ours["ms"], ours["plain_ms"], *(peer["ms"] for peer in peers)])
        private, plain, ghost, hooks = (statistics.median(column) for column in zip(*rounds))
        print(f"| {task}, batch {a.batch} | {private:.2f} | {plain:.2f} | {private / plain:.2f} | {ghost:.1f} | "
              f"{private / ghost:.3f} | {hooks:.1f} | {private / hooks:.3f} |", flush=True)


main()
