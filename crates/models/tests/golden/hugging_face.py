#!/usr/bin/env python3
"""Tiny random encoders as transformers 5.24 writes them, and what it makes of some texts: a folder for each beside this
file, with `config.json`, `model.safetensors`, `tokenizer.json`, and `expected.json` (token numbers, vectors, scores).

    python3 hugging_face.py

The texts are of our own making.
"""
import json
import os

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, DistilBertConfig, DistilBertForSequenceClassification,
    DistilBertModel, RobertaConfig, RobertaForSequenceClassification, RobertaModel,
)

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hugging_face")
MAX_TOKENS = 16
TEXTS = [
    "The crucible is hot.", "", "A crucible's cold, isn't it?", "Métal über 1200 degrees!", "金属 melts 🙂 here",
    "the the the the the the the the the the the the the the the the the the the the", "  blanks\tand\nlines  ",
    "[PAD] is a word", "THE HOT METAL MELTS",
]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=BERT_SPECIAL))
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    # Files in the wild say how to pad and cut, for other uses.
    tokenizer.enable_padding(length=12)
    tokenizer.enable_truncation(8)
    return tokenizer


def byte_pairs():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=285, special_tokens=ROBERTA_SPECIAL,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def save(name, model, tokenizer, pad, pooling):
    """Writes one folder; `pooling` is what Hugging Face's classifiers read, or the mean."""
    torch.manual_seed(3)
    for p in model.parameters():  # Biases and scales are not all zeros and ones, and no vector is small.
        p.data += 0.2 * torch.randn_like(p)
    model.eval()
    folder = os.path.join(HERE, name)
    model.save_pretrained(folder)
    if os.path.exists(os.path.join(folder, "generation_config.json")):
        os.remove(os.path.join(folder, "generation_config.json"))
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]
    length = max(len(row) for row in ids)
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in ids])
    padded = torch.tensor([row + [pad] * (length - len(row)) for row in ids])
    arguments = dict(input_ids=padded, attention_mask=mask)
    if model.base_model_prefix == "roberta":
        # transformers finds places by the padding token's number, so that a text that holds it counts on alone.
        places = torch.arange(length).expand(len(ids), length) + pad + 1
        arguments["position_ids"] = places
    with torch.no_grad():
        output = model(**arguments, output_hidden_states=True)
    hidden = output.hidden_states[-1]
    shown = mask.unsqueeze(-1).float()
    vectors = (hidden * shown).sum(1) / shown.sum(1) if pooling == "mean" else hidden[:, 0]
    expected = {
        "max_tokens": MAX_TOKENS, "texts": TEXTS, "ids": ids, "pooling": pooling, "vectors": vectors.tolist(),
        "logits": output.logits.tolist() if "logits" in output else None,
        "gradients": gradients(model, arguments) if pooling == "cls" else None,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file)


def gradients(model, arguments):
    """Of the sum of the squares of the scores, by tensors of every kind."""
    model(**arguments).logits.square().sum().backward()
    endings = ("word_embeddings.weight", "position_embeddings.weight", "layer.0.attention.self.query.weight",
               "layer.0.attention.q_lin.weight", "layer.1.output.dense.weight", "layer.1.ffn.lin2.weight", "classifier.bias",
               "LayerNorm.weight", "pooler.dense.weight", "pre_classifier.weight", "classifier.dense.weight")
    return {name: p.grad.flatten().tolist() for name, p in model.named_parameters() if name.endswith(endings)}


common = dict(hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=12, num_labels=3)
distil = dict(dim=8, n_heads=2, n_layers=2, hidden_dim=12, max_position_embeddings=20, num_labels=3)
words, pairs = wordpiece(), byte_pairs()
torch.manual_seed(7)
bert = BertConfig(vocab_size=words.get_vocab_size(), max_position_embeddings=20, **common)
roberta = RobertaConfig(vocab_size=pairs.get_vocab_size(), max_position_embeddings=22, type_vocab_size=1, pad_token_id=1,
                        bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5, **common)
distilbert = DistilBertConfig(vocab_size=words.get_vocab_size(), **distil)
save("bert", BertModel(bert), words, 0, "mean")
save("bert-classifier", BertForSequenceClassification(bert), wordpiece(), 0, "cls")
save("roberta", RobertaModel(roberta), pairs, 1, "mean")
save("roberta-classifier", RobertaForSequenceClassification(roberta), byte_pairs(), 1, "cls")
save("distilbert", DistilBertModel(distilbert), wordpiece(), 0, "mean")
save("distilbert-classifier", DistilBertForSequenceClassification(distilbert), wordpiece(), 0, "cls")
