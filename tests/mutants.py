"""Whether the tests would notice: every small change of the sources, one at a time.

``make mutants``, or ``python tests/mutants.py --area loss --sample 50``. Changes are made
mechanically, in a copy of the sources each: operators flipped, terms, statements and checks
dropped, selections swapped, constants moved, in Python, in C and in Triton. A change that the
tests of its area let pass is printed; so is how many they found.
"""

from __future__ import annotations

import argparse
import ast
import collections
import copy
import importlib
import itertools
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
#: Where the copies are: on the same file system, as they are made of links.
WORK = ROOT / "out" / "mutants"
COMPILE = ("gcc", "-shared", "-fPIC", "-w", "-O0", "-std=gnu11", "-ffp-contract=off")

#: What of a neuron is its equation.
EQUATION = re.compile(
    "_*(step|step_parameters|tau_alpha|readout|excess|over_threshold|crossing|subtract|resets?"
    "|moved_on|update|recurrence|sum|window_sum)"
)
#: All but that.
STATE = re.compile(f"(?!{EQUATION.pattern}$).*")
ALL = re.compile("")
#: Files, what of them to change, and the tests that have to notice, quick ones first, by area.
AREAS: dict[str, tuple[dict[str, re.Pattern[str]], tuple[str, ...]]] = {
    "equations": (
        {
            "_kernels/equations.py": ALL,
            "_kernels/plain.py": ALL,
            "_neurons/*.py": EQUATION,
        },
        (
            "tests/test_golden.py",
            "tests/neurons/test_numbers.py",
            "tests/neurons/test_rates.py",
            "tests/neurons/test_subclasses.py",
            "tests/neurons/test_sequence.py",
            "tests/neurons/test_adaptation.py",
            "tests/neurons/test_patterns.py",
            "tests/unroll/test_native.py",
            "tests/unroll/test_step.py",
            "tests/unroll/test_random.py",
        ),
    ),
    "surrogate": (
        {"surrogate/*.py": ALL},
        (
            "tests/test_surrogate.py",
            "tests/neurons/test_messages.py",
            "snntorch/surrogate",
            "tests/test_ipu.py",
            "tests/test_traceable.py",
            "tests/test_trace.py",
            "tests/unroll/test_unroll.py::test_an_operator_is_told_all",
        ),
    ),
    "loss": (
        {
            "functional/*loss.py": ALL,
            "functional/_spike_time.py": ALL,
            "functional/_records.py": ALL,
        },
        (
            "tests/functional/test_loss.py",
            "tests/functional/test_acc.py",
            "tests/functional/test_stdp_learner.py",
            "snntorch/functional",
        ),
    ),
    "neurons": (
        {
            "_neurons/[!_]*.py": STATE,
            "_neurons/_[adirsv]*.py": STATE,
            "_neurons/_transition.py": STATE,
        },
        (
            "tests/neurons/test_messages.py",
            "tests/neurons/test_states.py",
            "tests/neurons/test_instances.py",
            "tests/neurons/test_feedback.py",
            "tests/neurons/test_memory.py",
            "tests/neurons/test_subclasses.py",
            "tests/neurons/test_contract.py",
            "tests/neurons/test_adaptation.py",
            "tests/neurons/test_sequence.py",
            "snntorch/_neurons",
            "tests/unroll/test_step.py",
            "tests/test_testing.py",
        ),
    ),
    "kernels": (
        # and what neurons tell them
        {
            "_kernels/*.py": ALL,
            "_kernels/cpu/*.py": ALL,
            "_neurons/_covered.py": ALL,
            "_neurons/_fused.py": ALL,
            "_neurons/_unroll.py": ALL,
        },
        (
            "tests/unroll/test_step.py",
            "tests/unroll/test_pool.py",
            "tests/unroll/test_recorded.py",
            "tests/unroll/test_plan.py",
            "tests/unroll/test_foreign.py",
            "tests/unroll/test_keeping.py",
            "tests/unroll/test_products.py",
            "tests/neurons/test_sequence.py",
            "tests/unroll/test_native.py",
            "tests/unroll/test_unroll.py",
            "tests/unroll/test_derivatives.py",
        ),
    ),
    "traced": (
        {"_kernels/traced/*.py": ALL, "_neurons/_traced.py": ALL},
        ("tests/unroll/test_traced.py", "tests/unroll/test_traced_cuda.py"),
    ),
    "c": (
        {
            "cpu/rows.inc": ALL,
            "cpu/blocks.inc": re.compile("prepare"),
            "cpu/events.inc": ALL,
            "cpu/tables.inc": re.compile("SURROGATES"),
        },
        (
            "tests/unroll/test_products.py",
            "tests/unroll/test_native.py",
            "tests/unroll/test_step.py",
            "tests/unroll/test_random.py",
        ),
    ),
    "triton": (
        {"cuda/kernels.py": ALL, "cuda/memory.py": ALL},
        (),
    ),  # see `by_interpreter`
}
#: Changes that change nothing, "file: line: old -> new" as patterns, and why they don't.
EQUIVALENT = {
    r"(kernels|memory).py: .*: tl.full\(.*\) -> \([01]\)": "a number spreads over the block",
    r"kernels.py: .*: \(.* > \w+\)\.to\(.*\) -> .*": "true counts as 1",
    r"memory.py: spk = tl.full\(like.shape, 0, .*: 0 -> 1": "a state that the model has not",
    r"kernels.py: tl.debug_barrier.*": "the interpreter has one thread",
    r"kernels.py: .*\.to\(tl.int64\) -> \(.*": "it matters from 2^31 numbers on",
    r"kernels.py: .*: tl.load\(._ptr\) \+ like -> .*": "that is 0",
    r"kernels.py: back = .* -> pass": "without feedback nobody looks",
    r"kernels.py: .*: rounded\(state \+ state, .*": "twice a number is exact",
    r"kernels.py: .*: rounded\(r_mem - theta, .*": "it keeps its sign, its slope nearly",
    r"rows.inc: FN\(back\).*: 0 -> 1": "it sums up what nobody reads",
    r"rows.inc: const V low_ .* high = .*": "what is raised to e is never above 0",
    r"rows.inc: V m = .*: 0 -> 1": "a state that the model has not",
    r"rows.inc: for \(int power = DEGREE - 1.*: - 1 -> nothing": "one more term, below rounding",
    r"rows.inc: return ONLY_IF\(~\(BITS\)\(x < low_.*: < -> <=": "below there is no normal number",
    r"rows.inc: . = ROUND\(ONLY_IF\(~more.*: ROUND.*": "a number, 0 or its double: exact",
    r"_records.py: half = .*: 4 -> 5": "float32 is as wide as it gets",
    r".*: max\((.*), (.*)\) -> \(max\(\2, \1\)\)": "either order",
    r"_records.py: .*: torch.cuda.is_current_stream_capturing.*": "it matters on CUDA",
    r"_spike_time.py: .*: float\((on|off)\) -> .*": "the other one is a float",
    r"_spike_time.py: .*: tuple\(times\) -> \(times\)": "read as a sequence only",
    r"_spike_time.py: earliest = .*: wanted.amin\(\).item\(\) -> .*": "it is printed alike",
    r"_functions.py: .*: abs\(value\) > _LARGEST -> .*>=.*": "as a float it is as near",
    r"_functions.py: below = .*: x < 0 -> \(x <= 0\)": "an odd function is 0 at 0",
    r"\w+.py: ctx.set_materialize_grads\(False\): .* -> pass": "zeros, where there is no gradient",
    r'memory.py: "stream": .*': "how results are written to memory, not which",
    r'pool.py: .*hasattr\(mmap, "MADV_HUGEPAGE"\).*: hasattr.*': "how fast memory is, not which",
    r"operations.py: .*: float\(value\).hex\(\) -> .*": "C reads all digits of either",
    r"_transition.py: dtype = states\[-1\].*: 1 -> 0": "all states have one dtype",
}


