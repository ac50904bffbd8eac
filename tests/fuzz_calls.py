"""Calls of every public callable with wrong arguments: they work, or say what to type instead.

Of each call, what works (`fuzz_table`) is changed in one or two arguments (`fuzz_values`). It has
to return, or raise ``ValueError`` or ``TypeError`` by this package's own words; to leave its
arguments as they are; and to return the same whatever way a tensor lies in memory.

``python -m tests.fuzz_calls --count 100000`` runs them in a process of their own, so that a crash
is found, too; ``--only 17`` repeats one.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import torch

from tests.fuzz_doors import DOORS, Door
from tests.fuzz_judge import (
    alike,
    answers,
    blame,
    contiguous,
    short,
    signature,
    snapshot,
    tensors,
)
from tests.fuzz_values import MISSING, other

#: What may become of a call; the rest are findings.
GOOD = ("worked", "refused", "misused", "theirs", "memory")
#: A call that takes longer is a finding.
SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """What became of a call."""

    index: int
    door: str
    changes: tuple[str, ...]
    verdict: str
    detail: str = ""


class TooLong(BaseException):
    """A call that does not end."""


# --- one call -------------------------------------------------------------------------------


def draw(index: int, seed: int) -> tuple[Door, Random]:
    rng = Random(f"{seed} {index}")
    names = list(DOORS)
    (name,) = rng.choices(names, [DOORS[name].share for name in names])
    return DOORS[name], rng


def changed(
    door: Door, function: Any, arguments: dict[Any, Any], rng: Random
) -> tuple[dict[Any, Any], list[str], bool]:
    """Return other arguments, what was changed in words, and whether the numbers are the same."""
    taken = [
        name
        for name, one in signature(function).items()
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    names = [name for name in dict.fromkeys([*arguments, *taken]) if name not in door.keeps]
    given, words, same = dict(arguments), [], True
    if rng.random() < 0.03 or not names:
        extra = rng.choice(["nonsense", 20])
        return given | {extra: 1}, [f"{extra}=1"], False
    for name in rng.sample(names, min(len(names), rng.choice((1, 1, 2)))):
        if rng.random() < 0.02 and name in given:
            del given[name]
            words, same = [*words, f"no {name}"], False
            continue
        text, given[name], kept = other(rng, given.get(name, MISSING))
        words, same = [*words, f"{name}: {text}"], same and kept
    return given, words, same


def called(function: Any, arguments: dict[Any, Any]) -> Any:
    placed = [arguments[key] for key in sorted(key for key in arguments if isinstance(key, int))]
    named = {key: value for key, value in arguments.items() if isinstance(key, str)}
    result = function(*placed, **named)
    loss = [t.sum() for t in tensors(result) if t.requires_grad and t.is_floating_point()]
    on_meta = any(t.is_meta for t in tensors(arguments))  # torch has no graph from there to here
    if loss and torch.is_grad_enabled() and not on_meta:
        leaves = [t for t in tensors(arguments) if t.requires_grad and t.is_leaf]
        # what comes of a graph is a part of the answer
        grads = torch.autograd.grad(sum(loss), leaves, allow_unused=True) if leaves else ()
        if not leaves:
            sum(loss).backward()
        return result, grads
    return result


def judge(index: int, seed: int) -> Outcome:
    """Make a call, and say what became of it."""
    door, rng = draw(index, seed)

    def outcome(verdict: str, detail: str = "") -> Outcome:
        return Outcome(index, door.name, tuple(words), verdict, detail)

    torch.manual_seed(index)
    function, right = door.make(Random(rng.random()))
    arguments, words, same = changed(door, function, right, rng)
    mode = rng.choices(("", "no_grad", "inference_mode"), (8, 1, 1))[0]
    if mode:
        words.append(f"in {mode}")
    context = getattr(torch, mode) if mode else torch.enable_grad
    before = {key: snapshot(value) for key, value in arguments.items() if key not in door.writes}
    try:
        with context():
            torch.manual_seed(index)
            result = called(function, arguments)
    except TooLong:
        return outcome("slow")
    except Exception as error:
        verdict, detail = blame(error, door, function, arguments)
        return outcome(verdict, detail)
    for key, kept in before.items():
        if not alike(snapshot(arguments[key]), kept, exact=True):
            return outcome("changed", f"{key} is not what it was")
    if same and words:
        function, fresh = again(index, seed)
        plain = {
            k: contiguous(v) if v is not right.get(k) else fresh[k] for k, v in arguments.items()
        }
        try:
            with context():
                torch.manual_seed(index)
                wanted = called(function, plain)
        except Exception as error:
            return outcome("differs", f"{short(result)} instead of {short(error)}")
        if not alike(answers(result, door), answers(wanted, door), exact=False):
            return outcome("differs", f"{short(result)} instead of {short(wanted)}")
    return outcome("worked")


def again(index: int, seed: int) -> Any:
    """Return the same function once more, its states fresh."""
    door, rng = draw(index, seed)
    torch.manual_seed(index)
    return door.make(Random(rng.random()))


# --- many calls -----------------------------------------------------------------------------


def work(first: int, last: int, seed: int, place: Path) -> None:
    """Make calls in this process; print what they found, and note which one runs."""
    faulthandler.enable()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, give_up)
    ignored: list[str] = []
    sys.unraisablehook = lambda one: ignored.append(
        f"{one.err_msg or one.object}: {one.exc_value!r}"
    )
    counts: Counter[str] = Counter()
    with place.open("r+b", buffering=0) as file:
        for index in range(first, last):
            os.pwrite(file.fileno(), struct.pack("q", index), 0)
            signal.alarm(SECONDS)
            outcome = judge(index, seed)
            signal.alarm(0)
            if ignored:
                outcome = replace(outcome, verdict="bare", detail=f"ignored {ignored.pop()}")
            counts[outcome.verdict] += 1
            if outcome.verdict not in GOOD:
                print(json.dumps(vars(outcome)), flush=True)
    print(json.dumps(counts))


def give_up(number: int, frame: FrameType | None) -> None:
    raise TooLong


def run(
    first: int, count: int, seed: int, program: tuple[str, ...] = ("-m", "tests.fuzz_calls")
) -> tuple[Counter[str], list[Outcome]]:
    """Make calls in processes of their own, a new one after each crash."""
    counts: Counter[str] = Counter()
    findings: list[Outcome] = []
    last = first + count
    with tempfile.NamedTemporaryFile() as file:
        place = Path(file.name)
        while first < last:
            place.write_bytes(struct.pack("q", first))
            numbers = {"worker": place, "first": first, "count": last - first, "seed": seed}
            options = [text for name, one in numbers.items() for text in (f"--{name}", str(one))]
            command = [sys.executable, *program, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            findings += [Outcome(**row) for row in rows if "verdict" in row]
            for row in rows:
                counts.update({} if "verdict" in row else row)
            if done.returncode == 0:
                break
            (at,) = struct.unpack("q", place.read_bytes())
            counts["made"] += at - first  # what they came to is lost
            counts["crash"] += 1
            findings.append(Outcome(at, draw(at, seed)[0].name, (), "crash", done.stderr[-2000:]))
            first = at + 1
    return counts, findings


def told(counts: Counter[str], findings: list[Outcome]) -> str:
    """Return what was found, by callable."""
    lines = [f"{sum(counts.values()):,} calls of {len(DOORS)} doors"]
    lines += [f"{count:9,} {verdict}" for verdict, count in counts.most_common()]
    lines.append(f"{len(findings):,} findings")
    kinds = defaultdict(list)
    for one in findings:
        kinds[one.verdict, one.door, re.sub(r"\d+", "#", one.detail)[:90]].append(one)
    for (verdict, door, _), those in sorted(kinds.items(), key=lambda item: -len(item[1])):
        first = those[0]
        lines.append(
            f"{len(those):5} {verdict:8} {door}  [{first.index}] {'; '.join(first.changes)}"
        )
        lines.append(f"        {short(first.detail)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="make this call alone, and show its error")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.first, args.first + args.count, args.seed, args.worker)
        return 0
    if args.only is not None:
        print(judge(args.only, args.seed))
        return 0
    counts, findings = run(args.first, args.count, args.seed)
    print(told(counts, findings))
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
