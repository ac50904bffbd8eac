"""Labels as rows of zeros and a one."""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch._checks import expect, expect_size, expect_tensor, expect_values
from snntorch.spikegen._shared import expect_binary, float_dtype


def to_one_hot(targets: Tensor, num_classes: int) -> Tensor:
    """Return rows of zeros with a one at each label: ``(batch)`` to ``(batch, num_classes)``.

    Examples:
        >>> import torch
        >>> to_one_hot(torch.tensor([2]), num_classes=3)
        tensor([[0., 0., 1.]])
    """
    expect_size("to_one_hot", "num_classes", num_classes)
    expect_tensor("to_one_hot", "targets", targets)
    expect_values("to_one_hot", "targets", targets)
    expect(targets.dim() == 1, "to_one_hot", "`targets` of shape (batch)", tuple(targets.shape))
    hot = targets.unsqueeze(1) == torch.arange(num_classes, device=targets.device)
    wrong = targets[~hot.any(1)].tolist()
    what = f"`targets` to be labels 0 to {num_classes - 1} (num_classes={num_classes})"
    expect(not wrong, "to_one_hot", what, f"label {wrong[0]}" if wrong else "")
    return hot.to(float_dtype(targets))


def to_one_hot_inverse(one_hot_targets: Tensor) -> Tensor:
    """Swap zeros and ones, which marks all the incorrect classes: ``(...)`` to ``(...)``.

    Examples:
        >>> import torch
        >>> to_one_hot_inverse(torch.tensor([[0, 1, 0]]))
        tensor([[1, 0, 1]])
    """
    expect_binary("to_one_hot_inverse", "one_hot_targets", one_hot_targets)
    return one_hot_targets.logical_not().to(one_hot_targets.dtype)


def from_one_hot(one_hot_label: Tensor) -> Tensor:
    """Return the class of each row, where its one is: ``(..., num_classes)`` to ``(...)``.

    Examples:
        >>> import torch
        >>> from_one_hot(torch.tensor([[0, 0, 1], [1, 0, 0]]))
        tensor([2, 0])
    """
    expect_binary("from_one_hot", "one_hot_label", one_hot_label)
    expect(
        one_hot_label.dim() > 0,
        "from_one_hot",
        "`one_hot_label` of shape (..., num_classes)",
        "a number",
    )
    count = one_hot_label.sum(-1).flatten()
    wrong = count[count != 1].tolist()
    expect(not wrong, "from_one_hot", "`one_hot_label` with a single one in every row", wrong[:1])
    return one_hot_label.long().argmax(-1)