class Mutant(NamedTuple):
    """One change: these bytes of a file, to those."""

    path: Path
    line: int
    column: int
    start: int
    end: int
    old: str
    new: str
    context: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.old} -> {self.new or 'nothing'}, in {self.context}"

    @property
    def reason(self) -> str | None:
        """Why nothing can notice it, if nothing can."""
        text = f"{self.path.name}: {self.context}: {self.old} -> {self.new or 'nothing'}"
        return next((why for known, why in EQUIVALENT.items() if re.fullmatch(known, text)), None)


def one_line(text: str) -> str:
    return " ".join(text.split())


# --- Python ------------------------------------------------------------------------------

FLIPPED: dict[type[ast.AST], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.Mod: "+",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
MODULES = ("torch", "tl", "F")
#: Fields that state no equation.
LEFT_OUT = ("args", "returns", "decorator_list", "annotation")


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all within it that computes; of a check what it is, not what it says."""
    yield node
    if isinstance(node, (ast.Raise, ast.Assert)):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("expect"):
        if ast.unparse(node.func) == "expect":
            yield from parts(node.args[0])
        return
    for name, value in ast.iter_fields(node):
        if (isinstance(node, ast.FunctionDef) and name in LEFT_OUT) or name == "annotation":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg == "num_stages":
                continue  # of Triton: how to wait, not what to compute
            if isinstance(child, ast.AST):
                inner = parts(child)
                if isinstance(node, ast.Expr):
                    next(inner)  # as a whole it is dropped already
                yield from inner


def is_value(argument: ast.expr) -> bool:
    """Return whether an argument could stand for its call: no type, shape or constant of Triton."""
    text = ast.unparse(argument)
    names_type = text.endswith(("dtype", "shape")) or (text.isupper() and len(text) > 1)
    return not names_type and not isinstance(argument, ast.Starred)


def of_call(call: ast.Call) -> Iterator[str]:
    """Yield what to put for a call: one of its arguments, or these the other way round."""
    function, name = call.func, ast.unparse(call.func)
    if isinstance(function, ast.Attribute) and ast.unparse(function.value) not in MODULES:
        if not name.startswith("self."):
            yield ast.unparse(function.value)
        return
    given = [ast.unparse(one) for one in call.args if is_value(one)]
    if name.endswith("where"):
        yield from given[1:]
    elif given:
        yield from dict.fromkeys(given if len(call.args) < 4 else given[-1:])
    if 1 < len(given) == len(call.args) < 4:
        *others, one, other = given
        yield f"{name}({', '.join([*others, other, one])})"


def flipped(node: Any) -> str:
    """Return the source of a node with another operator."""
    other = ast.parse(f"a {FLIPPED[type(node.ops[0] if hasattr(node, 'ops') else node.op)]} b")
    node = copy.copy(node)
    vars(node).update({k: v for k, v in vars(other.body[0].value).items() if k in ("op", "ops")})  # type: ignore[attr-defined]
    return ast.unparse(node)


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield what to put for a node, or for one of its parts."""
    text = ast.unparse
    match node:
        case ast.BinOp(left, op, right) if type(op) in FLIPPED:
            yield node, flipped(node)
            yield node, text(left)
            if isinstance(op, (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)):
                yield node, text(right)
        case ast.Compare(ops=[_]):
            yield node, flipped(node)
        case ast.BoolOp(op, values):
            yield node, text(ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values))
        case ast.UnaryOp(_, operand) if not isinstance(operand, ast.Constant):
            yield node, text(operand)
        case ast.Constant(bool() as value):
            yield node, str(not value)
        case ast.Constant(int() | float() as value):
            yield node, {0: "1", 1: "0"}.get(value, str(value + 1))
        case ast.Call():
            yield from ((node, new) for new in of_call(node))
        case ast.IfExp(test, body, otherwise):
            yield node, text(ast.IfExp(test, otherwise, body))
        case ast.If(test) if isinstance(test, (ast.Name, ast.Attribute, ast.Call)):
            yield test, f"not {text(test)}"
        case ast.Assign() | ast.Expr(ast.Call()) | ast.Raise():
            yield node, "pass"
        case ast.AugAssign(target, op, value):
            yield node, "pass"
            yield node, f"{text(target)} {FLIPPED[type(op)]}= {text(value)}"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield the functions of a module and the methods of its classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node)


