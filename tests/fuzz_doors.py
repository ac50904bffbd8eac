"""The public callables, and how each is called: what `fuzz_calls` starts from."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import spikeplot, surrogate
from snntorch.functional import quant
from snntorch.functional.stdp_learner import STDPLearner
from tests.cases import CASES, FACTORIES, Case, made, window
from tests.fuzz_table import (
    BATCH,
    CALLED,
    DRAWN,
    FUNCTIONS,
    IS_RANDOM,
    RAISES,
    USES,
    WRITES,
    Call,
    Looping,
    T,
    drawing,
    net,
    recordings,
)


@dataclass(frozen=True)
class Door:
    """A public callable, and how it is called."""

    #: As users find it; ``()`` behind it where what it returns is called.
    name: str
    #: Draws a call that works.
    make: Callable[[Random], Call]
    #: Arguments whose content it changes, as documented.
    writes: tuple[str, ...] = ()
    #: Arguments that keep their value, such as the leave to download.
    keeps: tuple[str, ...] = ()
    #: Whether it draws at random.
    is_random: bool = False
    #: What else it raises, as documented.
    raises: tuple[type[Exception], ...] = ()
    #: How often it is called, against 1 of others.
    share: float = 1.0


def public() -> dict[str, Any]:
    """Return every public callable by its shortest name: what is in the ``__all__`` of a module."""
    modules = [snn] + [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(snn.__path__, "snntorch.")
        if not any(part.startswith("_") for part in found.name.split("."))
    ]
    found: dict[int, tuple[str, Any]] = {}
    for module in modules:
        for name in module.__all__:
            value = getattr(module, name)
            full = f"{module.__name__}.{name}"
            if callable(value) and len(full) < len(found.get(id(value), (full + " ",))[0]):
                found[id(value)] = full, value
    return dict(found.values())


def then(cls: Callable[..., Any], use: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a constructor whose result is used at once."""

    def build(*args: Any, **kwargs: Any) -> Any:
        return use(cls(*args, **kwargs))

    build.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    build.of = cls  # type: ignore[attr-defined]
    return build


def constructor(case: Case, rng: Random) -> Call:
    """Return a call that builds a neuron; it then runs a step."""
    x = case.input(1)[0]
    build = then(case.cls, lambda neuron: neuron(x))
    taken = [one.replace(kind=one.KEYWORD_ONLY) for one in case.arguments.values()]
    build.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    return build, dict(case.kwargs)


def built(case: Case, rng: Random) -> Any:
    """Return a neuron with options that the case leaves open."""
    options: dict[str, Any] = {"reset_mechanism": rng.choice(case.resets)}
    if rng.random() < 0.3:
        options |= dict.fromkeys(case.learn, True)
    if case.reset_delay and rng.random() < 0.3:
        options["reset_delay"] = False
    if rng.random() < 0.2:
        options["state_quant"] = quant.state_quant(num_bits=4)
    options["init_hidden"] = rng.random() < 0.3
    options["output"] = rng.random() < 0.5
    return case.make(**options)


def step(case: Case, rng: Random) -> Call:
    """Return one step of a neuron, from states of its own or from those that a step left."""
    neuron, x = built(case, rng), case.input(1)[0]
    if neuron.init_hidden or rng.random() < 0.3:
        return neuron, {"input_": x}
    neuron(x)
    names = inspect.signature(neuron.forward).parameters
    states = dict(zip(neuron.state_names, neuron._own_states(), strict=True))
    neuron.reset_mem()
    return neuron, {"input_": x} | {n: s.detach() for n, s in states.items() if n in names}


def sequence(case: Case, rng: Random) -> Call:
    return built(case, rng).unroll, {"input_": case.input(3)}


def firing(method: str, arguments: dict[str, Any], case: Case, rng: Random) -> Call:
    return getattr(built(case, rng), method), {"mem": torch.rand(BATCH, 3), **arguments}


def neurons() -> Iterator[Door]:
    for case in CASES:
        name = f"snntorch.{case.cls.__name__}"
        yield Door(name, partial(constructor, case), share=3)
        yield Door(f"{name}()", partial(step, case), share=4)
        yield Door(f"{name}().unroll", partial(sequence, case), share=2)
        for method, more in (
            ("fire", {}),
            ("mem_reset", {}),
            ("fire_inhibition", {"batch_size": BATCH}),
        ):
            yield Door(f"{name}().{method}", partial(firing, method, more, case), share=0.3)


def found(name: str) -> Any:
    """Return what a dotted name stands for."""
    value, names = snn, name.split(".")[1:]
    for i, part in enumerate(names):
        if not hasattr(value, part):
            importlib.import_module(".".join(["snntorch", *names[: i + 1]]))
        value = getattr(value, part)
    return value


