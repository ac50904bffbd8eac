"""Rows of tensors in Triton: read, written, and rounded as torch rounds.

``at`` is the offset of a block's first neuron in a row, ``lanes`` count on from there. A pointer is
None where there is nothing to read or nothing wanted.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, untyped-decorator"

import triton
import triton.language as tl


@triton.jit
def rounded(value, STORED: tl.constexpr):
    return value.to(STORED).to(value.dtype)


@triton.jit
def divide(a, b):
    """Divide as IEEE 754 says; the plain operator does not in float32."""
    return tl.div_rn(a, b) if a.dtype == tl.float32 else a / b


@triton.jit
def read(pointer, at, lanes, mask, like):
    """Return what is there, as ``like``; zeros for no pointer."""
    value = tl.full(like.shape, 0, like.dtype)
    if pointer is not None:
        value = tl.load(pointer + at + lanes, mask, 0).to(like.dtype)
    return value


@triton.jit
def parameter(pointer, period, at, lanes, mask, like):
    """Return a number that repeats over the neurons; 1 for no pointer."""
    value = tl.full(like.shape, 1, like.dtype)
    if pointer is not None:
        value = tl.load(pointer + (at + lanes) % period, mask, 1).to(like.dtype)
    return value


@triton.jit
def write(pointer, at, lanes, value, mask):
    if pointer is not None:
        tl.store(pointer + at + lanes, value.to(pointer.dtype.element_ty), mask)


@triton.jit
def save(
    pointer, at, n, lanes, mask, spk, syn, inh, mem,
    MODEL: tl.constexpr, FEEDBACK: tl.constexpr,
):  # fmt: skip
    """Write the states, a row each, and return the offset of the row after them."""
    write(pointer, at, lanes, mem, mask)
    at += n
    if MODEL != "leaky":
        write(pointer, at, lanes, syn, mask)
        at += n
    if MODEL == "alpha":
        write(pointer, at, lanes, inh, mask)
        at += n
    if FEEDBACK:
        write(pointer, at, lanes, spk, mask)
        at += n
    return at


@triton.jit
def restore(pointer, at, n, lanes, mask, like, MODEL: tl.constexpr, FEEDBACK: tl.constexpr):
    """Read the states that `_save` wrote."""
    spk = tl.full(like.shape, 0, like.dtype)
    syn, inh = spk, spk
    mem = read(pointer, at, lanes, mask, like)
    at += n
    if MODEL != "leaky":
        syn = read(pointer, at, lanes, mask, like)
        at += n
    if MODEL == "alpha":
        inh = read(pointer, at, lanes, mask, like)
        at += n
    if FEEDBACK:
        spk = read(pointer, at, lanes, mask, like)
    return spk, syn, inh, mem
