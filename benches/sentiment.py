#!/usr/bin/env python3
"""Fine-tuning an encoder on texts beside Hugging Face's transformers (and peft): accuracy and seconds of the same job.

    python3 benches/sentiment.py MODEL TEXTS.csv[.gz] [--modes probe,full] [--seeds 1,2,3] [--epochs 2] [--limit N]
                                 [--threads 2] [--crucible target/release/crucible]

MODEL is a folder with config.json, model.safetensors and tokenizer.json, such as all-MiniLM-L6-v2; TEXTS has the columns
`text` and `label`. One split for all, 80/20 by class, is written as a file with a column `split`. Both sides: the first
token's vector, pooler, dropout, a fresh last layer; texts cut to 128 tokens and grouped by length; AdamW over all
parameters with weight decay 0.01, a linear rise over a tenth of the steps and a linear fall, gradients clipped to norm 1.
Crucible has no dropout of attention weights, so that transformers' is turned off here too (--attention-dropout gives it
its own). `probe` trains the last layer alone on features that are computed once, `lora` matrices of rank 8 (alpha 16, no
dropout) beside query and value, with peft on the other side. Needs torch and transformers, for lora also peft.
"""
import argparse, csv, gzip, json, os, random, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_TOKENS, BATCH, DECAY, RISE, CLIP = 128, 32, 0.01, 0.1, 1.0
RATES = {"probe": 1e-2, "full": 2e-5, "lora": 5e-4}


def split_rows(path, limit):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf-8") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    rng = random.Random(0)
    rng.shuffle(rows)
    rows, seen, out = rows[:limit or None], {}, []
    for text, label in rows:
        seen[label] = seen.get(label, -1) + 1
        out.append((text, label, "test" if seen[label] % 5 == 4 else "train"))
    return out


