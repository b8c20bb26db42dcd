#!/usr/bin/env python3
"""Adapters of low rank between Crucible and Hugging Face's peft, both ways: how far the answers differ.

    python3 benches/adapters.py MODEL TEXTS.csv[.gz] [--rows 400] [--crucible target/release/crucible]

MODEL is an encoder's folder such as all-MiniLM-L6-v2; TEXTS has the columns `text` and `label`. Crucible trains LoRA, rsLoRA and
DoRA on some rows; peft loads each run's adapter, and its probabilities of new texts, with the adapter apart and merged, are held
against those of `crucible predict`. Then peft makes adapters with random weights, for a classifier and for the encoder alone,
Crucible merges them into the encoder's folder, and transformers' answers from there (and the vectors of `crucible embed`) are held
against peft's. Needs torch, transformers and peft.
"""
import argparse, csv, gzip, json, os, random, subprocess, tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_TOKENS = 128
WAYS = {
    "LoRA": "rank = 8\nalpha = 16",
    "rsLoRA, all linear": 'rank = 4\nrslora = true\ntargets = ["all-linear"]',
    "DoRA": 'rank = 4\ndora = true\ntargets = ["query", "value", "linear1"]',
}


def rows(path, count):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf-8") as file:
        all_rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    random.Random(0).shuffle(all_rows)
    return all_rows[:count]


def answers(model, tokenizer, texts):
    model.eval()
    found = []
    with torch.inference_mode():
        for first in range(0, len(texts), 32):
            inputs = tokenizer(texts[first:first + 32], truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt")
            output = model(**inputs)
            if "logits" in output:
                found.append(output.logits)
            else:
                mask = inputs["attention_mask"].unsqueeze(-1).float()
                mean = (output.last_hidden_state * mask).sum(1) / mask.sum(1)
                found.append(torch.nn.functional.normalize(mean, dim=1))
    return torch.cat(found)


def farthest(a, b):
    return (a - b).abs().max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model"), parser.add_argument("texts")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target/release/crucible"))
    a = parser.parse_args()
    data, tokenizer = rows(a.texts, a.rows), AutoTokenizer.from_pretrained(a.model)
    new = [text for text, _ in rows(a.texts, a.rows + 200)[a.rows:]]

    def crucible(*words):
        return subprocess.run([a.crucible, *words], check=True, capture_output=True, text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        def path(name):
            return os.path.join(folder, name)

        def table(name, header, lines):
            with open(path(name), "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *lines])

        table("data.csv", ["text", "label"], data)
        table("new.csv", ["text"], [[text] for text in new])
        for i, (name, settings) in enumerate(WAYS.items()):
            with open(path("job.toml"), "w", encoding="utf-8") as file:
                file.write(f"""
[data]
source = "texts"
path = "data.csv"
max_tokens = {MAX_TOKENS}
[transfer]
from = {json.dumps(os.path.abspath(a.model))}
mode = "lora"
{settings}
[train]
epochs = 2
batch_size = 16
loss = "cross-entropy"
optimizer = {{ name = "adamw", lr = 1e-3 }}
""")
            run = path(f"run-{i}")
            crucible("train", path("job.toml"), "--out", run, "--quiet")
            lines = crucible("predict", run, path("new.csv"), "--json").splitlines()
            ours = torch.tensor([json.loads(line)["probabilities"] for line in lines])
            base = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=ours.shape[1])
            apart = PeftModel.from_pretrained(base, os.path.join(run, "adapter"))
            before = farthest(answers(apart, tokenizer, new).softmax(1), ours)
            after = farthest(answers(apart.merge_and_unload(), tokenizer, new).softmax(1), ours)
            print(f"{name}: ours in peft, apart {before:.1e}, merged {after:.1e}")

        for name, kind, task, more in [
            ("a classifier's", AutoModelForSequenceClassification, {"task_type": "SEQ_CLS"}, {"num_labels": 3}),
            ("an encoder's", AutoModel, {}, {}),
        ]:
            torch.manual_seed(1)
            model = get_peft_model(kind.from_pretrained(a.model, **more), LoraConfig(
                r=8, lora_alpha=16, target_modules=["query", "value", "dense"], **task))
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data += 0.02 * torch.randn_like(parameter)
            adapter, merged = path(f"adapter-{name[:4]}"), path(f"merged-{name[:4]}")
            model.save_pretrained(adapter)
            theirs = answers(model, tokenizer, new)
            crucible("transfer", "merge", a.model, adapter, "--out", merged)
            loaded = farthest(answers(kind.from_pretrained(merged), tokenizer, new), theirs)
            line = f"{name} of peft: merged by Crucible, in transformers {loaded:.1e}"
            if not task:
                from safetensors.torch import load_file

                out = path("vectors.safetensors")
                crucible("embed", merged, path("new.csv"), "--max-tokens", str(MAX_TOKENS), "--out", out)
                line += f", in Crucible {farthest(load_file(out)['embeddings'], theirs):.1e}"
            print(line)


main()
