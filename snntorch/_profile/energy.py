"""How much energy an operation takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snntorch._checks import expect, expect_choice, expect_count, expect_finite


@dataclass(frozen=True)
class EnergyTable:
    r"""Energies of single operations, from which :meth:`Profile.energy` adds up a net's.

    .. math::
        E = (E_\times + E_+)\,n_\mathrm{MAC} + E_+\,n_\mathrm{AC} + w\,E_B\,n_\mathrm{access}

    with the energy of a multiplication :math:`E_\times` (``multiply``), of an addition
    :math:`E_+` (``add``), and of moving one byte between memory and arithmetic :math:`E_B`
    (``access``), where a number has :math:`w` bytes (``width``).

    ``EnergyTable.named`` has those of Horowitz (2014), at 45 nm and 0.9 V, with numbers from a
    cache of 32 KB: ``"float32"``, ``"float16"``, ``"int32"`` and ``"int8"``.

    Args:
        name: What the table is of, for people to read.
        add: Energy of an addition, in joules.
        multiply: Energy of a multiplication, in joules.
        access: Energy of reading or writing one byte, in joules; 0 leaves memory out.
        width: Bytes of one number, weight or state.

    Raises:
        ValueError: If an energy is negative or not finite, or ``width`` is less than 1.
        TypeError: If an energy is not a number, or ``width`` not an int.

    References:
        M. Horowitz (2014). Computing's energy problem (and what we can do about it). ISSCC
        2014, 10-14. DOI 10.1109/ISSCC.2014.6757323

    Examples:
        >>> import snntorch as snn
        >>> chip = snn.EnergyTable("a chip", add=0.1e-12, multiply=1e-12, access=0.0, width=2)
        >>> print(f"{chip.mac * 1e12:.1f} pJ")
        1.1 pJ
    """

    #: Tables by the names by which they can be asked for.
    named: ClassVar[dict[str, EnergyTable]] = {}

    name: str
    add: float
    multiply: float
    access: float
    width: int

    def __post_init__(self) -> None:
        energies = {"add": self.add, "multiply": self.multiply, "access": self.access}
        expect_finite(self, **energies)
        for name, value in energies.items():
            expect(value >= 0, self, f"`{name}` >= 0", value, "Give it in joules, as in 0.9e-12.")
        expect_count(self, "width", self.width)

    @property
    def mac(self) -> float:
        """Energy of a multiplication and an addition, in joules."""
        return self.multiply + self.add


@dataclass(frozen=True)
class Energy:
    """Energy in joules.

    Attributes:
        operations: Of additions and multiplications.
        memory: Of reading weights, and of reading and writing states.
    """

    operations: float
    memory: float

    @property
    def total(self) -> float:
        """Energy of both."""
        return self.operations + self.memory


def _horowitz(name: str, add: float, multiply: float, width: int) -> EnergyTable:
    # 20 pJ for 64 bits from a cache of 32 KB
    return EnergyTable(f"{name}, 45 nm", add * 1e-12, multiply * 1e-12, 20e-12 / 8, width)


EnergyTable.named |= {
    "float32": _horowitz("32-bit float", 0.9, 3.7, 4),
    "float16": _horowitz("16-bit float", 0.4, 1.1, 2),
    "int32": _horowitz("32-bit int", 0.1, 3.1, 4),
    "int8": _horowitz("8-bit int", 0.03, 0.2, 1),
}


def table_of(owner: object, table: str | EnergyTable) -> EnergyTable:
    """Return a table, given itself or by its name.

    Raises:
        ValueError: If there is none of that name.
        TypeError: If it is neither a table nor a name.
    """
    if isinstance(table, EnergyTable):
        return table
    hint = "Make one of your own with snn.EnergyTable(...)."
    what = "`table` to be a name or an EnergyTable"
    expect(isinstance(table, str), owner, what, repr(table), hint, TypeError)
    expect_choice(owner, "table", table, EnergyTable.named)
    return EnergyTable.named[table]
