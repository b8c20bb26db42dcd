#!/usr/bin/env python3
"""One training step of the DCGAN pair (a step of the discriminator, one of the generator) against the same in PyTorch.

    python3 benches/gan.py [--rounds 3] [--batch 64] [--size 64] [--crucible target/release/crucible] [--threads 2]

Networks, losses and optimizers are those of PyTorch's DCGAN example: latent 100, 64 channels, batch norm, binary cross-entropy,
Adam lr 2e-4 beta1 0.5; 3,576,704 and 2,765,568 parameters at size 64. Each round runs both, one after the other, each a process
of its own; printed are the medians over the rounds of each run's median step, and the median of the ratios. Needs torch.
"""
import argparse, json, os, statistics, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 0.7


def peer(batch, size, steps, threads):
    import torch
    import torch.nn as nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    sides = [size]
    while sides[0] >= 8 or len(sides) == 1:
        sides.insert(0, sides[0] // 2)
    widths = [64 << i for i in reversed(range(len(sides) - 1))]
    layers = [nn.ConvTranspose2d(100, widths[0], sides[0], 1, 0, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(True)]
    for i, (before, after) in enumerate(zip(widths, widths[1:] + [3])):
        layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, output_padding=sides[i + 1] - 2 * sides[i], bias=False))
        layers += [nn.Tanh()] if after == 3 else [nn.BatchNorm2d(after), nn.ReLU(True)]
    generator = nn.Sequential(*layers)
    layers, before = [], 3
    for width in reversed(widths):
        layers.append(nn.Conv2d(before, width, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(width)] if before != 3 else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        before = width
    discriminator = nn.Sequential(*layers, nn.Conv2d(before, 1, sides[0], 1, 0, bias=False))
    if size == 64:
        count = lambda net: sum(p.numel() for p in net.parameters())
        assert (count(generator), count(discriminator)) == (3_576_704, 2_765_568)
    adam = lambda net: torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999))
    by_g, by_d, loss = adam(generator), adam(discriminator), nn.BCEWithLogitsLoss()
    real = torch.rand(batch, 3, size, size) * 2 - 1
    ones, zeros = torch.ones(batch), torch.zeros(batch)

    def step():
        by_d.zero_grad()
        loss(discriminator(real).flatten(), ones).backward()
        fake = generator(torch.randn(batch, 100, 1, 1))
        loss(discriminator(fake.detach()).flatten(), zeros).backward()
        by_d.step()
        by_g.zero_grad()
        error = loss(discriminator(fake).flatten(), ones)
        error.backward()
        by_g.step()
        return error.item()

    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"ms": statistics.median(times[2:]) * 1e3}))


def child(command):
    """What a process prints last, as JSON."""
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])["ms"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target/release/crucible"))
    parser.add_argument("--peer", action="store_true", help="run PyTorch's step only")
    args = parser.parse_args()
    numbers = {key: str(getattr(args, key)) for key in ["batch", "size", "steps", "threads"]}
    if args.peer:
        return peer(args.batch, args.size, args.steps, args.threads)
    options = [word for key, value in numbers.items() for word in (f"--{key}", value)]
    ours, theirs = [], []
    for _ in range(args.rounds):
        ours.append(child([args.crucible, "bench", "gan", "--json", *options]))
        theirs.append(child([sys.executable, os.path.abspath(__file__), "--peer", *options]))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"crucible {statistics.median(ours):.1f} ms, PyTorch {statistics.median(theirs):.1f} ms, ratio {ratio:.2f} "
          f"(at most {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
