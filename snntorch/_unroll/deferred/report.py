"""What happened to what was noted, for people to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What ran, and how; print it.

    Attributes:
        noted: Number of operations that waited.
        runs: Number of those that were run for all of them.
        lines: How often what was run in which way.
        early: How often a value was needed before the end, by reason, file and line.
    """

    noted: int = 0
    runs: int = 0
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    early: Counter[tuple[str, str]] = field(default_factory=Counter)

    def ran(self, what: str, how: str, nodes: int, runs: int) -> None:
        """Note that operations ran."""
        self.noted += nodes
        self.runs += runs
        self.lines[what, how] += nodes

    def asked(self, reason: str, where: str) -> None:
        """Note that a value was needed early."""
        self.early[reason, where] += 1

    @property
    def pays(self) -> bool:
        """Whether batching spared as much as noting cost."""
        return self.runs <= 0.5 * self.noted

    def __str__(self) -> str:
        lines = [f"{self.noted} operations in {self.runs} runs"]
        wide = max((len(what) for what, _ in self.lines), default=0)
        lines += [f"  {what:{wide}}  {count:5} {how}" for (what, how), count in self.lines.items()]
        lines += [
            f"  needed early, {count} times: {reason} ({where})"
            for (reason, where), count in self.early.items()
        ]
        return "\n".join(lines)
