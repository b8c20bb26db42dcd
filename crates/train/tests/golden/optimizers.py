"""Writes optimizers.json: five steps of each optimizer on a small network, and the learning rates of each schedule, by
PyTorch 2 in float32.

    pip install torch numpy && python optimizers.py

Two rules are not PyTorch's own:
- Lion is in no release of PyTorch; `Lion` below is algorithm 2 of Chen et al. 2023, in float64.
- torch.optim.Muon runs its Newton-Schulz iteration in bfloat16, which has three decimal digits; the same function is
  run in float32 here. As in Crucible, it steps the matrices, and AdamW with the same learning rate and weight decay
  the biases.
"""

import importlib
import inspect
import json
import pathlib

import numpy as np
import torch
from torch.optim import lr_scheduler

torch.use_deterministic_algorithms(True)
rng = np.random.default_rng(20250118)

BATCH, INPUTS, HIDDEN, CLASSES, STEPS = 8, 6, 5, 3, 5
NAMES = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
SHAPES = [[HIDDEN, INPUTS], [HIDDEN], [CLASSES, HIDDEN], [CLASSES]]

inputs = rng.normal(size=(BATCH, INPUTS)).astype(np.float32)
labels = rng.integers(0, CLASSES, size=BATCH)
initial = [rng.uniform(-0.6, 0.6, size=shape).astype(np.float32) for shape in SHAPES]


def floats(array):
    """Each value as the shortest decimal that reads back as the same float32."""
    return [float(str(value)) for value in array.astype(np.float32).flatten()]


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = beta1 * m + (1 - beta1) * p.grad
                p -= group["lr"] * (torch.sign(c) + group["weight_decay"] * p)
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


class Both:
    """Muon for the matrices, AdamW for the rest."""

    def __init__(self, params, lr, weight_decay, **muon):
        matrices, others = [p for p in params if p.ndim == 2], [p for p in params if p.ndim != 2]
        self.parts = [
            torch.optim.Muon(matrices, lr=lr, weight_decay=weight_decay, **muon),
            torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay),
        ]

    def zero_grad(self):
        [part.zero_grad() for part in self.parts]

    def step(self):
        [part.step() for part in self.parts]


def newton_schulz_in_float32():
    module = importlib.import_module("torch.optim._muon")
    source = inspect.getsource(module._zeropower_via_newtonschulz)
    assert source.count("torch.bfloat16") == 1
    exec(source.replace("torch.bfloat16", "torch.float32"), module.__dict__)


def run(make, dtype=torch.float32, smoothing=0.0, before=lambda params: None, after=lambda params: None):
    """The parameters after each step, and the loss before it."""
    params = [torch.nn.Parameter(torch.tensor(value, dtype=dtype)) for value in initial]
    x, y = torch.tensor(inputs, dtype=dtype), torch.tensor(labels)
    optimizer = make(params)
    losses, steps = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = torch.tanh(torch.nn.functional.linear(x, params[0], params[1]))
        outputs = torch.nn.functional.linear(hidden, params[2], params[3])
        loss = torch.nn.functional.cross_entropy(outputs, y, label_smoothing=smoothing)
        loss.backward()
        before(params)
        optimizer.step()
        with torch.no_grad():
            kept = after(params) or params
        losses.append(loss.item())
        steps.append({name: floats(p.detach().numpy()) for name, p in zip(NAMES, kept)})
    return {"losses": losses, "steps": steps}


