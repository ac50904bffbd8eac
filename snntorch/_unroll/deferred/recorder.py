"""Notes what a program does with tensors instead of doing it, until a value is needed."""

from __future__ import annotations

from threading import get_ident
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from snntorch._neurons._deferral import RECORDERS, can_note
from snntorch._neurons._states import StateModule
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import (
    apply_of,
    no_torch_function,
    tree_map,
)
from snntorch._unroll.deferred.aliases import is_alone, own_memory, share
from snntorch._unroll.deferred.arguments import (
    flat,
    form_of,
    identity_of,
    is_fact,
    name_of,
    taken,
    users_line,
)
from snntorch._unroll.deferred.columns import UNKNOWN, Chain, Operand, Operation, Rows
from snntorch._unroll.deferred.facts import are_same, facts_of
from snntorch._unroll.deferred.functions import HEAVY, anew, can_wait, writes, written
from snntorch._unroll.deferred.garbage import PUT_OFF
from snntorch._unroll.deferred.late import Late
from snntorch._unroll.deferred.modes import is_mode, mode_now, within
from snntorch._unroll.deferred.notes import Notes
from snntorch._unroll.deferred.outputs import outputs_of
from snntorch._unroll.deferred.placeholder import (
    Deferred,
    Meta,
    Slot,
    View,
    known,
    own_or_zero,
    value_of,
)
from snntorch._unroll.deferred.repeats import are_again, goes_on, pattern_of
from snntorch._unroll.deferred.report import Report
from snntorch._unroll.deferred.running import run_all

#: What gives as many entries as a mask has that are true, or does so without other arguments.
_COUNTED = (Tensor.__getitem__, torch.where, Tensor.where)
#: What gives all rows of a tensor, or one of them.
_ROWS = (Tensor.__getitem__, Tensor.unbind, Tensor.__iter__, torch.unbind)