def write_job(folder, a, mode, table):
    """A recipe, and the file that it reads."""
    way = {"lora": f'mode = "lora"\n{a.lora}'}.get(mode, f'mode = "{mode}"')
    text = f"""
[data]
source = "texts"
path = {json.dumps(table)}
split_column = "split"
max_tokens = {MAX_TOKENS}
[transfer]
from = {json.dumps(os.path.abspath(a.model))}
{way}
[train]
epochs = {a.epochs[mode]}
batch_size = {BATCH}
clip_norm = {CLIP}
loss = "cross-entropy"
optimizer = {{ name = "adamw", lr = {RATES[mode]}, weight_decay = {DECAY} }}
schedule = {{ name = "linear", rise = {RISE} }}
"""
    path = os.path.join(folder, f"{mode}.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def ours(a, mode, seed, folder, table):
    job = write_job(folder, a, mode, table)
    out = os.path.join(folder, f"{mode}-{seed}")
    start = time.perf_counter()
    done = subprocess.run([a.crucible, "train", job, "--set", f"seed={seed}", "--out", out, "--json"], check=True,
                          capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": str(a.threads)})
    last = json.loads(done.stdout.splitlines()[-1])
    return last["test_accuracy"], time.perf_counter() - start


def theirs(a, mode, seed, rows):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

    torch.set_num_threads(a.threads)
    torch.manual_seed(seed)
    start = time.perf_counter()
    classes = sorted({label for _, label, _ in rows})
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    more = {} if a.attention_dropout else {"attention_probs_dropout_prob": 0.0}
    model = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=len(classes), **more)
    if mode == "lora":
        from peft import LoraConfig, TaskType, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, lora_dropout=0.0,
                                                 target_modules=["query", "value"]))
    part = {name: [(text, label) for text, label, split in rows if split == name] for name in ("train", "test")}
    ids = {name: tokenizer([text for text, _ in part[name]], truncation=True, max_length=MAX_TOKENS)["input_ids"] for name in part}
    labels = {name: torch.tensor([classes.index(label) for _, label in part[name]]) for name in part}

    def batches(name, order):
        for first in range(0, len(order), BATCH):
            chosen = order[first:first + BATCH]
            yield chosen, tokenizer.pad({"input_ids": [ids[name][i] for i in chosen]}, return_tensors="pt")

    def features(name):
        """What the last layer reads, in evaluation."""
        order, found = sorted(range(len(ids[name])), key=lambda i: -len(ids[name][i])), None
        model.eval()
        with torch.inference_mode():
            for chosen, inputs in batches(name, order):
                pooled = model.bert(**inputs).pooler_output
                found = torch.empty(len(order), pooled.shape[1]) if found is None else found
                found[chosen] = pooled
        return found.clone()

    def epoch_order(rng):
        order = list(range(len(ids["train"])))
        rng.shuffle(order)
        run = BATCH * max(1, min(50, len(order) // (BATCH * 4)))
        runs = [sorted(order[i:i + run], key=lambda i: -len(ids["train"][i])) for i in range(0, len(order), run)]
        return [i for part in runs for i in part]

    probing = mode == "probe"
    if probing:
        known = {name: features(name) for name in part}
        for p in model.parameters():
            p.requires_grad_(False)
        for p in model.classifier.parameters():
            p.requires_grad_(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATES[mode], weight_decay=DECAY)
    steps = a.epochs[mode] * -(-len(ids["train"]) // BATCH)
    schedule = get_linear_schedule_with_warmup(optimizer, -int(-RISE * steps // 1), steps)
    rng = random.Random(seed)
    for _ in range(a.epochs[mode]):
        model.train()
        if probing:
            order = torch.randperm(len(ids["train"])).tolist()
            parts = [order[i:i + BATCH] for i in range(0, len(order), BATCH)]
        else:
            parts = list(batches("train", epoch_order(rng)))
            rng.shuffle(parts)
        for item in parts:
            chosen = item if probing else item[0]
            logits = model.classifier(known["train"][chosen]) if probing else model(**item[1]).logits
            loss = torch.nn.functional.cross_entropy(logits, labels["train"][chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, CLIP)
            optimizer.step(), schedule.step(), optimizer.zero_grad()
    model.eval()
    right = 0
    with torch.inference_mode():
        if probing:
            right = (model.classifier(known["test"]).argmax(1) == labels["test"]).sum().item()
        else:
            for chosen, inputs in batches("test", sorted(range(len(ids["test"])), key=lambda i: -len(ids["test"][i]))):
                right += (model(**inputs).logits.argmax(1) == labels["test"][chosen]).sum().item()
    accuracy = right / len(ids["test"])
    return accuracy, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--modes", default="probe,full")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--epochs", type=int, default=2, help="of full and lora; a probe takes 20")
    parser.add_argument("--limit", type=int, default=0, help="use so many rows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sides", default="ours,theirs")
    parser.add_argument("--lora", default="rank = 8\nalpha = 16.0", help="the keys of [transfer] beside its mode")
    parser.add_argument("--attention-dropout", action="store_true")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    a = parser.parse_args()
    a.epochs = {"full": a.epochs, "lora": a.epochs, "probe": 20}
    rows = split_rows(a.texts, a.limit)
    with tempfile.TemporaryDirectory() as folder:
        table = os.path.join(folder, "texts.csv")
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(["text", "label", "split"])
            writer.writerows(rows)
        print(f"{sum(split == 'train' for *_, split in rows)} training texts, {sum(split == 'test' for *_, split in rows)} to test on")
        print("| mode | side | accuracies | mean | seconds |\n|---|---|---|---|---|", flush=True)
        for mode in a.modes.split(","):
            for side in a.sides.split(","):
                run = (lambda seed: ours(a, mode, seed, folder, table)) if side == "ours" else (lambda seed: theirs(a, mode, seed, rows))
                found = [run(int(seed)) for seed in a.seeds.split(",")]
                accuracies, seconds = zip(*found)
                shown = ", ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)
                print(f"| {mode} | {side} | {shown} | {100 * statistics.mean(accuracies):.2f} | {statistics.mean(seconds):.1f} |", flush=True)


main()
