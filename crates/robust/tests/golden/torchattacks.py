"""Writes plain.safetensors, hardened.safetensors and torchattacks.json: two small networks on MNIST, and how many of 200
test pictures each still gets right under torchattacks 3.5.1 (PyTorch 2.15, CPU).

    pip install torch numpy torchattacks && python torchattacks.py

`hardened` is trained on the pictures that PGD finds (L∞, ε = 0.1). Attacks with draws run from several seeds, and the
fewest and the most pictures left are recorded. Budgets are AutoAttack's (100 steps), not torchattacks' defaults (10),
but for Square's queries. A picture counts as fooled only if the tensor returned is misclassified and in the ball.
"""

import gzip
import json
import pathlib
import sys

sys.path.pop(0)  # This file's folder: its name is that of the package.

import numpy as np
import torch
import torchattacks as ta
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
MNIST = HERE.parents[3] / "data" / "mnist"
torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)


def idx(name, header):
    return np.frombuffer(gzip.open(MNIST / name).read()[header:], dtype=np.uint8)


def load(part):
    pixels = idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = idx(f"{part}-labels-idx1-ubyte.gz", 8)
    return torch.tensor(pixels / np.float32(255)), torch.tensor(labels.astype(np.int64))


class Mlp(nn.Module):
    """Crucible's `mlp` with hidden = [40, 20]."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 40), nn.Linear(40, 20), nn.Linear(20, 10)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1))))))


def save(net, path):
    """The weights as a safetensors file: the header's length, the header as JSON, the values."""
    header, values = {}, b""
    for name, tensor in net.state_dict().items():
        bytes = tensor.contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(values), len(values) + len(bytes)]}
        values += bytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(len(head).to_bytes(8, "little") + head + values)


def pgd(net, x, y, eps, alpha, steps):
    d = torch.empty_like(x).uniform_(-eps, eps)
    for _ in range(steps):
        d.requires_grad_()
        loss = nn.functional.cross_entropy(net((x + d).clamp(0, 1)), y)
        (g,) = torch.autograd.grad(loss, [d])
        d = (d.detach() + alpha * g.sign()).clamp(-eps, eps)
    return (x + d).clamp(0, 1).detach()


def train(hardened, epochs):
    torch.manual_seed(1)
    x, y = load("train")
    net = Mlp()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            inputs = pgd(net, x[rows], y[rows], 0.1, 0.03, 5) if hardened else x[rows]
            loss = nn.functional.cross_entropy(net(inputs), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def attacks(net, norm, eps):
    """Name → (from a seed, the attack; how many seeds)."""
    common = {"norm": norm, "eps": eps}
    pgd = ta.PGD if norm == "Linf" else ta.PGDL2
    apgd = lambda loss: lambda seed: ta.APGD(net, **common, steps=100, loss=loss, seed=seed)
    apgd_t = lambda seed: ta.APGDT(net, **common, steps=100, n_classes=10, seed=seed)
    fab_t = lambda seed: ta.FAB(net, **common, steps=100, multi_targeted=True, n_classes=10, seed=seed)
    square = lambda seed: ta.Square(net, **common, n_queries=500, seed=seed)
    return {
        "pgd": (lambda seed: pgd(net, eps=eps, alpha=eps / 30, steps=40, random_start=True), 3),
        "apgd-ce": (apgd("ce"), 3),
        "apgd-dlr": (apgd("dlr"), 3),
        "apgd-t": (apgd_t, 1),
        "fab-t": (fab_t, 1),
        "square": (square, 3),
        "auto": (lambda seed: ta.MultiAttack([apgd("ce")(seed), apgd_t(seed), fab_t(seed), square(seed)]), 1),
    }


def left(net, attack, x, y, norm, eps):
    adversarial = attack(x, y).detach()
    change = (adversarial - x).flatten(1)
    size = change.abs().amax(1) if norm == "Linf" else change.norm(dim=1)
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    fooled = (net(adversarial).argmax(1) != y) & (size <= eps * (1 + 1e-5) + 1e-6)
    return int((~(fooled | (net(x).argmax(1) != y))).sum())


def main():
    x, y = load("t10k")
    rows = np.random.default_rng(7).choice(len(x), 200, replace=False)
    rows.sort()
    x, y = x[torch.tensor(rows)], y[torch.tensor(rows)]
    cases = []
    for name, hardened, epochs, epsilons in [
        ("plain", False, 4, {"Linf": [0.02, 0.04], "L2": [0.3, 0.6]}),
        ("hardened", True, 6, {"Linf": [0.05, 0.1], "L2": [0.5, 1.0]}),
    ]:
        net = train(hardened, epochs)
        save(net, HERE / f"{name}.safetensors")
        clean = int((net(x).argmax(1) == y).sum())
        for norm, values in epsilons.items():
            for eps in values:
                case = {"network": name, "norm": norm.lower(), "eps": eps, "clean": clean, "left": {}}
                for attack, (make, seeds) in attacks(net, norm, eps).items():
                    counts = []
                    for seed in range(seeds):
                        torch.manual_seed(seed)
                        counts.append(left(net, make(seed), x, y, norm, eps))
                    case["left"][attack] = [min(counts), max(counts)]
                cases.append(case)
                print(json.dumps(case), flush=True)
    versions = {"torch": torch.__version__, "torchattacks": "3.5.1"}
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = f'"versions": {json.dumps(versions)},\n"pictures": {json.dumps(rows.tolist())}'
    (HERE / "torchattacks.json").write_text(f'{{{head},\n"cases": [\n{lines}\n]}}\n')


main()
