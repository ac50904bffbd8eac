"""Calls of autograd functions, which torch shows to no mode and to no tensor."""

from __future__ import annotations

from typing import Any

from snntorch import surrogate
from snntorch._neurons._deferral import recorder
from snntorch._unroll.deferred.placeholder import Deferred, value_of
from snntorch._unroll.deferred.recorder import Recorder

#: Surrogates whose gradient is of a user's, or drawn at random.
_ALONE = (surrogate.CustomSurrogate, surrogate.StochasticSpikeOperator)


def watch(cls: Any, args: tuple[Any, ...]) -> tuple[bool, Any]:
    """Note an autograd function called with placeholders, or give it their values."""
    for one in args:
        if type(one) is Deferred:
            noted = recorder()
            if isinstance(noted, Recorder):
                pointwise = getattr(surrogate, cls.__name__, None) is cls
                return True, noted.function(cls, args, cls in _ALONE or not pointwise)
            return False, tuple(map(value_of, args))
    return False, args