def python_mutants(path: Path, wanted: re.Pattern[str]) -> Iterator[Mutant]:
    source = (ROOT / path).read_bytes()
    lines = source.splitlines(keepends=True)
    begins = [0, *itertools.accumulate(map(len, lines))]
    for function in functions(ast.parse(source)):
        if not (wanted.fullmatch(function.name) or not wanted.pattern):
            continue
        for statement in function.body:
            for node, new in (change for part in parts(statement) for change in changes(part)):
                start = begins[node.lineno - 1] + node.col_offset
                end = begins[node.end_lineno - 1] + node.end_col_offset
                old = source[start:end].decode()
                is_term = isinstance(node, ast.expr) and not isinstance(node, ast.Constant)
                yield Mutant(
                    path,
                    node.lineno,
                    node.col_offset + 1,
                    start,
                    end,
                    one_line(old),
                    f"({new})" if is_term else new,
                    lines[node.lineno - 1].decode().strip(),
                )


# --- C -----------------------------------------------------------------------------------

IN_C = {
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "&": "|",
    "|": "&",
}
#: Macros that are no operation on numbers.
NAMING = (
    "FN",
    "REAL_FN",
    "JOIN",
    "RULE",
    "CASE",
    "AT",
    "ALL",
    "LINES",
    "SURROGATE",
    "FOR_ALL_RULES",
)
BINARY = re.compile(r"(?<=[\w)}] )(?:[-+*/&|<>]|[<>=!]=|&&|\|\|)(?= [\w(~!{-])")
UPDATE = re.compile(r"(?<=[\w)] )[-+]=(?= )")
UNARY = re.compile(r"(?<=[=(,?:] )[-~!](?=[\w(])|(?<=\()[-~!](?=[\w(])")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
STATEMENT = re.compile(r"(?m)^ +(?:(?:AT\(\w+\)|\w+) [-+*/]?= |FN\(\w+\)\()[^;{}]*;")
FLAG = re.compile(r"(?<=if )\(\w+\)")
MACRO = re.compile(r"\b[A-Z_]{2,}(?=\()")


