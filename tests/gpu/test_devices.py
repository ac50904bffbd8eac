"""Neurons, sequences and fused nets on CUDA give what they give on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from tests.cases import flat
from tests.portability import SUBJECTS, Loop, Subject, Whole

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
each = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Multiply matrices in float32, as the CPU does."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def same_on_both(net: nn.Module, x: Tensor) -> None:
    results = []
    for device in ("cpu", "cuda"):
        net.to(device).zero_grad()
        utils.reset(net)
        given = x.to(device).requires_grad_()
        outs = flat(net(given))
        assert {one.device.type for one in outs} == {device}
        torch.stack([one.sum() for one in outs]).sum().backward()
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        results.append([one.cpu() for one in (*outs, given.grad, *grads)])
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@each
def test_a_loop(subject: Subject) -> None:
    same_on_both(Loop(subject, subject.make()).eval(), subject.x(5))


@each
def test_a_whole_sequence(subject: Subject) -> None:
    same_on_both(Whole(subject.make(init_hidden=True)).eval(), subject.x(5))


@each
def test_a_fused_loop(subject: Subject) -> None:
    net = snn.fuse(Loop(subject, subject.make()).eval())
    same_on_both(net, subject.x(5))
    assert net.forward.report.noted > 0


def test_states_are_made_where_the_input_is() -> None:
    lif = snn.Leaky(0.9).to("cuda")
    spk, mem = lif(torch.rand(3, 4, device="cuda"), lif.init_leaky())
    assert spk.is_cuda
    assert mem.is_cuda
