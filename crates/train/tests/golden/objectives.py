"""Prints what each side's loss is for the scores of tests/adversarial.rs, by PyTorch in float64.

python crates/train/tests/golden/objectives.py    (torch)
"""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
real = torch.tensor([2.5, -0.5, 0.25, 40.0])
fake = torch.tensor([-1.5, 0.75, -40.0, 0.5])
ones, zeros = torch.ones(4), torch.zeros(4)
bce = F.binary_cross_entropy_with_logits
print("non-saturating", (bce(real, ones) + bce(fake, zeros)).item(), bce(fake, ones).item())
print("least-squares", (F.mse_loss(real, ones) / 2 + F.mse_loss(fake, zeros) / 2).item(), (F.mse_loss(fake, ones) / 2).item())
print("hinge", (F.relu(1 - real).mean() + F.relu(1 + fake).mean()).item(), -fake.mean().item())
print("wasserstein", (fake.mean() - real.mean()).item(), -fake.mean().item())
