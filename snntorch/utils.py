"""Utilities for nets and data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from snntorch._checks import expect, expect_count, expect_module, expect_number
from snntorch._neurons._states import StateModule

__all__ = ["data_subset", "reset", "valid_split"]


def reset(net: nn.Module) -> None:
    """Zero the states of every neuron and delay in ``net``, however deep, and of no other net.

    The new states have no graph: a backward pass ends at them. Call it before each
    sequence when the neurons have ``init_hidden=True``.

    Args:
        net: Any module.

    Raises:
        TypeError: If ``net`` is not a module.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = nn.Sequential(nn.Linear(2, 2), snn.Leaky(0.9, init_hidden=True))
        >>> _ = net(torch.ones(1, 2))
        >>> reset(net)
        >>> net[1].mem
        tensor([[0., 0.]])
    """
    expect_module("reset", "net", net)
    for part in with_states(net):
        part.reset_mem()


def with_states(net: nn.Module) -> Iterator[StateModule]:
    """Yield every part of ``net`` that has states, however deep."""
    return (module for module in net.modules() if isinstance(module, StateModule))


def _keep(dataset: Any, indices: Any) -> None:
    """Keep the samples at ``indices`` of a data set."""
    dataset.data = _select(dataset.data, indices)
    dataset.targets = _select(dataset.targets, indices)


def _select(values: Any, indices: Any) -> Any:
    """Return the items at ``indices``; a list stays a list."""
    if isinstance(values, list):
        return [values[int(i)] for i in indices]
    return values[torch.as_tensor(indices) if isinstance(values, torch.Tensor) else indices]


def data_subset(dataset: Any, subset: int, idx: int = 0) -> Any:
    """Keep one of ``subset`` equal parts of a data set, to try things out quickly.

    The parts are runs of neighbouring samples, in order. Samples that are left over at the
    end, where the number does not divide, are in none of them.

    Args:
        dataset: Data set with ``data`` and ``targets``: tensors, arrays or lists. It is
            changed in place.
        subset: Factor by which the data set shrinks; 1 leaves it as it is.
        idx: Which part to keep: 0 for the first, up to ``subset - 1``.

    Returns:
        The data set, with ``len(dataset) // subset`` samples.

    Raises:
        ValueError: If ``subset`` is less than 1 or more than there are samples, or ``idx`` is
            out of range.
        TypeError: If the data set has no ``data`` and ``targets``, or a number is no integer.

    Examples:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(data=torch.arange(6), targets=[0, 1, 2, 3, 4, 5])
        >>> data_subset(data, subset=3).targets
        [0, 1]
    """
    _expect_data(dataset, "data_subset")
    expect_count("data_subset", "subset", subset)
    expect_count("data_subset", "idx", idx, 0)
    size = len(dataset.targets)
    expect(idx < subset, "data_subset", f"`idx` from 0 to {subset - 1}", idx)
    expect(subset <= size or not size, "data_subset", f"`subset` of at most {size} samples", subset)
    part = size // subset
    kept = np.arange(part * idx, part * (idx + 1))
    _keep(dataset, kept)
    return dataset


def valid_split(ds_train: Any, ds_val: Any, split: float, seed: int | None = 0) -> tuple[Any, Any]:
    """Move a random part of the training samples to a validation set.

    Args:
        ds_train: Data set with ``data`` and ``targets``: tensors, arrays or lists. It is
            changed in place.
        ds_val: Another copy of it, with the transforms of the validation; changed in place.
        split: Fraction of the samples that goes to validation, from 0 to 1.
        seed: Seed of the choice, a whole number of at least 0; ``None`` for another one each
            time. The global random state is not touched.

    Returns:
        ``ds_train``, in random order, and ``ds_val``, in the order of the data, without a
        common sample.

    Raises:
        ValueError: If ``split`` is not in [0, 1], ``seed`` is negative, or the data sets
            differ in length.
        TypeError: If a data set has no ``data`` and ``targets``, or a number is of the wrong
            kind.

    Examples:
        >>> from types import SimpleNamespace
        >>> sets = [SimpleNamespace(data=torch.arange(10), targets=torch.arange(10)) for _ in "ab"]
        >>> train, val = valid_split(*sets, split=0.3)
        >>> len(train.targets), len(val.targets)
        (7, 3)
    """
    for dataset in (ds_train, ds_val):
        _expect_data(dataset, "valid_split")
    size, other = len(ds_train.targets), len(ds_val.targets)
    expect_number("valid_split", "split", split)
    expect(0 <= split <= 1, "valid_split", "`split` from 0 to 1", split)
    if seed is not None:
        expect_count("valid_split", "seed", seed, 0)
    expect(size == other, "valid_split", f"`ds_val` of {size} samples, as `ds_train`", other)
    trained = np.random.default_rng(seed).choice(size, size - int(size * split), replace=False)
    held_out = np.setdiff1d(np.arange(size), trained)
    for dataset, kept in ((ds_train, trained), (ds_val, held_out)):
        _keep(dataset, kept)
    return ds_train, ds_val


def _expect_data(dataset: Any, owner: str) -> None:
    expect(
        hasattr(dataset, "data") and hasattr(dataset, "targets"),
        owner,
        "a data set with `data` and `targets`",
        type(dataset).__name__,
        error=TypeError,
    )
