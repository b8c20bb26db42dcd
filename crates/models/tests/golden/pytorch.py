#!/usr/bin/env python3
"""Files that PyTorch 2.15 writes, and in `pytorch.json` the values that it reads back from them.

    python3 pytorch.py
"""
import json
from pathlib import Path

import torch
import torch.nn as nn
from torchvision.models.vgg import make_layers  # torchvision 0.29

HERE = Path(__file__).parent / "pytorch"
HERE.mkdir(exist_ok=True)
expected = {}


def flat(tensor):
    tensor = tensor.detach().float()
    return {"shape": list(tensor.shape), "values": [float(v) for v in tensor.flatten()]}


def save(name, content, state=None, **how):
    """Writes a file; its float tensors, or those of `state` within it, are what must be read."""
    torch.save(content, HERE / f"{name}.pt", **how)
    state = content if state is None else state
    expected[name] = {
        key: flat(value) for key, value in state.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    }


torch.manual_seed(11)
net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
net(torch.randn(8, 3)).square().sum().backward()
optimizer = torch.optim.Adam(net.parameters())
optimizer.step()
save("state_dict", net.state_dict())
save("protocol_4", net.state_dict(), pickle_protocol=4)
nested = {"state_dict": net.state_dict(), "epoch": 3, "arch": "mlp", "best": torch.tensor(0.5),
          "optimizer": optimizer.state_dict(), "milestones": [1, 2.5, None, (True, 1 << 80)]}
save("nested", nested, nested["state_dict"])
save("several", {"model": net.state_dict(), "model_ema": net.state_dict()}, {})

whole = torch.randn(4, 6)
save("shared", {"tied": whole, "again": whole, "row": whole[1], "block": whole[1:3, 2:5]})
save("views", {"transposed": whole.t(), "every_other": whole[::2, ::3], "repeated": whole[:, :1].expand(4, 3),
               "permuted": torch.randn(2, 3, 4).permute(2, 0, 1), "none": torch.zeros(0, 5), "single": torch.tensor(2.5)})
save("types", {"half": torch.tensor([1.5, -6e-8, 65504.0]).half(), "bfloat16": torch.tensor([1.5, 3e38]).bfloat16(),
               "double": torch.tensor([0.1, -1e-300], dtype=torch.float64), "long": torch.arange(3),
               "bool": torch.tensor([True, False]), "byte": torch.tensor([7], dtype=torch.uint8)})
save("parameter", {"weight": nn.Parameter(torch.randn(2, 2)), "frozen": nn.Parameter(torch.ones(1), False)})
save("legacy", net.state_dict(), {}, _use_new_zipfile_serialization=False)
save("complex", {"phase": torch.tensor([1j])}, {})
save("negated", {"phase": torch.tensor([1j]).conj().imag}, {})
save("float8", {"small": torch.ones(2).to(torch.float8_e4m3fn)}, {})
save("module", net, {})

for name, norm in (("vgg", False), ("vgg_bn", True)):
    vgg = nn.Module()
    vgg.features = make_layers([4, "M", 6, 6, "M"], batch_norm=norm)
    vgg.classifier = nn.Sequential(nn.Linear(24, 5), nn.ReLU(True), nn.Dropout(), nn.Linear(5, 3))
    for p in vgg.parameters():
        p.data = 0.3 * torch.randn_like(p)
    x = torch.randn(2, 3, 8, 8)
    vgg.train()
    vgg.features(x)  # Running statistics are not zeros and ones.
    vgg.eval()
    y = vgg.classifier(vgg.features(x).flatten(1))
    save(name, vgg.state_dict())
    expected[name + "_run"] = {"input": flat(x.flatten(1)), "output": flat(y)}

(HERE.parent / "pytorch.json").write_text(json.dumps(expected))