def doors() -> Iterator[Door]:
    """Yield every door."""
    yield from neurons()
    for name, arguments in FUNCTIONS.items():
        function = found(name)
        if name in USES:
            function = then(function, USES[name])
        yield Door(
            name,
            lambda rng, function=function, arguments=arguments: (function, arguments()),
            writes=WRITES.get(name, ()),
            is_random=any(part in name for part in IS_RANDOM),
            raises=RAISES.get(name, ()),
            share=0.3 if "nir" in name or "backprop" in name else 1,
        )
    for name, (options, arguments) in CALLED.items():
        build = then(found(name), lambda made, arguments=arguments: made(**arguments()))
        yield Door(name, lambda rng, build=build, options=options: (build, dict(options)))
        yield Door(
            f"{name}()",
            lambda rng, name=name, options=options, arguments=arguments: (
                found(name)(**options),
                arguments(),
            ),
            is_random=name.endswith("SSO"),
        )
    for factory in FACTORIES:
        spike_grad = made(factory)
        yield Door(
            f"snntorch.surrogate.{factory.__name__}().derivative",
            lambda rng, one=spike_grad: (one.derivative, {"x": torch.randn(BATCH, 3)}),
            is_random=factory is surrogate.SSO,
        )
    for name in surrogate.__all__:
        cls = getattr(surrogate, name)
        if isinstance(cls, type) and issubclass(cls, surrogate.SurrogateFunction):
            values = dict(enumerate(cls.parameters.values(), 1))
            values |= {1: window} if cls is surrogate.CustomSurrogate else {}
            yield Door(
                f"snntorch.surrogate.{name}.apply",
                lambda rng, cls=cls, values=values: (cls.apply, {0: torch.randn(3), **values}),
                is_random=cls is surrogate.StochasticSpikeOperator,
            )
    for name, arguments in DRAWN.items():
        function = getattr(spikeplot, name)
        yield Door(
            f"snntorch.spikeplot.{name}",
            lambda rng, f=function, arguments=arguments: drawing(f, **arguments()),
            share=0.2,
        )
    yield Door("snntorch.spikeplot.save_animation", animation, keeps=("path",), share=0.1)
    for name in ("NMNIST", "SHD", "DVSGesture"):
        yield Door(
            f"snntorch.spikevision.spikedata.{name}",
            partial(events_of, name),
            keeps=("root", "download_and_create"),
            raises=(FileNotFoundError,),
            share=0.3,
        )
    yield Door("snntorch.functional.BaseMonitor[]", looked_up, raises=(KeyError, IndexError))
    yield Door("snntorch.functional.STDPLearner().step", learned)
    yield Door("snntorch.SynapticDelay().unroll", lambda rng: (
        snn.SynapticDelay(3, channels=3, init_hidden=False).unroll,
        {"x": torch.rand(T, BATCH, 3), "past": torch.rand(3, BATCH, 3)}))  # fmt: skip
    yield Door("snntorch.fuse()", lambda rng: (snn.fuse(Looping()), {0: torch.rand(T, BATCH, 3)}))


def animation(rng: Random) -> Call:
    plt.close("all")
    fig, ax = plt.subplots(figsize=(1, 1), dpi=20)
    anim = spikeplot.animator(torch.eye(2).reshape(2, 1, 2), fig, ax)
    anim._draw_was_started = True  # type: ignore[attr-defined]
    return spikeplot.save_animation, {"anim": anim, "path": str(recordings() / "fuzz.gif")}


def events_of(name: str, rng: Random) -> Call:
    cls = getattr(found("snntorch.spikevision.spikedata"), name)
    given = {"root": str(recordings()), "download_and_create": False, "num_steps": T}
    return then(cls, lambda dataset: dataset[0]), given


def looked_up(rng: Random) -> Call:
    watched = net()
    monitor = SF.OutputMonitor(watched, snn.Leaky)
    watched(torch.rand(BATCH, 3))
    return monitor.__getitem__, {"key": "1"}


def learned(rng: Random) -> Call:
    layer, lif = nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True)
    learner = STDPLearner(layer, lif, 2.0, 2.0)
    lif(layer(torch.rand(BATCH, 3)))
    return learner.step, {"on_grad": False, "scale": 1.0}


DOORS = {door.name: door for door in doors()}


def forgotten() -> set[str]:
    """Return the public callables without a door."""
    known = set()
    for name, value in public().items():
        if name in DOORS or f"{name}.apply" in DOORS or inspect.ismodule(value):
            known.add(name)
    return set(public()) - known
