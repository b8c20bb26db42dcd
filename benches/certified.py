#!/usr/bin/env python3
"""Attacks on the pictures that certificates call certain, one by one: each that is broken is a wrong certificate.

    python3 benches/certified.py RUN [--count 500] [--eps 0.3] [--attacks pgd,auto] [--crucible FILE]

Asks for every certificate within L∞, then runs every attack that takes L∞ (or those named). Prints an object for each
certificate and one for each attack; exit status 1 where something certain is broken.
"""
import argparse, json, os, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--eps", type=float, default=0.3)
    parser.add_argument("--attacks", type=lambda names: names.split(","))
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()

    def objects(*words):
        out = subprocess.run([a.crucible, *words, "--json"], check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def each(verb, method, key):
        common = [a.run, "--method", method, "--eps", str(a.eps), "--count", str(a.count), "--each"]
        found = objects(verb, *common)
        rows = [row for row in found if "index" in row]
        assert [row["index"] for row in rows] == list(range(found[-1]["count"]))
        return [row[key] for row in rows]

    certain = {}
    for certificate in objects("certify", "--list"):
        if certificate["norm"] == "L∞":
            name = certificate["name"]
            certain[name] = each("certify", name, "certified")
            print(json.dumps({"certificate": name, "eps": a.eps, "certain": sum(certain[name]),
                              "of": len(certain[name])}), flush=True)
    names = [attack["name"] for attack in objects("attack", "--list") if "L∞" in attack["norms"]]
    wrong = 0
    for name in a.attacks or names:
        fooled = each("attack", name, "fooled")
        broken = {certificate: [index for index, (sure, lost) in enumerate(zip(verdicts, fooled)) if sure and lost]
                  for certificate, verdicts in certain.items()}
        wrong += sum(map(len, broken.values()))
        print(json.dumps({"attack": name, "fooled": sum(fooled), "broken": broken}), flush=True)
    sys.exit(wrong > 0)


main()
