#!/usr/bin/env python3
"""What PyTorch 2.15 makes of a small Transformer encoder: weights, input, output, and gradients of the sum of squares.

    python3 transformer.py > transformer.json
"""
import json

import torch
import torch.nn as nn

WIDTH, HEADS, FEEDFORWARD, LAYERS, TOKENS, BATCH, OUTPUTS = 8, 2, 12, 2, 5, 3, 4


class Net(nn.Module):
    def __init__(self, norm_first):
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0, activation="gelu",
                                           batch_first=True, norm_first=norm_first)
        norm = nn.LayerNorm(WIDTH) if norm_first else None
        encoder = nn.TransformerEncoder(layer, LAYERS, norm=norm, enable_nested_tensor=False)
        self.layers, self.norm = encoder.layers, norm
        self.head = nn.Linear(WIDTH, OUTPUTS)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head((self.norm(x) if self.norm else x).mean(1))


def flat(tensor):
    return {"shape": list(tensor.shape), "values": [float(v) for v in tensor.detach().flatten()]}


cases = []
for norm_first in (False, True):
    torch.manual_seed(7)
    net = Net(norm_first)
    for p in net.parameters():  # Biases and scales are not all zeros and ones.
        p.data += 0.1 * torch.randn_like(p)
    x = torch.randn(BATCH, TOKENS, WIDTH, requires_grad=True)
    y = net(x)
    y.square().sum().backward()
    cases.append({
        "norm_first": norm_first,
        "weights": {name: flat(p) for name, p in net.state_dict().items()},
        "input": flat(x), "output": flat(y), "input_gradient": flat(x.grad),
        "gradients": {name: flat(p.grad) for name, p in net.named_parameters()},
    })
print(json.dumps(cases))