def closing(text: str, at: int) -> int:
    """Return where the parenthesis that opens at ``at`` has been closed."""
    depth = 0
    for end in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            return end + 1
    return len(text)


def operand(text: str, at: int, binds: str) -> int:
    """Return where the operand at ``at`` ends, with all that ``binds`` joins to it."""
    end = re.compile(r"[-~!]*\w*(?:->\w+)*").match(text, at).end()  # type: ignore[union-attr]
    while end < len(text) and text[end] in "({":
        end = closing(text, end) if text[end] == "(" else text.index("}", end) + 1
    more = re.compile(rf" [{binds}] ").match(text, end) if binds else None
    return operand(text, more.end(), binds) if more else end


def arguments(inside: str) -> list[str]:
    found, depth = [""], 0
    for sign in inside:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [one.strip() for one in found]


def bodies(text: str, wanted: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yield where the functions, and the macros with arguments, do something."""
    for macro in re.finditer(r"(?m)^ *#define (\w+)\([\w, ]*\) ((?:.*\\\n)*.*)", text):
        if wanted.fullmatch(macro[1]) or not wanted.pattern:
            yield macro.span(2)
    for function in re.finditer(r"(?m)^(?:INLINE|static)[^;{]*?FN\((\w+)\)[^;{]*\n\{\n", text):
        if wanted.fullmatch(function[1]) or not wanted.pattern:
            yield function.end(), text.index("\n}", function.end())


def c_changes(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield what to put for which part of a body."""
    for found in BINARY.finditer(text, start, end):
        sign, at = found[0], found.start()
        yield at, found.end(), IN_C[sign]
        if sign in "+-*&|":
            yield at - 1, operand(text, at + 2, "*/" if sign in "+-" else ""), ""
    for found in UPDATE.finditer(text, start, end):
        yield found.start(), found.end(), {"+=": "-=", "-=": "+="}[found[0]]
    for found in UNARY.finditer(text, start, end):
        yield found.start(), found.end(), ""
    for found in NUMBER.finditer(text, start, end):
        number = found[0]
        new = {"0": "1", "1": "0"}.get(number, f"{float(number) + 1:g}")
        yield found.start(), found.end(), new
    for found in STATEMENT.finditer(text, start, end):
        yield found.start(), found.end(), ";"
    for found in FLAG.finditer(text, start, end):
        yield found.start(), found.end(), f"(!{found[0]})"
    for found in MACRO.finditer(text, start, end):
        if found[0] not in NAMING:
            shut = closing(text, found.end())
            given = arguments(text[found.end() + 1 : shut - 1])
            yield found.start(), shut, f"({given[-1]})"
            if len(given) == 3:
                first, one, other = given
                yield found.start(), shut, f"{found[0]}({first}, {other}, {one})"


def c_mutants(path: Path, wanted: re.Pattern[str]) -> Iterator[Mutant]:
    text = (ROOT / path).read_text()
    # comments, hints to the cache and to the compiler state nothing; offsets stay
    blank = re.compile(r"(?m)/\*(?:.|\n)*?\*/|^ *__builtin_prefetch.*$|^#(?:pragma|if|el).*$")
    bare = blank.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for start, end in bodies(bare, wanted):
        for first, last, new in c_changes(bare, start, end):
            at = first + len(bare[first:last]) - len(bare[first:last].lstrip())
            line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at)
            context = text.splitlines()[line].strip()
            begin, stop = (len(text[:at].encode()) for at in (first, last))
            old = one_line(text[first:last])
            yield Mutant(path, line + 1, column, begin, stop, old, new, context)


