"""The equations as Triton kernels: a program takes a block of neurons through all of time.

States, gradients carried over time, and the sums over time for the parameters stay in registers.
Arithmetic is in float32, or float64 for float64; `_step` rounds to the type of the input after
every operation, as torch does. Its order of operations is that of ``plain.one_step``, and
`_back` is its derivative; the names are those of the equations there.

Tensors are read in rows of ``n``, one per step. ``at`` is the offset of the block's first neuron
in a row, in int64, and moves from row to row; ``lanes`` count on from there. A pointer is None
where there is nothing to read or nothing wanted.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, untyped-decorator"
# ruff: noqa: PLR0915 (a kernel is one function, whose loops Triton has to see)

import triton
import triton.language as tl

from snntorch._kernels.cuda.memory import (
    divide,
    parameter,
    read,
    restore,
    rounded,
    save,
    write,
)


@triton.jit
def _cleared(times, state, STORED: tl.constexpr):
    """Return the state cleared as often as ``times`` says: 0, 1, or -1 to take one back."""
    state = tl.where(times == 1, 0, state)
    return tl.where(times == -1, rounded(state + state, STORED), state)


@triton.jit
def _kept(rate, state):
    """Return the state; 0 for one beyond all numbers where a rate of 0 forgets it."""
    return tl.where((rate != 0) | (state - state == 0), state, 0)


@triton.jit
def _finite(value):
    return tl.where(value - value == 0, value, 0)


@triton.jit
def _reset(
    times, syn, inh, mem, theta, beta, tau,
    MODEL: tl.constexpr, RESET: tl.constexpr, STORED: tl.constexpr,
):  # fmt: skip
    if RESET == "zero" or RESET == "zero_old":  # noqa: PLR1714 (what Triton understands)
        mem = _cleared(times, mem, STORED)
        if MODEL == "alpha":
            syn = _cleared(times, syn, STORED)
            inh = _cleared(times, inh, STORED)
    elif RESET != "none":
        drop = tl.where(times == 0, 0, times * theta)
        if RESET == "soft":
            drop = rounded(beta * drop, STORED)
        mem = rounded(mem - drop, STORED)
        if MODEL == "alpha":
            syn = rounded(syn - rounded(divide(drop, tau), STORED), STORED)
    return syn, inh, mem


@triton.jit
def _step(
    x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
    MODEL: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, FEEDBACK: tl.constexpr,
    STORED: tl.constexpr,
):  # fmt: skip
    """Return R, mem', the states charged, those reached, S, and the new states."""
    fired = tl.full(mem.shape, 0, mem.dtype)
    if RESET != "none":
        fired = (mem > theta).to(mem.dtype)
    start = mem
    if RESET == "zero_old":
        start = tl.where(fired == 1, 0, mem)
    back = tl.full(mem.shape, 0, mem.dtype)
    if FEEDBACK:
        back = rounded(V * spk, STORED)
    if MODEL == "leaky":
        mem = rounded(rounded(beta * _kept(beta, start), STORED) + x, STORED)
        if FEEDBACK:
            mem = rounded(mem + back, STORED)
    else:
        syn = rounded(rounded(alpha * _kept(alpha, syn), STORED) + x, STORED)
        if FEEDBACK:
            syn = rounded(syn + back, STORED)
        if MODEL == "alpha":
            inh = rounded(rounded(beta * _kept(beta, inh), STORED) - x, STORED)
            mem = rounded(tau * rounded(syn + inh, STORED), STORED)
        else:
            mem = rounded(rounded(beta * _kept(beta, start), STORED) + syn, STORED)
    r_syn, r_inh, r_mem = syn, inh, mem
    if RESET != "zero_old":
        r_syn, r_inh, r_mem = _reset(
            fired, syn, inh, mem, theta, beta, tau, MODEL, RESET, STORED
        )  # fmt: skip
    crossing = (rounded(r_mem - theta, STORED) > 0).to(mem.dtype)
    n_syn, n_inh, n_mem = r_syn, r_inh, r_mem
    if not DELAY:
        n_syn, n_inh, n_mem = _reset(
            crossing - fired, r_syn, r_inh, r_mem, theta, beta, tau, MODEL, RESET, STORED
        )
    return (
        fired, start, syn, inh, mem, r_syn, r_inh, r_mem,
        crossing, rounded(crossing * graded, STORED), n_syn, n_inh, n_mem,
    )  # fmt: skip