def optimizers():
    o = torch.optim
    cases = [
        ({"name": "gradient-descent", "lr": 0.3}, lambda p: o.SGD(p, lr=0.3)),
        ({"name": "gradient-descent", "lr": 0.3, "weight_decay": 0.1}, lambda p: o.SGD(p, lr=0.3, weight_decay=0.1)),
        ({"name": "sgd", "lr": 0.1}, lambda p: o.SGD(p, lr=0.1)),
        ({"name": "sgd", "lr": 0.1, "momentum": 0.9}, lambda p: o.SGD(p, lr=0.1, momentum=0.9)),
        (
            {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
            lambda p: o.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        ),
        ({"name": "sgd", "lr": 0.1, "weight_decay": 0.05}, lambda p: o.SGD(p, lr=0.1, weight_decay=0.05)),
        (
            {"name": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
            lambda p: o.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05),
        ),
        ({"name": "adam", "lr": 0.02}, lambda p: o.Adam(p, lr=0.02)),
        (
            {"name": "adam", "lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.05},
            lambda p: o.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.05),
        ),
        # Betas so small that the running mean falls and the maximum matters within five steps.
        (
            {"name": "adam", "lr": 0.1, "beta1": 0.5, "beta2": 0.3, "amsgrad": True},
            lambda p: o.Adam(p, lr=0.1, betas=(0.5, 0.3), amsgrad=True),
        ),
        ({"name": "adamw", "lr": 0.02}, lambda p: o.AdamW(p, lr=0.02)),
        (
            {"name": "adamw", "lr": 0.1, "beta1": 0.5, "beta2": 0.3, "weight_decay": 0.2, "amsgrad": True},
            lambda p: o.AdamW(p, lr=0.1, betas=(0.5, 0.3), weight_decay=0.2, amsgrad=True),
        ),
        ({"name": "rmsprop", "lr": 0.01}, lambda p: o.RMSprop(p, lr=0.01)),
        (
            {"name": "rmsprop", "lr": 0.01, "alpha": 0.9, "momentum": 0.8, "centered": True, "eps": 1e-3},
            lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.8, centered=True, eps=1e-3),
        ),
        (
            {"name": "rmsprop", "lr": 0.01, "momentum": 0.8, "weight_decay": 0.1},
            lambda p: o.RMSprop(p, lr=0.01, momentum=0.8, weight_decay=0.1),
        ),
        ({"name": "adagrad", "lr": 0.05}, lambda p: o.Adagrad(p, lr=0.05)),
        (
            {"name": "adagrad", "lr": 0.05, "lr_decay": 0.2, "weight_decay": 0.1},
            lambda p: o.Adagrad(p, lr=0.05, lr_decay=0.2, weight_decay=0.1),
        ),
        ({"name": "lion", "lr": 0.01}, lambda p: Lion(p, 0.01, (0.9, 0.99), 0.0)),
        (
            {"name": "lion", "lr": 0.01, "beta1": 0.7, "beta2": 0.8, "weight_decay": 0.3},
            lambda p: Lion(p, 0.01, (0.7, 0.8), 0.3),
        ),
        (
            {"name": "muon", "lr": 0.02, "weight_decay": 0.1, "adjust_lr": "original"},
            lambda p: Both(p, 0.02, 0.1, momentum=0.95, adjust_lr_fn="original"),
        ),
        (
            {"name": "muon", "lr": 0.02, "weight_decay": 0.0, "momentum": 0.5, "nesterov": False},
            lambda p: Both(p, 0.02, 0.0, momentum=0.5, nesterov=False, adjust_lr_fn="match_rms_adamw"),
        ),
        ({"name": "muon", "lr": 0.02}, lambda p: Both(p, 0.02, 0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw")),
    ]
    for config, make in cases:
        dtype = torch.float64 if config["name"] == "lion" else torch.float32
        yield {"optimizer": config, **run(make, dtype)}


def l1(strength):
    """The penalty's gradient for the matrices, by autograd."""

    def add(params):
        penalty = sum(strength * p.abs().sum() for p in params if p.ndim == 2)
        penalty.backward()

    return add


def max_norm(limit):
    def constrain(params):
        for p in params:
            if p.ndim == 2:
                p.copy_(torch.renorm(p, 2, 0, limit))

    return constrain


def average(decay):
    """The moving average, which starts at the initial weights."""
    kept = [torch.tensor(value) for value in initial]

    def blend(params):
        for mean, p in zip(kept, params):
            mean.lerp_(p, 1 - decay)
        return [mean.clone() for mean in kept]

    return blend


def jobs():
    sgd = lambda p: torch.optim.SGD(p, lr=0.3)
    clip = lambda limit: lambda p: torch.nn.utils.clip_grad_norm_(p, limit) and None
    smoothed = {"loss": {"name": "cross-entropy", "label_smoothing": 0.2}}
    cases = [
        ("clip", {"clip_norm": 0.1}, run(sgd, before=clip(0.1))),
        ("clip that never bites", {"clip_norm": 100.0}, run(sgd, before=clip(100.0))),
        ("l1", {"regularization": {"l1": 0.02}}, run(sgd, before=l1(0.02))),
        (
            "l1 before clip",
            {"regularization": {"l1": 0.02}, "clip_norm": 0.1},
            run(sgd, before=lambda p: (l1(0.02)(p), clip(0.1)(p))),
        ),
        ("max-norm", {"regularization": {"max_norm": 0.8}}, run(sgd, after=max_norm(0.8))),
        ("ema", {"ema": 0.7}, run(sgd, after=average(0.7))),
        ("label smoothing", smoothed, run(sgd, smoothing=0.2)),
    ]
    for name, config, result in cases:
        yield {"name": name, "train": config, **result}


def schedules():
    """Factors of a learning rate of 1, at each step or after each epoch."""

    def factors(make, count, feed=lambda i: ()):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = make(optimizer)
        found = []
        for i in range(count):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step(*feed(i))
        return found

    s = lr_scheduler
    yield {"schedule": {"name": "step", "every": 3, "factor": 0.5}, "by": "epoch",
           "factors": factors(lambda o: s.StepLR(o, 3, 0.5), 11)}
    yield {"schedule": {"name": "exponential", "factor": 0.9}, "by": "epoch",
           "factors": factors(lambda o: s.ExponentialLR(o, 0.9), 11)}
    for least, steps in [(0.0, 20), (0.1, 7)]:
        yield {"schedule": {"name": "cosine", "min_factor": least}, "by": "step", "steps": steps,
               "factors": factors(lambda o: s.CosineAnnealingLR(o, steps, eta_min=least), steps)}
    for rise, start, end, steps in [(0.3, 25.0, 1e4, 20), (0.25, 10.0, 100.0, 37), (0.3, 25.0, 1e4, 3)]:
        def make(o):
            return s.OneCycleLR(o, 1.0, total_steps=steps, pct_start=rise, div_factor=start,
                                final_div_factor=end, cycle_momentum=False)
        # The schedule refuses to go beyond its last step.
        found = factors(make, steps - 1)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = make(optimizer)
        for _ in range(steps - 1):
            optimizer.step()
            schedule.step()
        config = {"name": "one-cycle", "rise": rise, "start_divisor": start, "end_divisor": end}
        yield {"schedule": config, "by": "step", "steps": steps,
               "factors": found + [optimizer.param_groups[0]["lr"]]}
    losses = [1.0, 0.9, 0.895, 0.893, 0.892, 0.7, 0.71, 0.72, 0.73, 0.74, 0.6999, 0.69, 0.75, 0.8, 0.85, 0.9, 0.3, 0.3]
    for patience, threshold in [(2, 0.01), (0, 0.01), (1, 0.0)]:
        def make(o):
            return s.ReduceLROnPlateau(o, factor=0.5, patience=patience, threshold=threshold)
        config = {"name": "plateau", "factor": 0.5, "patience": patience, "threshold": threshold}
        yield {"schedule": config, "by": "loss", "losses": losses,
               "factors": factors(make, len(losses) + 1, lambda i: (losses[min(i, len(losses) - 1)],))}


newton_schulz_in_float32()
golden = {
    "torch": torch.__version__.split("+")[0],
    "inputs": floats(inputs),
    "labels": labels.tolist(),
    "shapes": dict(zip(NAMES, SHAPES)),
    "initial": {name: floats(value) for name, value in zip(NAMES, initial)},
    "optimizers": list(optimizers()),
    "jobs": list(jobs()),
    "schedules": list(schedules()),
}
text = json.dumps(golden, separators=(",", ":"))
# One case a line.
for key in ("optimizer", "name", "schedule"):
    text = text.replace('},{"%s":' % key, '},\n{"%s":' % key)
pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")
