#!/usr/bin/env python3
"""A run's answers in floats and in integers, here and by ONNX Runtime on the same networks.

    python3 benches/int8.py RUN [--batch 64] [--rounds 3] [--threads 2] [--crucible target/release/crucible]

Each round times `crucible compress RUN --int8` (which answers in turns before and after) and ONNX Runtime on the exports of
both runs, one after another, each in a process of its own. Prints the medians of the rounds, in milliseconds. Needs numpy,
onnx and onnxruntime.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def peer(file, batch, threads):
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    features = session.get_inputs()[0].shape[1]
    inputs = np.random.default_rng(1).standard_normal((batch, features)).astype(np.float32)
    times = []
    for _ in range(45):
        start = time.perf_counter()
        session.run(None, {"input": inputs})
        times.append(time.perf_counter() - start)
    print(statistics.median(times[15:]) * 1e3)


def main():
    if sys.argv[1] == "--peer":
        return peer(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    run = lambda *words: subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = {name: [] for name in ("float", "int8", "float, ONNX Runtime", "int8, ONNX Runtime")}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(a.rounds):
            small = os.path.join(folder, str(number))
            said = json.loads(run(a.crucible, "compress", a.run, "--int8", "--batch", str(a.batch), "--out", small, "--json"))
            found["float"].append(said["ms_before"])
            found["int8"].append(said["ms"])
            for name, source in (("float, ONNX Runtime", a.run), ("int8, ONNX Runtime", small)):
                file = os.path.join(folder, "net.onnx")
                run(a.crucible, "export", source, "--onnx", file)
                found[name].append(float(run(sys.executable, os.path.abspath(__file__), "--peer", file, str(a.batch), str(a.threads))))
    print(json.dumps({"run": a.run, "batch": a.batch} | {name: round(statistics.median(ms), 4) for name, ms in found.items()}))


main()
