#!/usr/bin/env python3
"""One step of fine-tuning MiniLM-L6 with two classes against the same step by Hugging Face's transformers.

    python3 benches/finetuning.py [--rounds 5] [--steps 10] [--batch 16] [--tokens 128] [--threads 2] [--forward]
                                  [--lora] [--crucible target/release/crucible]

Forward, backward and AdamW of a BERT of 6 layers of width 384 (12 heads, feedforward 1536, vocabulary 30522), random tokens,
no padding, random weights. Dropout is 0.1, but for the weights of the attention, which ours does not drop: the peer's
`attention_probs_dropout_prob` is 0 in the first row, and 0.1, its default, in the second, in which it computes more. The peer is
BertForSequenceClassification with the attention that transformers picks, without compiling. Ours pools by the mean and has no
pooler, whose product is a 10,000th of a step's. With --lora both train adapters of rank 8 beside query and value and the last
layer alone, the peer by peft.

Each round runs all of them one after another, each a process of its own; the table has the medians over the rounds of each run's
median step, and the median of the ratios of each round. Memory is the largest resident size of the process, with in brackets that
of one that only starts (for the peer: imports transformers). Needs torch and transformers, for --lora also peft.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def peer(attention, batch, tokens, steps, forward, lora, threads):
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if attention < 0:
        return
    config = BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
                        num_labels=2, hidden_dropout_prob=0.1, attention_probs_dropout_prob=attention)
    network = BertForSequenceClassification(config).train(not forward)
    if lora:
        from peft import LoraConfig, get_peft_model

        network = get_peft_model(network, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=8, target_modules=["query", "value"]))
    x, y = torch.randint(0, 30522, (batch, tokens)), torch.randint(0, 2, (batch,))
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.01)

    def step():
        if forward:
            with torch.inference_mode():
                return network(input_ids=x).logits[0, 0].item()
        optimizer.zero_grad()
        loss = network(input_ids=x, labels=y).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    times = []
    for _ in range(steps + 3):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"ms": statistics.median(times[3:]) * 1e3}))


def child(command):
    """What a process prints last, as JSON, and its largest resident size in MB."""
    with tempfile.TemporaryFile("w+") as out, open(os.devnull, "w") as quiet:
        process = subprocess.Popen(command, stdout=out, stderr=quiet)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"failed: {' '.join(command)}")
        out.seek(0)
        lines = out.read().splitlines()
    return (json.loads(lines[-1])["ms"] if lines and lines[-1].startswith("{") else 0.0), usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forward", action="store_true", help="the forward pass alone, without dropout")
    parser.add_argument("--lora", action="store_true", help="adapters in the place of all weights")
    parser.add_argument("--crucible", default=os.path.join(ROOT, "target", "release", "crucible"))
    parser.add_argument("--peer", type=float, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer is not None:
        return peer(a.peer, a.batch, a.tokens, a.steps, a.forward, a.lora, a.threads)

    sizes = ["--batch", str(a.batch), "--tokens", str(a.tokens), "--threads", str(a.threads), "--steps", str(a.steps)]
    sizes += ["--forward"] if a.forward else []
    sizes += ["--lora"] if a.lora else []
    ours = [a.crucible, "bench", "step", "--task", "minilm", "--json", *sizes]
    theirs = lambda attention: [sys.executable, os.path.abspath(__file__), "--peer", str(attention), *sizes]
    bare = [child([a.crucible, "--version"])[1], child(theirs(-1))[1]]
    rows = [("the same step", 0.0)] + ([] if a.forward else [("attention's dropout too", 0.1)])
    rounds = [[child(ours), *(child(theirs(attention)) for _, attention in rows)] for _ in range(a.rounds)]
    print("| peer | transformers ms | ours ms | ours / transformers | of each round | memory, ours / transformers (MB) |")
    print("|---|---|---|---|---|---|")
    middle = statistics.median
    for i, (name, _) in enumerate(rows, start=1):
        mine, other = (middle(runs[j][0] for runs in rounds) for j in (0, i))
        pairs = middle(runs[0][0] / runs[i][0] for runs in rounds)
        memory = [f"{middle(runs[j][1] for runs in rounds):.0f} ({bare[min(j, 1)]:.0f})" for j in (0, i)]
        print(f"| {name} | {other:.0f} | {mine:.0f} | {mine / other:.2f} | {pairs:.2f} | {memory[0]} / {memory[1]} |")


main()
