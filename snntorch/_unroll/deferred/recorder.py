"""Notes what a program does with tensors instead of doing it, until a value is needed."""

from __future__ import annotations

import itertools
import weakref
from threading import get_ident
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from snntorch import surrogate
from snntorch._neurons._deferral import RECORDERS, recorder
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import (
    apply_of,
    is_traced,
    is_transformed,
    memory_of,
    no_torch_function,
    tree_map,
    watch_functions,
)
from snntorch._unroll.deferred.arguments import (
    flat,
    form_of,
    identity_of,
    is_fact,
    is_unknown,
    mode_now,
    name_of,
    taken,
    users_line,
)
from snntorch._unroll.deferred.columns import (
    Chain,
    Column,
    Node,
    Operand,
    Operation,
    Rows,
)
from snntorch._unroll.deferred.functions import HEAVY, anew, can_wait, writes, written
from snntorch._unroll.deferred.late import Late
from snntorch._unroll.deferred.outputs import outputs_of
from snntorch._unroll.deferred.placeholder import (
    FOREIGN,
    Deferred,
    Meta,
    Slot,
    View,
    known,
    living,
    own_or_zero,
    value_of,
)
from snntorch._unroll.deferred.report import Report
from snntorch._unroll.deferred.running import run_all, snapshot

#: What gives as many entries as a mask has that are true, or does so without other arguments.
_COUNTED = (Tensor.__getitem__, torch.where, Tensor.where)
#: What gives all rows of a tensor, or one of them.
_ROWS = (Tensor.__getitem__, Tensor.unbind, Tensor.__iter__, torch.unbind)


def can_note() -> bool:
    """Return whether nobody notes already, nor records or transforms what is run."""
    return recorder() is None and not (is_traced() or is_transformed())


