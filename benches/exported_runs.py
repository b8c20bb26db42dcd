#!/usr/bin/env python3
"""Runs on MNIST and what ONNX Runtime makes of their exports: the same class for each of the 10,000 test pictures?

    python3 benches/exported_runs.py RUN... [--crucible target/release/crucible]

Each run is exported as it is and compressed by `--int8` and `--int4`. Prints the share of equal classes, the largest
difference of a probability, and both accuracies. The exit status is 1 where probabilities of floats differ by more than
1e-4, or another class is given to more than one picture in a thousand. Needs numpy, onnx
and onnxruntime.
"""
import argparse, gzip, json, os, subprocess, sys, tempfile

import numpy as np
import onnx
import onnxruntime

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MNIST = os.path.join(ROOT, "data", "mnist")


def idx(name, header):
    with gzip.open(os.path.join(MNIST, name)) as file:
        return np.frombuffer(file.read()[header:], dtype=np.uint8)


def answers(file, inputs):
    onnx.checker.check_model(file, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": part})[0] for part in np.split(inputs, 20)])


def probabilities(crucible, run):
    pictures = os.path.join(MNIST, "t10k-images-idx3-ubyte.gz")
    lines = subprocess.run([crucible, "predict", run, pictures, "--json"], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    return np.array([row["probabilities"] for row in rows if "probabilities" in row])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    pixels, labels = idx("t10k-images-idx3-ubyte.gz", 16).reshape(10000, 784), idx("t10k-labels-idx1-ubyte.gz", 8)
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        for run in a.runs:
            with open(os.path.join(run, "config.json")) as file:
                scaling = json.load(file)["format"]["input"]
            inputs = ((pixels / np.float32(255) - np.float32(scaling["mean"][0])) / np.float32(scaling["std"][0])).astype(np.float32)
            for kind in ("float", "int8", "int4"):
                source, file = run, os.path.join(folder, "net.onnx")
                if kind != "float":
                    source = os.path.join(folder, f"{os.path.basename(run)}-{kind}")
                    subprocess.run([a.crucible, "compress", run, f"--{kind}", "--out", source, "--quiet"], check=True)
                subprocess.run([a.crucible, "export", source, "--onnx", file, "--quiet"], check=True)
                theirs, ours = answers(file, inputs), probabilities(a.crucible, source)
                softmax = np.exp(theirs - theirs.max(1, keepdims=True))
                softmax /= softmax.sum(1, keepdims=True)
                equal = float((theirs.argmax(1) == ours.argmax(1)).mean())
                off = float(np.abs(softmax - ours).max())
                bad |= equal < 0.999 or (kind == "float" and off > 1e-4)
                accuracy = [float((x.argmax(1) == labels).mean()) for x in (ours, theirs)]
                print(json.dumps({"run": os.path.basename(run), "kind": kind, "equal": equal, "largest_difference": off,
                                  "accuracy": accuracy[0], "onnx_runtime_accuracy": accuracy[1]}), flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
