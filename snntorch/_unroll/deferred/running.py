"""Runs what was noted: column by column, and step by step only where values go in circles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from snntorch._neurons._unroll import Sequence as OverTime
from snntorch._neurons._unroll import run_from, step_from
from snntorch._unroll.deferred import rules
from snntorch._unroll.deferred.columns import Chain, Column, Node, Operand, Operation, Rows
from snntorch._unroll.deferred.facts import as_noted
from snntorch._unroll.deferred.modes import within
from snntorch._unroll.deferred.placeholder import Slot
from snntorch._unroll.deferred.report import Report
from snntorch._unroll.keeping import keeping


def run_all(columns: list[Column], report: Report) -> None:
    """Run columns in an order in which each finds what it takes; none is kept any longer."""
    groups = _in_order(columns)[::-1]
    columns.clear()
    while groups:
        group = groups.pop()
        if len(group) == 1 and not _feeds_itself(group[0]):
            _run(group[0], report)
        else:
            _run_in_step(group, report)
        for column in group:
            column.forget()


def _needs(column: Column) -> Iterator[Column]:
    """Yield the columns that have to run before a column."""
    seen = set()
    for operand in column.sources():
        if type(operand) is Slot and operand.column is not None and not operand.column.done:
            before = operand.column
            if id(before) not in seen:
                seen.add(id(before))
                yield before


def _feeds_itself(column: Column) -> bool:
    return any(before is column for before in _needs(column))


def _in_order(columns: list[Column]) -> list[list[Column]]:
    """Return the strongly connected components (R. Tarjan, 1972), those needed first."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[Column] = []
    on_stack: set[int] = set()
    groups: list[list[Column]] = []
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
                    groups.append(group)
            elif id(following) not in number:
                number[id(following)] = low[id(following)] = len(number)
                stack.append(following)
                on_stack.add(id(following))
                work.append((following, iter(list(_needs(following)))))
            elif id(following) in on_stack:
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
    nodes, name = column.nodes, column.func.__name__
    if len(nodes) == 1:
        column.finish_node(nodes[0], _tuple(_called(column, nodes[0])))
        column.done = True
        report.ran(name, "once", 1, 1)
        return
    places, any_order = range(len(nodes[0].operands)), column.func in rules.ANY_ORDER
    gathered = [gather([node.operands[place] for node in nodes], any_order) for place in places]
    same = all(shared for _, shared in gathered)
    if not column.alone:
        turns = column.func is torch.conv2d or _takes_turned(column)
        if same and column.func not in rules.RANDOM:
            column.turned = any_order and turns
            _finish(column, rules.once(column, gathered, len(nodes)), shared=True)
            report.ran(name, "once, for all steps", len(nodes), 1)
            return
        with keeping(*[one for one, _ in gathered]):
            found = rules.run(column, gathered, len(nodes))
        if found is not None:
            column.turned = any_order and turns
            _finish(column, found)
            report.ran(name, "as one batch", len(nodes), 1)
            return
    for node in nodes:
        values = rules.call(column, [_real(one) for one in node.operands])
        column.finish_node(node, _tuple(values))
    column.done = True
    report.ran(name, "step by step", len(nodes), len(nodes))


def _takes_turned(column: Column) -> bool:
    """Return whether anything that a column takes may have another order in memory than usual."""
    return any(
        type(one) is Slot and one.column is not None and one.column.turned
        for node in column.nodes
        for one in node.operands
    )


def _called(column: Operation, node: Node) -> Any:
    """Return what one call gives; rows that a column computed are stacked as they are."""
    if rules.stacks_rows(column):
        rows, shared = gather(node.operands)
        return rows.expand(len(node.operands), *rows.shape).clone() if shared else rows.clone()
    return rules.call(column, [_real(one) for one in node.operands])


def _finish(column: Operation, found: Any, shared: bool = False) -> None:
    column.finish([*_tuple(found)], shared)


def _tuple(found: Any) -> tuple[Tensor, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _run_chain(chain: Chain, report: Report) -> None:
    neuron, nodes = chain.neuron, chain.nodes
    name, steps = type(neuron).__name__, len(nodes)
    rows, shared = gather([node.operands[0] for node in nodes], any_order=True)
    states = tuple(_real(one) for one in chain.start)
    wanted = [node.wanted() for node in nodes]
    kept = tuple(
        name
        for place, name in enumerate(chain.names)
        if any(row[place] is not None for row in wanted[: -1 if name != "spk" else None])
    )
    x = OverTime(rows.unsqueeze(0) if shared else rows, steps)
    with as_noted(chain.facts):
        recorded, last, reason = run_from(neuron, x, states, kept)
    how = "over all time" if steps > 1 else "once"  # where something comes between its steps
    report.ran(name, f"step by step: {reason}" if reason else how, steps, steps if reason else 1)
    ends = dict(zip(neuron.state_names, last, strict=True))
    for place, output in enumerate(chain.names):
        newest = wanted[-1][place]
        if output not in kept and newest is not None:
            newest.value, newest.column = ends[output], None
    nothing = rows.new_empty(0)
    chain.turned = True
    chain.finish([recorded.get(output, nothing) for output in chain.names])


# --- a group whose values go in circles -----------------------------------------------------


def _run_in_step(group: list[Column], report: Report) -> None:
    """Run operations one by one, in the order of the program."""
    states: dict[int, tuple[Tensor, ...]] = {}
    nodes = [(node, column) for column in group for node in column.nodes]
    nodes.sort(key=lambda pair: pair[0].order)
    rows = [column for column in group if type(column) is Rows]
    for node, column in nodes:
        if type(column) is Rows:
            continue
        for one in rows:
            if not one.done and _is_there(one.base):
                one.finish([_real(one.base)])
        with within(column.mode):
            if type(column) is Chain:
                neuron = column.neuron
                if id(column) not in states:
                    states[id(column)] = tuple(_real(one) for one in column.start)
                with as_noted(column.facts):
                    values, new = step_from(neuron, _real(node.operands[0]), states[id(column)])
                states[id(column)] = new
                column.finish_node(node, [values[name] for name in column.names])
            else:
                assert type(column) is Operation
                values = rules.call(column, [_real(one) for one in node.operands])
                column.finish_node(node, _tuple(values))
    for column in group:
        column.done = True
        if type(column) is Chain:
            what = type(column.neuron).__name__
        else:
            what = getattr(getattr(column, "func", None), "__name__", "rows")
        count = len(column.nodes)
        report.ran(what, "step by step: its output comes back to it", count, count)


def _is_there(operand: Operand) -> bool:
    return (
        type(operand) is not Slot
        or operand.value is not None
        or (operand.column is not None and operand.column.done)
    )


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
        if type(one) is not Slot or one.value is not None or one.column is None:
            runs.append(_real(one).unsqueeze(0))
            place += 1
            continue
        column, out, start = one.column, one.out, one.index
        end = place + 1
        while end < len(operands):
            other = operands[end]
            if (
                type(other) is not Slot
                or other.column is not column
                or other.out != out
                or other.value is not None
                or (
                    other.index != (start if column.shared else start + end - place)
                    and not column.shared
                )
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
