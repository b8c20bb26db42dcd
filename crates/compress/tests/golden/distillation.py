"""Writes distillation.json: the objective of distillation and its gradient by the student's logits, by PyTorch 2 in float64.

    pip install torch && python distillation.py
"""

import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(3)


def softmax(student, teacher, targets, t):
    wanted = F.softmax(teacher / t, dim=1)
    soft = F.kl_div(F.log_softmax(student / t, dim=1), wanted, reduction="batchmean")
    return t * t * soft, F.cross_entropy(student, targets)


def sigmoid(student, teacher, targets, t):
    """One logit z is the pair (0, z) of a softmax."""
    pair = lambda z: torch.cat([torch.zeros_like(z), z], dim=1)
    soft, _ = softmax(pair(student), pair(teacher), torch.zeros(len(student), dtype=torch.long), t)
    return soft, F.binary_cross_entropy_with_logits(student, targets)


def values(student, teacher, targets, t):
    return F.mse_loss(student, teacher), F.mse_loss(student, targets)


def case(loss, part, outputs, t, weight):
    student = (2 * torch.randn(6, outputs, dtype=torch.float64)).requires_grad_()
    teacher = 4 * torch.randn(6, outputs, dtype=torch.float64)
    if part is softmax:
        classes = torch.randint(outputs, (6,))
        rows, given = F.one_hot(classes, outputs).double(), classes
    elif part is sigmoid:
        rows = given = torch.randint(2, (6, 1)).double()
    else:
        rows = given = torch.randn(6, 2, dtype=torch.float64)
    soft, hard = part(student, teacher, given, t)
    value = weight * soft + (1 - weight) * hard
    value.backward()
    return {"loss": loss, "temperature": t, "weight": weight, "student": student.tolist(), "teacher": teacher.tolist(),
            "targets": rows.tolist(), "value": value.item(), "gradient": student.grad.tolist()}


cases = [
    case("cross-entropy", softmax, 10, 4.0, 0.9),
    case("cross-entropy", softmax, 3, 1.0, 0.5),
    case("cross-entropy", softmax, 5, 20.0, 1.0),
    case("binary-cross-entropy", sigmoid, 1, 4.0, 0.9),
    case("binary-cross-entropy", sigmoid, 1, 0.7, 0.3),
    case("mse", values, 2, 4.0, 0.6),
]
path = pathlib.Path(__file__).with_name("distillation.json")
path.write_text(json.dumps(cases, indent=1) + "\n")
