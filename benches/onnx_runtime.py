#!/usr/bin/env python3
"""ONNX's own checker and ONNX Runtime read exported networks: do they give what Crucible gives?

    cargo build --workspace --example export      # or --release
    python3 benches/onnx_runtime.py [debug|release]

For each architecture, networks of random weights, each in three ways, at batches of 1, 3 and 64:

- f32: the largest difference of an output, relative to max(1, |output|), which must stay below 1e-4.
- int4: weights of four bits in groups of 32. The same bound, with `session.qdq_matmulnbits_accuracy_level` 1; beside it
  the difference at the runtime's own level, where it rounds the layers' inputs to eight bits.
- int8: values and weights of eight bits, over the range of the values. A value between two integers falls to either
  side, so the difference is in steps of the output, of which it must stay below six.

`fused` are the operators that the runtime makes of a graph.

The exit status is 1 where a bound is passed or a file is not valid. Needs numpy, onnx and onnxruntime.
"""
import collections, json, os, subprocess, sys, tempfile

import numpy as np
import onnx
import onnxruntime

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PICTURE = {"kind": "image", "channels": 1, "height": 28, "width": 28}
COLOUR = {"kind": "image", "channels": 3, "height": 33, "width": 30}
ROW = {"kind": "features", "count": 20}
ACTIVATIONS = ["relu", "leaky-relu", "gelu", "silu", "sigmoid", "tanh"]
CONV = [{"channels": 8, "kernel": 3, "padding": 1, "pool": 2}, {"channels": 12, "kernel": 4, "stride": 2}]
NETWORKS = [
    *[({"name": "mlp", "activation": a}, PICTURE) for a in ACTIVATIONS],
    ({"name": "mlp", "batch_norm": True}, ROW),
    ({"name": "mlp", "batch_norm": True, "activation": "silu"}, ROW),
    ({"name": "lenet5"}, PICTURE),
    ({"name": "lenet5", "activation": "relu"}, COLOUR),
    ({"name": "cnn"}, PICTURE),
    ({"name": "convnet"}, PICTURE),
    *[({"name": "convnet", "conv": CONV, "activation": a}, COLOUR) for a in ACTIVATIONS],
    ({"name": "transformer", "layers": 2}, PICTURE),
    ({"name": "transformer", "layers": 2, "norm_first": False, "activation": "relu"}, PICTURE),
    ({"name": "transformer", "width": 32, "layers": 1}, {"kind": "sequence", "length": 9, "width": 32}),
]
BATCHES = [1, 3, 64]


def session(path, level=None, optimized=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if level is not None:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", str(level))
    if optimized:
        options.optimized_model_filepath = optimized
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def difference(run, inputs, expected, relative=True):
    """The largest over all batches."""
    worst = 0.0
    for batch in BATCHES:
        (given,) = run.run(["output"], {"input": inputs[:batch]})
        assert given.shape == expected[:batch].shape, (given.shape, expected.shape)
        apart = np.abs(given - expected[:batch])
        if relative:
            apart /= np.maximum(1, np.abs(expected[:batch]))
        worst = max(worst, float(apart.max()))
    return worst


def check(program, architecture, shape, quantize):
    settings = {"architecture": architecture, "input": shape, "outputs": 10, "seed": 1, "quantize": quantize}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, json.dumps(settings), folder], check=True)
        path, optimized = os.path.join(folder, "model.onnx"), os.path.join(folder, "optimized.onnx")
        inputs, expected = (np.load(os.path.join(folder, f"{name}.npy")) for name in ("input", "output"))
        onnx.checker.check_model(path, full_check=True)
        result = {"network": architecture, "quantize": quantize, "bytes": os.path.getsize(path)}
        run = session(path, 1, optimized)
        if quantize == "int8":
            apart = difference(run, inputs, expected, relative=False)
            result["steps"] = round(apart / step_of_output(onnx.load(path).graph), 2)
            good = result["steps"] < 6
        else:
            result["difference"] = difference(run, inputs, expected)
            good = result["difference"] < 1e-4
        if quantize == "int4":
            result["at_own_level"] = difference(session(path), inputs, expected)
        if quantize:
            found = collections.Counter(node.op_type for node in onnx.load(optimized).graph.node)
            result["fused"] = dict(sorted(found.items()))
        print(json.dumps(result), flush=True)
        return good


def step_of_output(graph):
    """The scale that the output is held by."""
    makers = {node.output[0]: node for node in graph.node}
    last = makers["output"]
    while last.op_type != "DequantizeLinear":
        last = makers[last.input[0]]
    return float(onnx.numpy_helper.to_array(next(t for t in graph.initializer if t.name == last.input[1])))


profile = sys.argv[1] if len(sys.argv) > 1 else "debug"
target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
program = os.path.join(target, profile, "examples", "export")
good = [check(program, *network, way) for network in NETWORKS for way in (None, "int4", "int8")]
print(f"{sum(good)} of {len(good)} files are right")
sys.exit(not all(good))
