"""Runs what was noted: column by column, and step by step only where values go in circles."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from snntorch._neurons._unroll import Sequence as OverTime
from snntorch._neurons._unroll import run_from, step_from
from snntorch._unroll.deferred import rules
from snntorch._unroll.deferred.columns import Chain, Column, Operand, Operation, Rows
from snntorch._unroll.deferred.facts import as_noted
from snntorch._unroll.deferred.modes import within
from snntorch._unroll.deferred.placeholder import Slot
from snntorch._unroll.deferred.report import Report
from snntorch._unroll.keeping import keeping


def run_all(columns: list[Column], report: Report) -> None:
    """Run columns in an order in which each finds what it takes; none is kept any longer."""
    # an interrupt may have left one without operations
    groups = _in_order([one for one in columns if len(one) or type(one) is Rows])[::-1]
    columns.clear()
    while groups:
        group, circles = groups.pop()
        if circles:
            _run_in_step(group, report)
        else:
            _run(group[0], report)
        for column in group:
            column.forget()


def _needs(column: Column) -> Iterator[Column]:
    """Yield the columns that have to run before a column."""
    seen = set()
    for operand in column.sources():
        before = operand.source.column if type(operand) is Slot else None
        if before is not None and not before.done and id(before) not in seen:
            seen.add(id(before))
            yield before


def _in_order(columns: list[Column]) -> list[tuple[list[Column], bool]]:
    """Return the strongly connected components (R. Tarjan, 1972), those needed first.

    With each it is told whether values go in circles there.
    """
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[Column] = []
    on_stack: set[int] = set()
    need_themselves: set[int] = set()
    groups: list[tuple[list[Column], bool]] = []
    for root in columns:
        if id(root) in number:
            continue
        work = [(root, iter(list(_needs(root))))]
        number[id(root)] = low[id(root)] = len(number)
        stack.append(root)
        on_stack.add(id(root))
        while work:
            column, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    above = id(work[-1][0])
                    low[above] = min(low[above], low[id(column)])
                if low[id(column)] == number[id(column)]:
                    group = []
                    while True:
                        one = stack.pop()
                        on_stack.discard(id(one))
                        group.append(one)
                        if one is column:
                            break
                    groups.append((group, len(group) > 1 or id(column) in need_themselves))
            elif id(following) not in number:
                number[id(following)] = low[id(following)] = len(number)
                stack.append(following)
                on_stack.add(id(following))
                work.append((following, iter(list(_needs(following)))))
            elif id(following) in on_stack:
                if following is column:
                    need_themselves.add(id(column))
                low[id(column)] = min(low[id(column)], number[id(following)])
    return groups


# --- one column ---------------------------------------------------------------------------


def _run(column: Column, report: Report) -> None:
    with within(column.mode):
        if type(column) is Rows:
            column.finish([_real(column.base)])
        elif type(column) is Chain:
            _run_chain(column, report)
        else:
            assert type(column) is Operation
            _run_operation(column, report)


def _run_operation(column: Operation, report: Report) -> None:
    count, name = len(column), column.func.__name__
    if count == 1:
        column.finish_one(0, _tuple(_called(column)))
        column.done = True
        report.ran(name, "once", 1, 1)
        return
    width, any_order = len(column.taken) // count, column.func in rules.ANY_ORDER
    gathered = [gather(column.taken[place::width], any_order) for place in range(width)]
    same = all(shared for _, shared in gathered)
    if not column.alone:
        turns = column.func is torch.conv2d or _takes_turned(column)
        if same and column.func not in rules.RANDOM:
            column.turned = any_order and turns
            _finish(column, rules.once(column, gathered, count), shared=True)
            report.ran(name, "once, for all steps", count, 1)
            return
        with keeping(*[one for one, _ in gathered]):
            found = rules.run(column, gathered, count)
        if found is not None:
            column.turned = any_order and turns
            _finish(column, found)
            report.ran(name, "as one batch", count, 1)
            return
    for index in range(count):
        values = rules.call(column, [_real(one) for one in column.operands(index)])
        column.finish_one(index, _tuple(values))
    column.done = True
    report.ran(name, "step by step", count, count)


def _takes_turned(column: Column) -> bool:
    """Return whether anything that a column takes may have another order in memory than usual."""
    return any(
        type(one) is Slot and one.source.column is not None and one.source.column.turned
        for one in column.taken
    )


def _called(column: Operation) -> Any:
    """Return what a lone call gives; rows that a column computed are stacked as they are."""
    if rules.stacks_rows(column):
        rows, shared = gather(column.taken)
        return rows.expand(len(column.taken), *rows.shape).clone() if shared else rows.clone()
    return rules.call(column, [_real(one) for one in column.taken])


def _finish(column: Operation, found: Any, shared: bool = False) -> None:
    column.finish([*_tuple(found)], shared)


def _tuple(found: Any) -> tuple[Tensor, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _run_chain(chain: Chain, report: Report) -> None:
    neuron, steps = chain.neuron, len(chain)
    name = type(neuron).__name__
    rows, shared = gather(chain.taken, any_order=True)
    states = tuple(_real(one) for one in chain.start)
    wanted = {name: chain.wanted(place) for place, name in enumerate(chain.names)}
    kept = tuple(
        name
        for name, slots in wanted.items()
        if any(slot is not None for slot in slots[: -1 if name != "spk" else None])
    )
    x = OverTime(rows.unsqueeze(0) if shared else rows, steps)
    with as_noted(chain.facts):
        recorded, last, reason = run_from(neuron, x, states, kept)
    how = "over all time" if steps > 1 else "once"  # where something comes between its steps
    report.ran(name, f"step by step: {reason}" if reason else how, steps, steps if reason else 1)
    ends = dict(zip(neuron.state_names, last, strict=True))
    for output, slots in wanted.items():
        newest = slots[-1]
        if output not in kept and newest is not None:
            newest.settle(ends[output])
    nothing = rows.new_empty(0)
    chain.turned = True
    chain.finish([recorded.get(output, nothing) for output in chain.names])


# --- a group whose values go in circles -----------------------------------------------------


def _run_in_step(group: list[Column], report: Report) -> None:
    """Run operations one by one, in the order of the program."""
    states: dict[int, tuple[Tensor, ...]] = {}
    calls = [(order, column) for column in group for order in column.order]
    calls.sort(key=lambda call: call[0])
    indices = {id(column): itertools.count() for column in group}
    rows = [column for column in group if type(column) is Rows]
    for _, column in calls:
        index = next(indices[id(column)])
        for one in rows:
            if not one.done and _is_there(one.base):
                one.finish([_real(one.base)])
        with within(column.mode):
            operands = [_real(one) for one in column.operands(index)]
            if type(column) is Chain:
                neuron = column.neuron
                if id(column) not in states:
                    states[id(column)] = tuple(_real(one) for one in column.start)
                with as_noted(column.facts):
                    values, new = step_from(neuron, operands[0], states[id(column)])
                states[id(column)] = new
                column.finish_one(index, [values[name] for name in column.names])
            else:
                assert type(column) is Operation
                column.finish_one(index, _tuple(rules.call(column, operands)))
    for column in group:
        column.done = True
        if type(column) is Chain:
            what = type(column.neuron).__name__
        else:
            what = getattr(getattr(column, "func", None), "__name__", "rows")
        count = len(column)
        report.ran(what, "step by step: its output comes back to it", count, count)


def _is_there(operand: Operand) -> bool:
    return type(operand) is not Slot or operand.is_computed()


# --- operands -------------------------------------------------------------------------------


def _real(operand: Operand) -> Tensor:
    return operand.real() if isinstance(operand, Slot) else operand


def gather(operands: Sequence[Operand], any_order: bool = False) -> tuple[Tensor, bool]:
    """Return operands as rows of one tensor, or the one that all of them are.

    Rows that follow each other in what a column computed are a view of it. In memory they are as
    the program would have them, if any order will not do.
    """
    first = operands[0]
    if all(one is first for one in operands):
        return _real(first), True
    runs: list[Tensor] = []
    place = 0
    while place < len(operands):
        one = operands[place]
        column = one.source.column if type(one) is Slot else None
        if type(one) is not Slot or column is None:
            runs.append(_real(one).unsqueeze(0))
            place += 1
            continue
        out, start = one.source.out, one.index
        end = place + 1
        while end < len(operands):
            other = operands[end]
            if (
                type(other) is not Slot
                or other.source.column is not column
                or other.source.out != out
                or (other.index != start + end - place and not column.shared)
            ):
                break
            end += 1
        buffer = column.buffer(out, any_order) if column.buffers else None
        if buffer is None:  # its nodes ran one by one
            runs.append(_real(one).unsqueeze(0))
            end = place + 1
        elif column.shared:
            if place == 0 and end == len(operands):
                return buffer, True
            runs.append(buffer.unsqueeze(0).expand(end - place, *buffer.shape))
        elif start == 0 and end - place == len(buffer):
            runs.append(buffer)
        else:
            runs.append(buffer[start : start + end - place])
        place = end
    return (runs[0] if len(runs) == 1 else torch.cat(runs)), False
