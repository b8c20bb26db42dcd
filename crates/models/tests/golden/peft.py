#!/usr/bin/env python3
"""Adapters as peft 0.21 writes them for the encoders of `hugging_face.py`, and what it makes of the texts there: a folder for
each beside this file, with `adapter_config.json`, `adapter_model.safetensors`, and `expected.json` (the encoder's folder, scores
with the adapters apart and merged, gradients).

    python3 peft.py
"""
import json
import os
import sys

# The name of this file is that of the package.
sys.path = [folder for folder in sys.path if os.path.abspath(folder or ".") != os.path.dirname(os.path.abspath(__file__))]

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoModelForSequenceClassification

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, base, **settings):
    source = os.path.join(HERE, "hugging_face", base)
    kind = AutoModelForSequenceClassification if base.endswith("classifier") else AutoModel
    texts = json.load(open(os.path.join(source, "expected.json")))["ids"]
    torch.manual_seed(5)
    task = dict(task_type="SEQ_CLS") if base.endswith("classifier") else {}
    model = get_peft_model(kind.from_pretrained(source), LoraConfig(**task, **settings))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn_like(parameter)
    model.eval()
    model.peft_config["default"].base_model_name_or_path = base
    folder = os.path.join(HERE, "peft", name)
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))

    pad = model.config.pad_token_id or 0
    length = max(map(len, texts))
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in texts])
    arguments = dict(input_ids=torch.tensor([row + [pad] * (length - len(row)) for row in texts]), attention_mask=mask)
    if model.config.model_type == "roberta":
        arguments["position_ids"] = torch.arange(length).expand(len(texts), length) + pad + 1

    def outputs():
        output = model(**arguments)
        if "logits" in output:
            return output.logits
        shown = mask.unsqueeze(-1).float()
        return (output.last_hidden_state * shown).sum(1) / shown.sum(1)

    apart = outputs()
    apart.square().sum().backward()
    gradients = {name.replace(".default", "").replace(".modules_to_save", ""): parameter.grad.flatten().tolist()
                 for name, parameter in model.named_parameters() if parameter.grad is not None}
    trainable, total = model.get_nb_trainable_parameters()
    model.merge_adapter()
    with torch.no_grad():
        merged = outputs()
    expected = {"base": base, "apart": apart.tolist(), "merged": merged.tolist(), "gradients": gradients,
                "trainable": trainable, "total": total}
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file)


write("lora", "bert-classifier", r=4, lora_alpha=8, target_modules=["query", "value"])
write("rslora", "bert-classifier", r=3, lora_alpha=5, target_modules="all-linear", use_rslora=True)
write("dora", "bert-classifier", r=2, lora_alpha=4, target_modules=["query", "value", "dense"], use_dora=True,
      exclude_modules=["bert.pooler.dense"])
write("roberta", "roberta-classifier", r=4, lora_alpha=8, target_modules=["key", "output.dense"])
write("distilbert", "distilbert-classifier", r=4, lora_alpha=8, target_modules=["q_lin", "v_lin", "lin1"],
      modules_to_save=["pre_classifier", "classifier"])
write("encoder", "bert", r=4, lora_alpha=8, target_modules=["query", "key", "value"])