@triton.jit
def _advance(
    x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
    MODEL: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, FEEDBACK: tl.constexpr,
    STORED: tl.constexpr,
):  # fmt: skip
    """Return U - theta, and the new states."""
    _, _, _, _, _, _, _, reached, _, spk, syn, inh, mem = _step(
        x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
        MODEL, RESET, DELAY, FEEDBACK, STORED,
    )  # fmt: skip
    return reached - theta, spk, syn, inh, mem


@triton.jit(do_not_specialize=["steps"])
def forward(
    x_ptr, x_stride, n, steps,
    threshold_ptr, threshold_period, beta_ptr, beta_period, alpha_ptr, alpha_period,
    tau_ptr, tau_period, V_ptr, V_period, graded_ptr, graded_period,
    old_spk, old_syn, old_inh, old_mem,
    spk_rows, syn_rows, inh_rows, mem_rows, excess_rows,
    last_spk, last_syn, last_inh, last_mem,
    MODEL: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, FEEDBACK: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Run all steps; ``*_rows`` are what is recorded, ``last_*`` the last states."""
    stored: tl.constexpr = x_ptr.dtype.element_ty
    computed: tl.constexpr = tl.float64 if stored == tl.float64 else tl.float32
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lanes = tl.arange(0, BLOCK)
    mask = start + lanes < n
    like = tl.full((BLOCK,), 0, computed)
    theta = parameter(threshold_ptr, threshold_period, start, lanes, mask, like)
    beta = parameter(beta_ptr, beta_period, start, lanes, mask, like)
    alpha = parameter(alpha_ptr, alpha_period, start, lanes, mask, like)
    tau = parameter(tau_ptr, tau_period, start, lanes, mask, like)
    V = parameter(V_ptr, V_period, start, lanes, mask, like)
    graded = parameter(graded_ptr, graded_period, start, lanes, mask, like)
    spk = read(old_spk, start, lanes, mask, like)
    syn = read(old_syn, start, lanes, mask, like)
    inh = read(old_inh, start, lanes, mask, like)
    mem = read(old_mem, start, lanes, mask, like)

    at_x, at = start, start
    for _t in tl.range(0, steps, num_stages=4):
        x = read(x_ptr, at_x, lanes, mask, like)
        excess, spk, syn, inh, mem = _advance(
            x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
            MODEL, RESET, DELAY, FEEDBACK, stored,
        )  # fmt: skip
        write(spk_rows, at, lanes, spk, mask)
        write(syn_rows, at, lanes, syn, mask)
        write(inh_rows, at, lanes, inh, mask)
        write(mem_rows, at, lanes, mem, mask)
        write(excess_rows, at, lanes, excess, mask)
        at_x += x_stride
        at += n
    write(last_spk, start, lanes, spk, mask)
    write(last_syn, start, lanes, syn, mask)
    write(last_inh, start, lanes, inh, mask)
    write(last_mem, start, lanes, mem, mask)


# dS/dx of each surrogate, with its parameters p and q: `launch` finds it by the name of its class.


@triton.jit
def slope_ATan(x, p, q):  # p = alpha / 2, q = pi / 2 alpha
    return divide(p, 1 + (q * x) * (q * x))


@triton.jit
def slope_FastSigmoid(x, p, q):
    root = p * tl.abs(x) + 1
    return divide(tl.full(x.shape, 1, x.dtype), root * root)


@triton.jit
def slope_SparseFastSigmoid(x, p, q):
    return tl.where(x > q, slope_FastSigmoid(x, p, q), 0)


@triton.jit
def slope_Sigmoid(x, p, q):
    tail = tl.exp(-tl.abs(p * x))
    return divide(p * tail, (1 + tail) * (1 + tail))


@triton.jit
def slope_SpikeRateEscape(x, p, q):
    return q * tl.exp(-p * tl.abs(x - 1))


@triton.jit
def slope_Triangular(x, p, q):
    return tl.where(x < 0, p, -p)


@triton.jit
def slope_LeakySpikeOperator(x, p, q):
    return tl.where(x > 0, 1, p)


@triton.jit
def slope_Heaviside(x, p, q):
    return (x > 0).to(x.dtype)


@triton.jit
def slope_StraightThroughEstimator(x, p, q):
    return tl.full(x.shape, 1, x.dtype)


@triton.jit
def _reset_back(
    times, syn, inh, mem, g_syn, g_inh, g_mem, theta, beta, tau,
    MODEL: tl.constexpr, RESET: tl.constexpr,
):  # fmt: skip
    """Go back through `_reset`.

    Returns the gradients of its states and of ``times``, and those of theta, beta and tau.
    """
    g_times = tl.full(mem.shape, 0, mem.dtype)
    d_theta, d_beta, d_tau = g_times, g_times, g_times
    if RESET == "zero" or RESET == "zero_old":  # noqa: PLR1714
        g_times = -g_mem * _finite(mem)
        if MODEL == "alpha":
            g_times = -(g_syn * _finite(syn) + g_inh * _finite(inh) + g_mem * _finite(mem))
            g_syn = tl.where(times == 1, 0, g_syn - times * g_syn)
            g_inh = tl.where(times == 1, 0, g_inh - times * g_inh)
        g_mem = tl.where(times == 1, 0, g_mem - times * g_mem)
    elif RESET != "none":
        g_drop = -g_mem
        drop = times * _finite(theta)
        if RESET == "soft":
            drop = beta * drop
        if MODEL == "alpha":
            g_drop = g_drop - divide(g_syn, tau)
            d_tau = divide(g_syn * drop, tau * tau)
        if RESET == "soft":
            d_beta = g_drop * times * _finite(theta)
            g_drop = beta * g_drop
        d_theta = g_drop * times
        g_times = g_drop * _finite(theta)
    return g_syn, g_inh, g_mem, g_times, d_theta, d_beta, d_tau


@triton.jit
def _back(
    x, spk, syn, inh, mem, g_spk, g_syn, g_inh, g_mem, slope,
    theta, beta, alpha, tau, V, graded, p, q,
    MODEL: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, FEEDBACK: tl.constexpr,
    SLOPE: tl.constexpr, STORED: tl.constexpr,
):  # fmt: skip
    """Go back through the step that starts from the states spk, syn, inh and mem.

    Returns the gradients of its input, of those states, and of the numbers.
    """
    fired, start, c_syn, c_inh, c_mem, r_syn, r_inh, r_mem, crossing, _, _, _, _ = _step(
        x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
        MODEL, RESET, DELAY, FEEDBACK, STORED,
    )  # fmt: skip
    zero = tl.full(mem.shape, 0, mem.dtype)
    d_theta, d_beta, d_alpha, d_tau, d_V = zero, zero, zero, zero, zero
    d_graded = g_spk * crossing
    g_crossing = g_spk * graded
    if not DELAY:
        g_syn, g_inh, g_mem, g_times, d_theta, d_beta, d_tau = _reset_back(
            crossing - fired, r_syn, r_inh, r_mem, g_syn, g_inh, g_mem, theta, beta, tau,
            MODEL, RESET,
        )  # fmt: skip
        g_crossing += g_times
    if SLOPE is not None:
        slope = SLOPE(rounded(r_mem - theta, STORED), p, q)
    through = g_crossing * slope
    d_theta -= through
    g_mem += through
    if RESET != "zero_old":
        g_syn, g_inh, g_mem, _, e_theta, e_beta, e_tau = _reset_back(
            fired, c_syn, c_inh, c_mem, g_syn, g_inh, g_mem, theta, beta, tau, MODEL, RESET
        )
        d_theta += e_theta
        d_beta += e_beta
        d_tau += e_tau
    g_x = g_mem
    g_fed = g_x
    if MODEL == "leaky":
        d_beta += g_mem * _kept(beta, start)
        g_mem = g_mem * beta
    else:
        g_x = g_syn + g_mem * tau
        g_fed = g_x  # what comes back enters syn, not inh
        d_alpha = g_x * _kept(alpha, syn)
        g_syn = g_x * alpha
        if MODEL == "alpha":
            g_out = g_inh + g_mem * tau
            d_tau += g_mem * (c_syn + c_inh)
            d_beta += g_out * _kept(beta, inh)
            g_x = g_x - g_out
            g_inh, g_mem = g_out * beta, zero
        else:
            d_beta += g_mem * _kept(beta, start)
            g_mem = g_mem * beta
    if RESET == "zero_old":
        g_mem = tl.where(fired == 1, 0, g_mem)
    g_spk = zero
    if FEEDBACK:
        d_V = g_fed * spk
        g_spk = g_fed * V
    return g_x, g_spk, g_syn, g_inh, g_mem, d_theta, d_beta, d_alpha, d_tau, d_V, d_graded


@triton.jit(do_not_specialize=["steps", "segments", "length"])
def backward(
    x_ptr, x_stride, n, steps,
    threshold_ptr, threshold_period, beta_ptr, beta_period, alpha_ptr, alpha_period,
    tau_ptr, tau_period, V_ptr, V_period, graded_ptr, graded_period,
    old_spk, old_syn, old_inh, old_mem,
    spk_rows, spk_stride, syn_rows, syn_stride, inh_rows, inh_stride, mem_rows, mem_stride,
    last_spk, last_syn, last_inh, last_mem,
    slopes, p_ptr, q_ptr, kept, width, segments, length,
    x_grad, spk_grad, syn_grad, inh_grad, mem_grad,
    threshold_grad, beta_grad, alpha_grad, tau_grad, V_grad, graded_grad,
    MODEL: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, FEEDBACK: tl.constexpr,
    SLOPE: tl.constexpr, CONSTANT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the gradients of all inputs of `forward`.

    ``*_rows`` and ``last_*`` are now the gradients of what `forward` writes there. The states
    are computed once more: all of time, keeping those before each of the ``segments`` of
    ``length`` steps, then segment after segment, the last one first. ``kept`` has room for
    the states, ``width`` numbers in all, of one step in each segment and of each step in one.
    """
    stored: tl.constexpr = x_ptr.dtype.element_ty
    computed: tl.constexpr = tl.float64 if stored == tl.float64 else tl.float32
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lanes = tl.arange(0, BLOCK)
    mask = start + lanes < n
    like = tl.full((BLOCK,), 0, computed)
    theta = parameter(threshold_ptr, threshold_period, start, lanes, mask, like)
    beta = parameter(beta_ptr, beta_period, start, lanes, mask, like)
    alpha = parameter(alpha_ptr, alpha_period, start, lanes, mask, like)
    tau = parameter(tau_ptr, tau_period, start, lanes, mask, like)
    V = parameter(V_ptr, V_period, start, lanes, mask, like)
    graded = parameter(graded_ptr, graded_period, start, lanes, mask, like)
    p, q = tl.load(p_ptr) + like, tl.load(q_ptr) + like
    spk = read(old_spk, start, lanes, mask, like)
    syn = read(old_syn, start, lanes, mask, like)
    inh = read(old_inh, start, lanes, mask, like)
    mem = read(old_mem, start, lanes, mask, like)

    at_x, at = start, start
    for _segment in range(segments - 1):
        at = save(kept, at, n, lanes, mask, spk, syn, inh, mem, MODEL, FEEDBACK)
        for _t in tl.range(0, length, num_stages=4):
            x = read(x_ptr, at_x, lanes, mask, like)
            _excess, spk, syn, inh, mem = _advance(
                x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
                MODEL, RESET, DELAY, FEEDBACK, stored,
            )  # fmt: skip
            at_x += x_stride
    first = save(kept, at, n, lanes, mask, spk, syn, inh, mem, MODEL, FEEDBACK)
    tl.debug_barrier()  # what one thread wrote another may read

    d_x, d_theta, d_beta, d_alpha, d_tau, d_V, d_graded = like, like, like, like, like, like, like
    g_spk = read(last_spk, start, lanes, mask, like)
    g_syn = read(last_syn, start, lanes, mask, like)
    g_inh = read(last_inh, start, lanes, mask, like)
    g_mem = read(last_mem, start, lanes, mask, like)
    end = (steps - 1).to(tl.int64)
    at_row = start + end * n
    at_spk, at_syn = start + end * spk_stride, start + end * syn_stride
    at_inh, at_mem = start + end * inh_stride, start + end * mem_stride
    count = steps - (segments - 1) * length
    for _segment in range(segments):
        spk, syn, inh, mem = restore(kept, at, n, lanes, mask, like, MODEL, FEEDBACK)
        at -= width
        here, ahead = first, at_x
        for _t in tl.range(0, count, num_stages=4):
            here = save(kept, here, n, lanes, mask, spk, syn, inh, mem, MODEL, FEEDBACK)
            x = read(x_ptr, ahead, lanes, mask, like)
            _excess, spk, syn, inh, mem = _advance(
                x, spk, syn, inh, mem, theta, beta, alpha, tau, V, graded,
                MODEL, RESET, DELAY, FEEDBACK, stored,
            )  # fmt: skip
            ahead += x_stride
        tl.debug_barrier()
        for _t in tl.range(0, count, num_stages=2):
            here -= width
            ahead -= x_stride
            spk, syn, inh, mem = restore(kept, here, n, lanes, mask, like, MODEL, FEEDBACK)
            x = read(x_ptr, ahead, lanes, mask, like)
            g_spk += read(spk_rows, at_spk, lanes, mask, like)
            g_syn += read(syn_rows, at_syn, lanes, mask, like)
            g_inh += read(inh_rows, at_inh, lanes, mask, like)
            g_mem += read(mem_rows, at_mem, lanes, mask, like)
            slope = read(slopes, at_row, lanes, mask, like)
            (
                g_x, g_spk, g_syn, g_inh, g_mem,
                e_theta, e_beta, e_alpha, e_tau, e_V, e_graded,
            ) = _back(
                x, spk, syn, inh, mem, g_spk, g_syn, g_inh, g_mem, slope,
                theta, beta, alpha, tau, V, graded, p, q,
                MODEL, RESET, DELAY, FEEDBACK, SLOPE, stored,
            )  # fmt: skip
            if CONSTANT:
                d_x += g_x
            else:
                write(x_grad, at_row, lanes, g_x, mask)
            d_theta += e_theta
            d_beta += e_beta
            d_alpha += e_alpha
            d_tau += e_tau
            d_V += e_V
            d_graded += e_graded
            at_row -= n
            at_spk -= spk_stride
            at_syn -= syn_stride
            at_inh -= inh_stride
            at_mem -= mem_stride
        tl.debug_barrier()
        at_x = at_x - length.to(tl.int64) * x_stride
        count = length
    if CONSTANT:
        write(x_grad, start, lanes, d_x, mask)
    write(spk_grad, start, lanes, g_spk, mask)
    write(syn_grad, start, lanes, g_syn, mask)
    write(inh_grad, start, lanes, g_inh, mask)
    write(mem_grad, start, lanes, g_mem, mask)
    write(threshold_grad, start, lanes, d_theta, mask)
    write(beta_grad, start, lanes, d_beta, mask)
    write(alpha_grad, start, lanes, d_alpha, mask)
    write(tau_grad, start, lanes, d_tau, mask)
    write(V_grad, start, lanes, d_V, mask)
    write(graded_grad, start, lanes, d_graded, mask)
