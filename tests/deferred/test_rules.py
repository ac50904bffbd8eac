"""Each rule by which many calls become one: against torch.vmap, and against the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from snntorch._unroll.deferred import rules

STEPS, BATCH = 4, 3
torch.manual_seed(0)
W, B = torch.randn(5, 6, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
K1, K2 = torch.randn(2, 2, 3, dtype=torch.float64), torch.randn(2, 2, 3, 3, dtype=torch.float64)
K3 = torch.randn(2, 2, 2, 2, 2, dtype=torch.float64)
M, V = torch.rand(2, dtype=torch.float64), torch.rand(2, dtype=torch.float64) + 0.5


def _rectangle(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    return grad_input * (input_.abs() < 0.5)


class OwnApply(surrogate.FastSigmoid):
    @classmethod
    def apply(cls, x: Any, *given: Any) -> Any:
        return 0.5 * super().apply(x, *given)


#: Functions of one step's input, with the shape of a sample.
FUNCTIONS: dict[str, tuple[Callable[[Tensor], Any], tuple[int, ...]]] = {
    "linear": (lambda x: F.linear(x, W, B), (6,)),
    "linear of more": (lambda x: F.linear(x, W), (2, 6)),
    "conv1d": (lambda x: F.conv1d(x, K1, padding=1), (2, 8)),
    "conv2d": (lambda x: F.conv2d(x, K2, stride=2), (2, 8, 8)),
    "conv3d": (lambda x: F.conv3d(x, K3), (2, 4, 4, 4)),
    "conv_transpose2d": (lambda x: F.conv_transpose2d(x, K2), (2, 4, 4)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), (2, 6, 6)),
    "max_pool2d, indices": (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], (2, 6, 6)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), (2, 6, 6)),
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x, 2), (2, 6)),
    "batch_norm": (lambda x: F.batch_norm(x, M, V), (2, 4)),
    "batch_norm of a step": (lambda x: F.batch_norm(x, None, None, M, V, True), (2, 4)),
    "layer_norm": (lambda x: F.layer_norm(x, (4,)), (2, 4)),
    "group_norm": (lambda x: F.group_norm(x, 2), (4, 3)),
    "embedding": (lambda x: F.embedding((x > 0).long(), W), (6,)),
    "relu": (torch.relu, (6,)),
    "sum": (lambda x: x.sum(-1), (6,)),
    "mean of all": (lambda x: x.mean(), (6,)),
    "max": (lambda x: x.max(-1)[0], (6,)),
    "softmax": (lambda x: torch.softmax(x, -1), (6,)),
    "log_softmax": (lambda x: F.log_softmax(x, 1), (6,)),
    "cross_entropy": (lambda x: F.cross_entropy(x, torch.arange(BATCH)), (6,)),
    "mse": (lambda x: F.mse_loss(x, torch.ones_like(x)), (6,)),
    "of one dimension and two": (lambda x: x + x.sum(0), (6,)),
    "scalars": (lambda x: x * x.mean() + 2, (6,)),
    "where": (lambda x: torch.where(x > 0, x, -2 * x), (6,)),
    "matmul": (lambda x: x @ W.t(), (6,)),
    "bmm": (lambda x: torch.bmm(x, x.transpose(1, 2)), (2, 3)),
    "einsum": (lambda x: torch.einsum("bi,bj->bij", x, x), (4,)),
    "view": (lambda x: x.view(BATCH, 2, -1).permute(0, 2, 1).reshape(BATCH, -1), (6,)),
    "squeeze": (lambda x: x.unsqueeze(1).squeeze(1).unsqueeze(-1), (6,)),
    "slices": (lambda x: x[:, 1:4] + x[:, :3] - x[..., -1:], (6,)),
    "index": (lambda x: x[:, [2, 0]] * x[:, torch.tensor([1, 3])], (6,)),
    "cat": (lambda x: torch.cat([x, 2 * x], dim=1), (6,)),
    "split": (lambda x: sum(x.chunk(3, dim=1)), (6,)),
    "pad": (lambda x: F.pad(x, (1, 2)), (6,)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2), (2, 4)),
    "clamp": (lambda x: x.clamp(-0.5, 0.5), (6,)),
    "to": (lambda x: x.to(torch.float32).double(), (6,)),
    "surrogate": (surrogate.fast_sigmoid(3), (6,)),
    "surrogate of a user": (surrogate.custom_surrogate(_rectangle), (6,)),
    "surrogate with an apply of its own": (OwnApply.apply, (6,)),
    "graded": (snn.GradedSpikes(1, 2.0).double(), (1,)),
    "cumsum": (lambda x: x.cumsum(1), (6,)),
    "sort": (lambda x: x.sort(dim=1)[0], (6,)),
    "top": (lambda x: x.topk(2, dim=1).values, (6,)),
}


#: What may look at more than one entry, and so is called for each step.
ALONE = ("surrogate of a user", "surrogate with an apply of its own")


def deferred(func: Callable[[Tensor], Any], x: Tensor) -> tuple[Tensor, Any]:
    with snn.deferred() as noted:
        out = torch.stack([func(x[t]) for t in range(STEPS)])
    return out + 0, noted.report


@pytest.mark.parametrize("way", ("rule", "vmap"))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_rule_is_the_loop(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "vmap":
        monkeypatch.setattr(rules, "run", rules._by_vmap)
    func, sample = FUNCTIONS[name]
    x = torch.randn(STEPS, BATCH, *sample, dtype=torch.float64, requires_grad=True)
    want = torch.stack([func(step) for step in x])
    got, report = deferred(func, x)
    assert type(got) is Tensor
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    if want.requires_grad:
        weights = torch.randn_like(want)
        grads = [torch.autograd.grad(out, x, weights, allow_unused=True)[0] for out in (got, want)]
        if grads[1] is not None:
            torch.testing.assert_close(*grads, rtol=1e-10, atol=1e-12)
    assert not report.early
    alone = {what for what, how in report.lines if how == "step by step"}
    if way == "rule":
        assert alone == ({"apply"} if name in ALONE else set())


def test_a_layer_of_each_kind_is_batched() -> None:
    layers = (nn.Conv2d(2, 2, 3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2))
    x = torch.rand(STEPS, BATCH, 2, 8, 8)
    for layer in (*layers, nn.BatchNorm2d(2), nn.InstanceNorm2d(2), nn.Dropout2d(0.0), nn.PReLU()):
        want = torch.stack([layer(step) for step in x])
        got, report = deferred(layer, x)
        torch.testing.assert_close(got, want)
        assert report.runs == 2, (layer, str(report))
