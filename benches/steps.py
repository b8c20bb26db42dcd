#!/usr/bin/env python3
"""One optimizer step of three networks against the same step in PyTorch, and a forward pass against ONNX Runtime.

    python3 benches/steps.py [--rounds 5] [--crucible target/release/crucible] [--threads 2] [--compile]
    python3 benches/steps.py --growth growth.svg       # time per sample for growing batches and sequences

Each round runs ours, the peer, and ours of Burn's own operations (`--plain`), one after another, each a process of its
own; the table has the medians over the rounds of each run's median step, the ratio of these, and the median of the
ratios of each round. Networks (inputs random normal, labels random):

    mlp          784-128-64-10, ReLU, SGD lr 1e-3 momentum 0.9
    cnn          conv3x3(1,32)-ReLU-conv3x3(32,64)-ReLU-maxpool2-fc(9216,128)-ReLU-fc(128,10), 28x28, SGD as above
    transformer  4 post-norm encoder layers, width 128, 4 heads, feedforward 512, GELU, 128 tokens, mean, fc(128,10), Adam

Memory is the largest resident size of the process, less that of one that only starts (for PyTorch: imports torch).
Needs torch and numpy; onnx and onnxruntime for the forward pass, matplotlib for --growth.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS = [("mlp", 64, 0.45), ("mlp", 1024, 0.75), ("cnn", 64, 0.65), ("transformer", 16, 0.65)]


def peer(task, batch, tokens, steps, compiled, forward, threads):
    import torch
    import torch.nn as nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if task == "nothing":
        return
    if task == "mlp":
        net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
        x = torch.randn(batch, 784)
    elif task == "cnn":
        net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                            nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))
        x = torch.randn(batch, 1, 28, 28)
    else:
        class Transformer(nn.Module):
            def __init__(self):
                super().__init__()
                layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, activation="gelu", batch_first=True)
                self.enc = nn.TransformerEncoder(layer, 4)
                self.head = nn.Linear(128, 10)

            def forward(self, x):
                return self.head(self.enc(x).mean(1))

        net = Transformer()
        x = torch.randn(batch, tokens, 128)
    y = torch.randint(0, 10, (batch,))
    if forward:
        import onnxruntime as ort

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.onnx")
            torch.onnx.export(net.eval(), (x,), path, input_names=["x"], dynamo=False)
            options = ort.SessionOptions()
            options.intra_op_num_threads = threads
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {"x": x.numpy()}
        step = lambda: session.run(None, feed)
    else:
        adam = task == "transformer"
        opt = torch.optim.Adam(net.parameters(), lr=1e-3) if adam else \
            torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
        crit = nn.CrossEntropyLoss()
        run = torch.compile(net) if compiled else net

        def step():
            opt.zero_grad()
            loss = crit(run(x), y)
            loss.backward()
            opt.step()
            return loss.item()

    times = []
    for _ in range(steps + 5):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"ms": statistics.median(times[5:]) * 1e3}))


def child(command):
    """What a process prints last, as JSON, and its largest resident size in MB."""
    with tempfile.TemporaryFile("w+") as out, open(os.devnull, "w") as quiet:
        process = subprocess.Popen(command, stdout=out, stderr=quiet)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"failed: {' '.join(command)}")
        out.seek(0)
        lines = out.read().splitlines()
    return (json.loads(lines[-1]) if lines else {}), usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile the peer")
    parser.add_argument("--growth", metavar="FILE", help="draw how the time per sample grows, and stop")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--tokens", type=int, default=128, help=argparse.SUPPRESS)
    parser.add_argument("--forward", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer, a.batch, a.tokens, a.steps, a.compile, a.forward, a.threads)

    def ours(task, batch, *more, tokens=128, steps=None):
        return child([a.crucible, "bench", "step", "--task", task, "--batch", str(batch), "--tokens", str(tokens),
                      "--threads", str(a.threads), "--steps", str(steps or a.steps), "--json", *more])

    def theirs(task, batch, *more, tokens=128, steps=None):
        return child([sys.executable, __file__, "--peer", task, "--batch", str(batch), "--tokens", str(tokens),
                      "--threads", str(a.threads), "--steps", str(steps or a.steps), *more])

    if a.growth:
        return growth(a.growth, ours, theirs)
    bare = [start(a.crucible), theirs("nothing", 0)[1]]
    print("| task | Burn ms | PyTorch ms | ours ms | ours / PyTorch | of each round | at most | share of a GEMM "
          "| memory beyond the start, ours / PyTorch (MB) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for task, batch, limit in ROWS + [("cnn", 64, 1.3)]:
        forward = (task, batch, limit) not in ROWS
        more = ["--forward"] if forward else []
        rounds = []
        for _ in range(a.rounds):
            mine = ours(task, batch, *more)
            peers = theirs(task, batch, *more, *(["--compile"] if a.compile and not forward else []))
            rounds.append((mine, peers, ours(task, batch, *more, "--plain")))
        middle = statistics.median
        mine, other, plain = (middle(r[i][0]["ms"] for r in rounds) for i in range(3))
        pairs = middle(r[0][0]["ms"] / r[1][0]["ms"] for r in rounds)
        share = middle(r[0][0]["gemm_share"] for r in rounds)
        memory = [middle(r[i][1] for r in rounds) - bare[i] for i in range(2)]
        name = f"{task}, batch {batch}" + (", forward (ONNX Runtime)" if forward else "")
        print(f"| {name} | {plain:.2f} | {other:.2f} | {mine:.2f} | {mine / other:.2f} | {pairs:.2f} | {limit} "
              f"| {100 * share:.0f}% | {memory[0]:.0f} / {memory[1]:.0f} |", flush=True)


def start(binary):
    process = subprocess.Popen([binary, "--version"], stdout=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss / 1024


def growth(path, ours, theirs):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plot

    figure, (left, right) = plot.subplots(1, 2, figsize=(11, 4))
    for task, largest in (("mlp", 1024), ("cnn", 1024), ("transformer", 256)):
        batches = [2 ** i for i in range(11) if 2 ** i <= largest]
        for name, run, style in (("ours", ours, "o-"), ("PyTorch", theirs, "x--")):
            times = [run(task, batch, steps=5)[0]["ms"] / batch for batch in batches]
            left.plot(batches, times, style, label=f"{task}, {name}")
            print(json.dumps({"task": task, "who": name, "batch": batches, "ms_per_sample": times}), flush=True)
    lengths = [2 ** i for i in range(6, 12)]
    for name, run, style in (("ours", ours, "o-"), ("PyTorch", theirs, "x--")):
        runs = [run("transformer", 1, tokens=length, steps=5) for length in lengths]
        right.plot(lengths, [r[0]["ms"] for r in runs], style, label=f"{name}, ms")
        right.plot(lengths, [r[1] for r in runs], style, alpha=0.4, label=f"{name}, peak memory in MB")
        print(json.dumps({"who": name, "tokens": lengths, "ms": [r[0]["ms"] for r in runs],
                          "peak_mb": [round(r[1], 1) for r in runs]}), flush=True)
    for axes, x, y in ((left, "batch", "ms per sample"), (right, "tokens (transformer, batch 1)", "")):
        axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)


main()