class Recorder(TorchFunctionMode):
    """Notes operations; see `snntorch._unroll.deferred`.

    Args:
        chunk: After how many steps of a neuron to run what was noted; None for never.
    """

    def __init__(self, chunk: int | None = None) -> None:
        super().__init__()
        self.chunk, self.report = chunk, Report()
        self._notes: list[bool] = []  # in each block that it was entered for
        self._noted, self._late = Notes(), Late()
        self._keepers: dict[int, StateModule] = {}

    # --- the region ---------------------------------------------------------------------

    def __enter__(self) -> Recorder:
        self._notes.append(can_note())
        if self._notes[-1]:
            RECORDERS[get_ident()] = self
            PUT_OFF.begin()
            super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not self._notes.pop():
            return
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        RECORDERS.pop(get_ident(), None)
        if isinstance(error, KeyboardInterrupt):
            # it may have come amid a note, and who stops a program waits for no results
            self._noted, self._late = Notes(), Late()
        try:
            self._finish()
        finally:
            PUT_OFF.end()

    def _finish(self) -> None:
        """Run what still waits, and leave values behind."""
        try:
            self.flush()
        finally:
            with no_torch_function():
                self._leave_real_states()

    def _leave_real_states(self) -> None:
        """Put values where modules keep placeholders; zeros where an error left none."""
        for keeper in self._keepers.values():
            states = keeper._own_states()  # noqa: SLF001
            keeper._store(tuple(map(own_or_zero, states)))  # noqa: SLF001

    def keeps(self, module: StateModule) -> None:
        """Remember whose states may be placeholders."""
        self._keepers[id(module)] = module

    def wrap(self, one: Any) -> Any:
        """Return a tensor as one whose use is noted."""
        if type(one) is Tensor:
            return Deferred.of(known(one), self)
        return one

    def unwrap(self, one: Any) -> Any:
        """Return a value that is the caller's own."""
        if type(one) is not Deferred:
            return one
        value = self.value(one)
        with no_torch_function():
            return value.clone() if one.slot.is_row else value

    # --- torch functions ----------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note a function, or run it."""
        found = self._again(func, args, kwargs)
        return self._anew(func, args, kwargs or {}) if found is None else found

    def _anew(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Note a function that was not called here a time step ago, or run it."""
        if is_fact(func) and type(args[0]) is not Deferred:
            return func(*args, **kwargs)
        operands: list[Operand] = []
        placed: list[Any] = []
        spec = (form_of(args, operands, placed), form_of(tuple(kwargs.items()), operands, placed))
        waits = any(type(one) is Deferred for one in placed)
        if self._late.waits or self._noted.updated:
            waits = self._look_up(func, operands, placed) or waits
        # a tensor that is there may be the input over time, of which a step is taken
        taken_of = func is Tensor.__getitem__ and args[0].is_floating_point()
        if func in _ROWS and (waits or taken_of):
            found = self._rows(func, args, kwargs)
            if found is not None:
                return found
        if not waits and func not in HEAVY:
            targets = written(func, placed, kwargs)
            if targets and self._noted.read_any(targets):
                self.flush(f"{name_of(func)} writes to a tensor that waiting operations read")
            return func(*args, **kwargs)
        if writes(func):
            return self._in_place(func, args, kwargs)
        counted = (
            func in _COUNTED
            and (func is Tensor.__getitem__ or len(placed) == 1)
            and any(one.dtype is torch.bool for one in placed)
        )
        if counted or not can_wait(func) or "out" in kwargs or UNKNOWN in spec:
            return self.now(func, args, kwargs)
        return self._note(func, spec, operands, args, kwargs)

    def _again(self, func: Any, args: Any, kwargs: dict[str, Any] | None) -> Any:
        """Note what the program did here a time step ago, too; None if it is something else."""
        noted = self._noted
        column = noted.last.after
        if type(column) is not Operation or column.func != func or self._late.waits:
            return None
        likes, named, operands = column.pattern
        operands = operands.copy()
        given, names = ((*args, *kwargs, *kwargs.values()), len(kwargs)) if kwargs else (args, 0)
        if names != named or not are_again(given, likes, operands) or not is_mode(column.mode):
            return None
        if noted.full and column is noted.first:
            self.flush()
            return None
        reads = noted.updated and func is not torch.nn.functional.batch_norm
        if reads and any(id(one) in noted.updated for one in operands):
            return None
        outs = noted.add(column, operands, self)
        return outs[0] if column.gives_one else self._formed(column, outs, args, kwargs or {})

    def _note(
        self,
        func: Any,
        spec: Any,
        operands: list[Operand],
        args: Any,
        kwargs: Any,
        alone: bool = False,
    ) -> Any:
        mode = mode_now()
        gives = outputs_of(func, spec, operands, mode, args, kwargs, alone)
        if gives is None:
            return self.now(func, args, kwargs)
        by_id = func is torch.nn.functional.batch_norm
        if by_id and self._updates(args, kwargs, operands[0]):
            return self._note(func, spec, operands, args, kwargs, alone)
        key = (func, spec, mode, tuple([identity_of(one, by_id) for one in operands]), alone)
        column = self._noted.column(key)
        if column is not None and self._noted.full and column is self._noted.first:
            self.flush()
            column = None
        if column is None:
            same = not any(type(one) is Slot for one in operands)
            column = Operation(func, spec, mode, alone, gives, same)
            self._noted.begin(column, key)
        assert isinstance(column, Operation)
        column.pattern = pattern_of((*args, *kwargs, *kwargs.values()), len(kwargs))
        self._noted.hold(operands)
        outs = self._noted.add(column, operands, self)
        return outs[0] if column.gives_one else self._formed(column, outs, args, kwargs)

    def _formed(self, column: Operation, outs: list[Deferred], args: Any, kwargs: Any) -> Any:
        """Return several placeholders as a function gives them, or views as such."""
        _, kind, is_view = column.gives
        if is_view:
            for base in [one for one in flat(args) if type(one) is Deferred][:1]:
                for place, out in enumerate(outs):
                    of_several = None if kind is None else place
                    share(out, View(base, column.func, args, kwargs, of_several))
        return outs[0] if kind is None else kind(outs)

    def _rows(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Return rows of a tensor over time, if these are asked for; else None."""
        base, *rest = args
        if kwargs or not isinstance(base, Tensor) or base.dim() < 2:
            return None
        if func is Tensor.__getitem__:
            index = rest[0]
            if type(index) is not int or not -len(base) <= index < len(base):
                return None
            return self._row(base, index % len(base))
        if rest and rest[0] != 0:
            return None
        rows = tuple(self._row(base, index) for index in range(len(base)))
        return iter(rows) if func is Tensor.__iter__ else rows

    def _row(self, base: Tensor, index: int) -> Deferred:
        if self._noted.full:
            self.flush()  # who takes a row begins a step
        operand = taken(base)
        key = (Rows, id(operand))
        column = self._noted.column(key)
        if column is None:
            meta = Meta(base.shape[1:], base.dtype, base.device, base.requires_grad)
            column = Rows(operand, meta, mode_now())
            self._noted.begin(column, key, [operand])
        assert isinstance(column, Rows)
        row = Deferred.of(Slot(column.outs[0], index), self)
        share(row, View(base, Tensor.__getitem__, (base, index), {}))
        return row

    # --- writing --------------------------------------------------------------------------

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Give a placeholder another value; a tensor that is there gets it at the end."""
        target, other = args[0], anew(func)
        if func is Tensor.__setitem__ and self._late.write_row(*args):
            return None
        # a write that autograd does not see leaves the graph of what was there
        seen = torch.is_grad_enabled() or not target.requires_grad
        if other is not None and seen and is_alone(target):
            current = self._late.current(target)
            new = self.__torch_function__(other, (), (current, *args[1:]), kwargs)
            if type(new) is Deferred and (new.shape, new.dtype) == (target.shape, target.dtype):
                if type(target) is Deferred:
                    target.slot = new.slot
                else:
                    self._late.rebind(target, new)
                return target
        return self.now(func, args, kwargs)

    def _updates(self, args: Any, kwargs: Any, source: Operand) -> bool:
        """Note that running statistics will change; returns whether something ran before."""
        running = [args[1] if len(args) > 1 else kwargs.get("running_mean")]
        running += [args[2] if len(args) > 2 else kwargs.get("running_var")]
        training = args[5] if len(args) > 5 else kwargs.get("training", False)
        column = id(source.source.column) if type(source) is Slot else None
        for one in running if training else ():
            if one is not None and self._noted.updated.setdefault(id(one), column) != column:
                self.flush("one layer normalizes at several places")
                return True
        return False

    def _look_up(self, func: Any, operands: list[Operand], placed: list[Any]) -> bool:
        """Take the latest value of each tensor; returns whether one waits for its own."""
        found = False
        for place, one in enumerate(placed):
            if type(one) is Deferred:
                continue
            latest = self._late.current(one)
            if latest is not one and not writes(func):
                operands[place], found = taken(latest), True
            elif self._is_stale(func, one):
                self.flush(f"{name_of(func)} reads a tensor that was written to")
        return found

    def _is_stale(self, func: Any, one: Tensor) -> bool:
        """Return whether a function would look at memory before what waits is written to it."""
        if is_fact(func):
            return False
        if id(one) in self._noted.updated:
            return func is not torch.nn.functional.batch_norm
        return self._late.is_stale(one, written_to=func is Tensor.__setitem__)

    # --- values ---------------------------------------------------------------------------

    def now(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a function of the values."""
        self.flush(f"{name_of(func)} needs a value")
        target = args[0] if args and type(args[0]) is Deferred and writes(func) else None
        if target is not None:
            own_memory(target)
        args, kwargs = tree_map(value_of, (args, kwargs))
        out = func(*args, **kwargs)
        if target is None or out is not args[0]:
            return out
        target.slot = known(out)  # what is known of it may have changed
        return target

    def value(self, one: Deferred) -> Tensor:
        """Return the value of a placeholder."""
        slot = one.slot
        if not slot.is_computed():
            column = slot.source.column
            if isinstance(column, Rows) and isinstance(column.base, Tensor):
                with within(column.mode):  # it may be used with its graph later
                    return slot.settle(column.base[slot.index])
            self.flush("its value is needed")
            if not slot.is_computed():
                raise RuntimeError(
                    "snn.fuse or snn.deferred was interrupted before it computed this value. "
                    "Run the loop again."
                )
        return slot.real()

    def flush(self, reason: str = "") -> None:
        """Run all that was noted."""
        if self._noted.columns or self._late.waits:
            with no_torch_function():
                if reason:
                    self.report.asked(reason, users_line())
                columns, self._noted = self._noted.columns, Notes()
                active = RECORDERS.pop(get_ident(), None)
                try:
                    run_all(columns, self.report)
                    self._late.write_back()
                finally:
                    if active is not None:
                        RECORDERS[get_ident()] = active

    # --- neurons --------------------------------------------------------------------------

    def neuron_step(
        self, neuron: SpikingNeuron, input_: Any, given: tuple[Any, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Note one step, and leave its states on the neuron; returns its spikes, and those."""
        noted, operands = self._noted, None
        latest = noted.last.after
        if type(latest) is Chain and latest.neuron is neuron:
            if noted.full and latest is noted.first:
                self.flush()
            elif not self._late.waits:
                chain, operands = latest, goes_on(latest, input_, given)
        if operands is None:
            with no_torch_function():
                chain, operands = self._chain(neuron, input_, given)
        outs = self._noted.add(chain, operands, self)
        if self.chunk is not None and len(chain) >= self.chunk:
            self.flush()
        own, states = neuron._buffers, tuple(outs[chain.first :])  # noqa: SLF001
        for name, state in zip(neuron.state_names, states):  # noqa: B905 (as long)
            own[name] = state
        return outs[0], states

    def _chain(
        self, neuron: SpikingNeuron, input_: Any, given: tuple[Any, ...]
    ) -> tuple[Chain, list[Operand]]:
        """Return the steps that a step of a neuron goes on from, and what it takes."""
        raw, (input_, *given_now) = input_, (self._latest(neuron, one) for one in (input_, *given))
        shape = neuron.state_shape(input_)
        given_now = [
            self.value(one) if type(one) is Deferred and one.shape != shape else one
            for one in given_now
        ]
        input_, states = neuron._states(input_, tuple(given_now))  # noqa: SLF001
        states = tuple(self._latest(neuron, one) for one in states)
        operands = [taken(state) for state in states]
        mode, facts = mode_now(), facts_of(neuron)
        chain = operands[0].source.column if operands and type(operands[0]) is Slot else None
        if (
            type(chain) is not Chain
            or chain.done
            or chain.neuron is not neuron
            or chain.mode != mode
            or not chain.left(operands)
        ):
            own = list(neuron.parameters())
            chain = Chain(neuron, operands, facts, mode, any(one.requires_grad for one in own))
            self._noted.begin(chain, chain, [*[fact for *_, fact in facts], *operands, *own])
        elif not are_same(chain.facts):
            self.flush(f"a parameter of {type(neuron).__name__} was replaced")
            return self._chain(neuron, raw, given)
        dtype = states[0].dtype
        if dtype is not input_.dtype:
            dtype = torch.promote_types(dtype, input_.dtype)
        learns = mode.grad and (
            chain.learns or input_.requires_grad or any(s.requires_grad for s in states)
        )
        like = Meta(torch.Size(shape), dtype, input_.device, learns)
        chain.will_give(like)
        chain.like = UNKNOWN
        if input_ is raw:
            chain.like = raw.slot.source if type(raw) is Deferred else raw
        self.keeps(neuron)
        current = [taken(input_)]
        self._noted.hold(current)
        return chain, current

    def _latest(self, neuron: SpikingNeuron, one: Any) -> Any:
        """Return the latest value of what a neuron takes."""
        as_it_is = not (self._late.waits or self._noted.updated)
        if as_it_is or type(one) is Deferred or not isinstance(one, Tensor):
            return one
        if self._is_stale(type(neuron), one):
            self.flush(f"{type(neuron).__name__} reads a tensor that was written to")
        return self._late.current(one)

    # --- custom functions -----------------------------------------------------------------

    def function(self, cls: Any, args: Any, alone: bool) -> Any:
        """Note the call of an autograd function."""
        operands: list[Operand] = []
        placed: list[Any] = []
        func = apply_of(cls)
        found = self._again(func, args, {})
        if found is not None:
            return found
        spec = (form_of(args, operands, placed), (tuple,))
        self._look_up(func, operands, placed)
        if UNKNOWN in spec:
            return self.now(func, args, {})
        return self._note(func, spec, operands, args, {}, alone)
