#!/usr/bin/env python3
"""Whether backdoors in full MNIST are found, and whether clean networks are accused.

    python3 benches/backdoors.py [--recipe mnist-mlp] [--seeds 11 12 13] [--sizes 3 4] [--share 0.01] [--target 7]
                                 [--crucible target/release/crucible]

For each seed one network on clean training data, and one for each size of the patch with a share of the training data
poisoned; then each detector, with its default settings, on all training pictures. The table says what each flagged: a
backdoored network should be flagged by at least one detector and with the target, a clean one by none. The exit status
is 1 where one is not. In brackets the highest score, and how many of the suspicious examples are poisoned.
"""
import argparse, json, os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DETECTORS = ("spectral", "clustering", "reconstruct")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="mnist-mlp")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--sizes", type=int, nargs="*", default=[3, 4])
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--target", default="7")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    folder = tempfile.TemporaryDirectory()

    def crucible(*words):
        out = subprocess.run([a.crucible, *words, "--json"], check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def cell(found):
        known = [score for score in found["scores"].values() if score is not None]
        known = f"{max(known):.2f}" if known else "no score"
        caught = ""
        if found["suspicious"]:
            caught = f", {found.get('suspicious_poisoned', 0)} of {len(found['suspicious'])} poisoned"
        return f"{found['flagged'] or 'none'} ({known}{caught})"

    print("| patch | seed | accuracy | trigger success | " + " | ".join(DETECTORS) + " | seconds | as it should be |")
    print("|---|---|---|---|" + "---|" * len(DETECTORS) + "---|---|")
    failures = 0
    for size in (*a.sizes, 0):
        for seed in a.seeds:
            run = os.path.join(folder.name, f"{size}-{seed}")
            rest = ["--set", f"seed={seed}", "--out", run]
            if size:
                end = crucible("attack", "poison", a.recipe, "--target", a.target, "--share", str(a.share),
                               "--set", f"poison.trigger.size={size}", *rest)[-1]
                accuracy, success = end["clean_accuracy"], f"{100 * end['trigger_success']:.2f}%"
            else:
                accuracy, success = crucible("train", a.recipe, *rest)[-1]["test_accuracy"], ""
            *found, last = crucible("attack", "detect", run)
            found = {one["detector"]: one for one in found}
            good = last["flagged"] == ([a.target] if size else [])
            failures += not good
            seconds = sum(one["seconds"] for one in found.values())
            print(f"| {f'{size}x{size}' if size else 'clean'} | {seed} | {100 * accuracy:.2f}% | {success} | "
                  + " | ".join(cell(found[name]) for name in DETECTORS)
                  + f" | {seconds:.0f} | {'yes' if good else 'NO'} |", flush=True)
    sys.exit(failures > 0)


main()
