#!/usr/bin/env python3
"""A small network that learns from a large one's answers, beside the same network trained alone, on MNIST.

    python3 benches/distillation.py [--hidden 13] [--seeds 1,2,3] [--temperature 4] [--weight 0.9] [--runs FOLDER]
                                    [--teacher RUN] [--split test] [--set KEY=VALUE]… [--crucible FILE]

The teacher is the default network (109,386 parameters) unless `--teacher` names a run. Both students have the default
job's epochs, rate and batches, and a seed's two students begin with the same weights and see the same batches; `--set`
changes all three networks. Prints an object for each network with its interval over examples, and one for the differences
with Student's 95% interval over seeds.

Temperature and weight are to be chosen on other examples than the test split's:

    --split validation --set data.validation=0.1 --set data.normalize=fixed --set data.mean=0.1307 --set data.std=0.3081
"""
import argparse, json, math, os, statistics, subprocess, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Student's t at 97.5%, by degrees of freedom.
T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]


def interval(values):
    if len(values) < 2:
        return None
    half = T[min(len(values) - 2, len(T) - 1)] * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.mean(values) - half, statistics.mean(values) + half]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", default="13", help="widths of the student's hidden layers, such as 13 or 32,16")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--weight", type=float, default=0.9)
    parser.add_argument("--teacher")
    parser.add_argument("--runs", help="keep the runs here, and use those that are there [default: a temporary folder]")
    parser.add_argument("--split", default="test")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    runs = os.path.abspath(a.runs or tempfile.mkdtemp())

    def measured(name, *settings):
        """The run of that name, trained where it is not there yet."""
        run = os.path.join(runs, name)
        if not os.path.exists(os.path.join(run, "model.safetensors")):
            words = [word for setting in settings for word in ("--set", setting)]
            subprocess.run([a.crucible, "train", "mnist-mlp", "--out", run, "--quiet", *words], check=True)
        def said(*words):
            return json.loads(subprocess.run([a.crucible, *words, "--json"], check=True, capture_output=True).stdout)
        found = said("eval", run, "--split", a.split)
        return run, {"accuracy": found["accuracy"], "interval": found["accuracy_interval"], "loss": found["loss"],
                     "parameters": said("model", "summary", run)["parameters"]}

    teacher, found = measured(os.path.abspath(a.teacher) if a.teacher else "teacher", *a.set)
    print(json.dumps({"teacher": teacher, **found}), flush=True)
    pairs = []
    for seed in a.seeds.split(","):
        common = [f"model.hidden=[{a.hidden}]", f"seed={seed}", *a.set]
        names = [f"alone-{a.hidden}-{seed}", f"taught-{a.hidden}-T{a.temperature:g}-w{a.weight:g}-{seed}"]
        taught = [f"distill.teacher={teacher}", f"distill.temperature={a.temperature}", f"distill.weight={a.weight}"]
        pair = [measured(names[0], *common)[1], measured(names[1], *common, *taught)[1]]
        for student, found in zip(("alone", "taught"), pair):
            print(json.dumps({"seed": int(seed), "student": student, **found}), flush=True)
        pairs.append([found["accuracy"] for found in pair])
    alone, taught = zip(*pairs)
    differences = [taught - alone for alone, taught in pairs]
    sides = {"alone": alone, "taught": taught, "difference": differences}
    print(json.dumps({"temperature": a.temperature, "weight": a.weight, "seeds": len(pairs), **{
        name: {"mean": statistics.mean(values), "interval": interval(values)} for name, values in sides.items()}}))


main()