# --- trials ------------------------------------------------------------------------------


class Watch:
    """Of pytest: runs the tests first that found most so far, and tells which one failed."""

    def __init__(self, first: list[str]) -> None:
        self.first = {name: place for place, name in enumerate(first)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self.first.get(item.nodeid, len(self.first)))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = "collection"


def by_pytest(tests: tuple[str, ...], first: list[str]) -> str:
    """Return the first test that fails, or "" where all pass."""
    import pytest  # noqa: PLC0415

    watch = Watch(first)
    # that one is slow, and shows what others of its name do
    options = ["-x", "-k", "not 3000", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is imported already
    status = pytest.main([*options, *tests], [watch])
    return watch.failed or ("" if status == 0 else "pytest")


def by_interpreter(first: list[str]) -> str:
    """Return the first case of the Triton kernels that fails in its interpreter."""
    from tests.unroll.test_triton import GROUPS, failures  # noqa: PLC0415

    cases = {f"{name}[{i}]": c for name, group in GROUPS.items() for i, c in enumerate(group)}
    for name in dict.fromkeys([*first, *cases]):
        if name in cases and failures([cases[name]], "cpu"):
            return name
    return ""


def compiled(source: Path) -> bool:
    """Compile a kernel to where the tests look for it; return whether it can be compiled.

    Of its two instruction sets only one, as their arithmetic is the same.
    """
    text, begin = source.read_text(), "#if defined(__x86_64__)\n#define SET"
    assert begin in text
    source.unlink()  # it is a link
    source.write_text(text.replace(begin, "#if 0\n#define SET"))
    command = [*COMPILE, "-DSOURCES=0", "-o", "_kernel.so", source]
    status = subprocess.run(command, check=False).returncode
    for path in [*source.parent.glob("*.c"), *source.parent.glob("*.inc")]:
        path.unlink()  # or the package would look whether the kernel is that of these
    os.environ["SNNTORCH_KERNEL"] = os.getcwd()
    return not status


def try_out(area: str, mutant: Mutant | None, slot: int, first: list[str], to: Connection) -> None:
    """Send the test that notices, "" if none does, None if it can't be compiled."""
    folder = WORK / str(slot)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (WORK / "cache").mkdir(exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "images")
    for name in ("snntorch", "tests", "examples"):
        shutil.copytree(ROOT / name, folder / name, copy_function=os.link, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    if mutant:
        path, source = folder / mutant.path, (ROOT / mutant.path).read_bytes()
        path.unlink()  # it is a link
        path.write_bytes(source[: mutant.start] + mutant.new.encode() + source[mutant.end :])
    if mutant:  # what is compiled for a neuron it finds, but leaves nothing to others
        shutil.copytree(WORK / "cache", folder / "cache", dirs_exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str((folder if mutant else WORK) / "cache")
    os.chdir(folder)
    nothing = os.open("log", os.O_RDWR | os.O_CREAT)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.path[0] = str(folder)
    sys.dont_write_bytecode = True
    if area == "c" and not compiled(next(folder.rglob("kernel.c"))):
        to.send(None)
        return
    tests = AREAS[area][1]
    to.send(by_pytest(tests, first) if tests else by_interpreter(first))


class Trial(NamedTuple):
    mutant: Mutant | None
    process: Any
    slot: int
    begun: float


def trials(
    area: str, mutants: list[Mutant | None], jobs: int, limit: float
) -> Iterator[tuple[Mutant | None, str | None, float]]:
    """Yield each mutant, the test that noticed, and seconds; so many processes at a time."""
    fork = multiprocessing.get_context("fork")  # what is imported need not be again
    waiting, slots = list(reversed(mutants)), list(range(jobs))
    found: collections.Counter[str] = collections.Counter()
    running: dict[Connection, Trial] = {}
    while waiting or running:
        while waiting and slots:
            mutant, slot = waiting.pop(), slots.pop()
            here, there = fork.Pipe(duplex=False)
            first = [name for name, _ in found.most_common(30)]
            process = fork.Process(target=try_out, args=(area, mutant, slot, first, there))
            process.start()
            there.close()
            running[here] = Trial(mutant, process, slot, time.monotonic())
        ready = wait(list(running), 1)
        late = [one for one, trial in running.items() if time.monotonic() - trial.begun > limit]
        for connection in {*ready, *late}:
            trial = running.pop(connection)  # type: ignore[call-overload]
            try:
                test = connection.recv() if connection in ready else "no end"  # type: ignore[union-attr]
            except EOFError:
                test = "crash"
            trial.process.kill()
            trial.process.join()
            connection.close()  # type: ignore[union-attr]
            slots.append(trial.slot)
            found.update([test] if test else [])
            yield trial.mutant, test, time.monotonic() - trial.begun


def mutants_of(area: str) -> list[Mutant]:
    """Return every change of an area, each once."""
    make: Callable[[Path, re.Pattern[str]], Iterator[Mutant]]
    make = c_mutants if area == "c" else python_mutants
    found: dict[tuple[Path, int, int, str], Mutant] = {}
    for pattern, wanted in AREAS[area][0].items():
        paths = sorted((ROOT / "snntorch").rglob(pattern))
        assert paths, f"no {pattern}: was it moved?"
        for path in paths:
            for one in make(path.relative_to(ROOT), wanted):
                if one.new.strip("()") != one.old:
                    found.setdefault((one.path, one.start, one.end, one.new), one)
    return list(found.values())


def examine(area: str, options: argparse.Namespace) -> list[Mutant]:
    """Try the mutants of an area; print and return those that nothing noticed."""
    every = mutants_of(area)
    chosen = [one for one in every if not one.reason and options.only in str(one)]
    known = sum(1 for one in every if one.reason)
    if options.sample and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    ((_, test, seconds),) = trials(area, [None], 1, 3600)
    if test != "":
        sys.exit(f"{area}: {test} fails without any change")
    print(f"{area}: {len(chosen)} of {len(every)} changes, {known} change nothing", flush=True)
    print(f"    by seed {options.seed}; the tests take {seconds:.0f} s", flush=True)
    survivors, invalid = [], 0
    for mutant, test, _ in trials(area, [*chosen], options.jobs, 3 * seconds + 60):
        assert mutant is not None
        invalid += test is None
        if test == "":
            survivors.append(mutant)
            print(f"survives: {mutant}", flush=True)
        elif options.verbose:
            print(f"{test}: {mutant}", flush=True)
    total = len(chosen) - invalid
    print(f"{area}: {total - len(survivors)} of {total} killed, {invalid} do not compile")
    return survivors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--area", choices=AREAS, action="append", help="all if left out")
    parser.add_argument("--sample", type=int, help="how many of an area's, at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--only", default="", help="those whose line of output has this in it")
    parser.add_argument("--list", action="store_true", help="print all, and try none")
    parser.add_argument("--verbose", action="store_true", help="print which test kills which")
    options = parser.parse_args()
    areas = options.area or [*AREAS]
    if options.list:
        print(*itertools.chain.from_iterable(map(mutants_of, areas)), sep="\n")
        return
    os.environ["TRITON_INTERPRET"] = "1"
    for name in ("torch", "pytest", "hypothesis", "triton.language"):
        importlib.import_module(name)  # once, before the processes part

    survivors = [one for area in areas for one in examine(area, options)]
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