class Recorder(TorchFunctionMode):
    """Notes operations; see `snntorch._unroll.deferred`.

    Args:
        chunk: After how many steps of a neuron to run what was noted; None for never.
    """

    def __init__(self, chunk: int | None = None) -> None:
        super().__init__()
        self.chunk, self.report, self._notes = chunk, Report(), False
        self._order = itertools.count()
        self._columns: dict[Any, Column] = {}
        self._pending: list[Column] = []
        self._late = Late()
        self._neurons: dict[int, SpikingNeuron] = {}
        #: Tensors that waiting operations take, and statistics that they update.
        self._held: dict[int, Tensor] = {}
        self._updated: dict[int, Any] = {}

    # --- the region ---------------------------------------------------------------------

    def __enter__(self) -> Recorder:
        self._notes = can_note()
        if self._notes:
            RECORDERS[get_ident()] = self
            super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not self._notes:
            return
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        del RECORDERS[get_ident()]
        try:
            self.flush()
        finally:
            with no_torch_function():
                self._leave_real_states()

    def _leave_real_states(self) -> None:
        """Put values where neurons keep placeholders; zeros where an error left none."""
        for neuron in self._neurons.values():
            states = neuron._own_states()  # noqa: SLF001
            neuron._store(tuple(map(own_or_zero, states)))  # noqa: SLF001

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
        kwargs = kwargs or {}
        operands: list[Operand] = []
        placed: list[Any] = []
        spec = (form_of(args, operands, placed), form_of(tuple(kwargs.items()), operands, placed))
        waits = any(type(one) is Deferred for one in placed)
        if self._late or self._updated:
            waits = self._look_up(func, operands, placed) or waits
        if not waits and func not in HEAVY:
            rows = func is Tensor.__getitem__ and args[0].is_floating_point()
            found = self._rows(func, args, kwargs) if rows else None
            if found is not None:
                return found
            self._before_writing(func, written(func, placed, kwargs))
            return func(*args, **kwargs)
        if func in _ROWS:
            found = self._rows(func, args, kwargs)
            if found is not None:
                return found
        if writes(func):
            return self._in_place(func, args, kwargs)
        counted = (
            func in _COUNTED
            and (func is Tensor.__getitem__ or len(placed) == 1)
            and any(one.dtype is torch.bool for one in placed)
        )
        if counted or not can_wait(func) or "out" in kwargs or is_unknown(spec):
            return self.now(func, args, kwargs)
        return self._note(func, spec, operands, args, kwargs)

    def _before_writing(self, func: Any, targets: list[Any]) -> None:
        """Run what waits, if it reads the memory that is about to be written to."""
        if targets and self._held and self._pending:
            with no_torch_function():
                held = {memory_of(one) for one in self._held.values()}
                shared = held.intersection(map(memory_of, targets))
            if shared:
                self.flush(f"{name_of(func)} writes to a tensor that waiting operations read")

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
        found = outputs_of(func, spec, operands, mode, args, kwargs, alone)
        if found is None:
            return self.now(func, args, kwargs)
        metas, kind, is_view = found
        by_id = func is torch.nn.functional.batch_norm
        if by_id and self._updates(args, kwargs, operands[0]):
            return self._note(func, spec, operands, args, kwargs, alone)
        key = (func, spec, mode, tuple([identity_of(one, by_id) for one in operands]), alone)
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = Operation(func, spec, mode, alone)
            self._pending.append(column)
        outs = self._outs(column, operands, metas)
        if is_view:
            base = next((one for one in flat(args) if type(one) is Deferred), None)
            for out in outs if base is not None else ():
                assert base is not None
                out.origin = View(base, func, args, kwargs)
                base.views = [*(base.views or ()), weakref.ref(out)]
        return outs[0] if kind is None else kind(outs)

    def _outs(self, column: Column, operands: list[Operand], metas: Any) -> list[Deferred]:
        """Add a node to a column; returns placeholders of what it gives."""
        node = Node(operands, next(self._order), len(column.nodes))
        column.nodes.append(node)
        for one in operands:
            if type(one) is not Slot:
                self._held[id(one)] = one  # type: ignore[assignment]
        slots = [Slot(column, place, node.index, meta) for place, meta in enumerate(metas)]
        node.outs = [weakref.ref(slot) for slot in slots]
        return [Deferred.of(slot, self) for slot in slots]

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
        operand = taken(base)
        key = (Rows, id(operand))
        column = self._columns.get(key)
        if column is None:
            mode = mode_now()
            column = self._columns[key] = Rows(operand, mode)
            self._pending.append(column)
            if isinstance(operand, Tensor):
                self._held[id(operand)] = operand
        meta = Meta(base.shape[1:], base.dtype, base.device, base.requires_grad)
        row = Deferred.of(Slot(column, 0, index, meta), self)
        row.origin = View(base, Tensor.__getitem__, (base, index), {})
        if type(base) is Deferred:
            base.views = [*(base.views or ()), weakref.ref(row)]
        return row

    # --- writing --------------------------------------------------------------------------

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Give a placeholder another value; a tensor that is there gets it at the end."""
        target, other = args[0], anew(func)
        if func is Tensor.__setitem__ and self._late.write_row(*args):
            return None
        if other is not None and self._is_alone(target):
            current = self._late.current(target)
            new = self.__torch_function__(other, (), (current, *args[1:]), kwargs)
            if type(new) is Deferred and (new.shape, new.dtype) == (target.shape, target.dtype):
                if type(target) is Deferred:
                    target.slot = new.slot
                else:
                    self._late.rebind(target, new)
                return target
        return self.now(func, args, kwargs)

    def _is_alone(self, target: Any) -> bool:
        """Return whether a tensor's memory is its own, and nothing forbids to write to it."""
        if type(target) is Deferred:
            foreign = target.slot.out == FOREIGN
            return not (foreign or target.origin or living(target.views))
        return type(target) is Tensor and target._base is None and not target.requires_grad  # noqa: SLF001

    def _updates(self, args: Any, kwargs: Any, source: Operand) -> bool:
        """Note that running statistics will change; returns whether something ran before."""
        running = [args[1] if len(args) > 1 else kwargs.get("running_mean")]
        running += [args[2] if len(args) > 2 else kwargs.get("running_var")]
        training = args[5] if len(args) > 5 else kwargs.get("training", False)
        column = id(source.column) if type(source) is Slot else None
        for one in running if training else ():
            if one is not None and self._updated.setdefault(id(one), column) != column:
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
        if id(one) in self._updated:
            return func is not torch.nn.functional.batch_norm
        return self._late.is_stale(one, written_to=func is Tensor.__setitem__)

    # --- values ---------------------------------------------------------------------------

    def now(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a function of the values."""
        self.flush(f"{name_of(func)} needs a value")
        target = args[0] if args and type(args[0]) is Deferred and writes(func) else None
        if target is not None:
            self._own_memory(target)
        args, kwargs = tree_map(value_of, (args, kwargs))
        out = func(*args, **kwargs)
        if target is None or out is not args[0]:
            return out
        target.slot = known(out)  # what is known of it may have changed
        return target

    def _own_memory(self, target: Deferred) -> None:
        """Give a placeholder and its views the memory that they share in the program."""
        root = target
        while root.origin is not None and type(root.origin.base) is Deferred:
            root = root.origin.base
        if root.origin is not None:  # a row of a tensor that is there
            root.slot = known(root.origin.func(*root.origin.args))
        elif root.slot.out != FOREIGN:
            root.slot = known(self.value(root).clone())
        waiting = [root]
        while waiting:
            for view in living(waiting.pop().views):
                assert view.origin is not None
                made = view.origin.func(*tree_map(value_of, view.origin.args), **view.origin.kwargs)
                view.slot = known(made)
                waiting.append(view)

    def value(self, one: Deferred) -> Tensor:
        """Return the value of a placeholder."""
        slot = one.slot
        if slot.value is None and (slot.column is None or not slot.column.done):
            if isinstance(slot.column, Rows) and isinstance(slot.column.base, Tensor):
                slot.value = slot.column.base[slot.index]
                return slot.value
            self.flush("its value is needed")
        return slot.real()

    def flush(self, reason: str = "") -> None:
        """Run all that was noted."""
        if self._pending or self._late:
            with no_torch_function():
                if reason:
                    self.report.asked(reason, users_line())
                pending, self._pending = self._pending, []
                self._columns, self._held, self._updated = {}, {}, {}
                active = RECORDERS.pop(get_ident(), None)
                try:
                    run_all(pending, self.report)
                    self._late.write_back()
                finally:
                    if active is not None:
                        RECORDERS[get_ident()] = active

    # --- neurons --------------------------------------------------------------------------

    def neuron_step(
        self, neuron: SpikingNeuron, input_: Any, given: tuple[Any, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Note one step; returns its spikes and the states that it leaves."""
        with no_torch_function():
            input_, *given_now = (self._latest(neuron, one) for one in (input_, *given))
            shape = neuron.state_shape(input_)
            given = tuple(
                self.value(one) if type(one) is Deferred and one.shape != shape else one
                for one in given_now
            )
            input_, states = neuron._states(input_, given)  # noqa: SLF001
            states = tuple(self._latest(neuron, one) for one in states)
            operands = [taken(state) for state in states]
            mode, facts = mode_now(), snapshot(neuron)
            chain = operands[0].column if operands and type(operands[0]) is Slot else None
            if (
                type(chain) is not Chain
                or chain.done
                or chain.neuron is not neuron
                or chain.mode != mode
                or any(one is not two for one, two in zip(operands, chain.newest, strict=True))
            ):
                chain = Chain(neuron, operands, facts, mode)
                self._pending.append(chain)
                read = [*facts, *operands, *neuron.parameters()]
                self._held.update((id(one), one) for one in read if isinstance(one, Tensor))
            elif any(a is not b for a, b in zip(chain.facts, facts, strict=True)):
                self.flush(f"a parameter of {type(neuron).__name__} was replaced")
                return self.neuron_step(neuron, input_, given)
            dtype = torch.promote_types(states[0].dtype, input_.dtype)
            learns = mode.grad and (
                chain.learns or input_.requires_grad or any(s.requires_grad for s in states)
            )
            like = Meta(torch.Size(shape), dtype, input_.device, learns)
            outs = self._outs(chain, [taken(input_)], [like] * len(chain.names))
            by_name = dict(zip(chain.names, outs, strict=True))
            new = tuple(by_name[name] for name in neuron.state_names)
            chain.newest = [state.slot for state in new]
            self._neurons[id(neuron)] = neuron
        if self.chunk is not None and len(chain.nodes) >= self.chunk:
            self.flush()
        return by_name["spk"], new

    def _latest(self, neuron: SpikingNeuron, one: Any) -> Any:
        """Return the latest value of what a neuron takes."""
        if type(one) is Deferred or not isinstance(one, Tensor):
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
        spec = (form_of(args, operands, placed), (tuple,))
        self._look_up(func, operands, placed)
        if is_unknown(spec):
            return self.now(func, args, {})
        return self._note(func, spec, operands, args, {}, alone)


def _watch(cls: Any, args: tuple[Any, ...]) -> tuple[bool, Any]:
    """Note an autograd function called with placeholders, or give it their values."""
    for one in args:
        if type(one) is Deferred:
            noted = recorder()
            if isinstance(noted, Recorder):
                pointwise = getattr(surrogate, cls.__name__, None) is cls
                return True, noted.function(cls, args, cls in _ALONE or not pointwise)
            return False, tuple(map(value_of, args))
    return False, args


#: Surrogates whose gradient is of a user's, or drawn at random.
_ALONE = (surrogate.CustomSurrogate, surrogate.StochasticSpikeOperator)
watch_functions(_watch)
