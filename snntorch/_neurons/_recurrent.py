"""Feedback V: how the spikes of the last step come back as input."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor, nn

from snntorch._checks import as_sides, expect, expect_flag, expect_size
from snntorch._kernels.equations import States, in_dtype
from snntorch._neurons.neurons import LIF
from snntorch._torch import is_hooked


class RecurrentOneToOne(nn.Module):
    """Feedback of every neuron to itself: V times its spikes.

    Args:
        V: Weight; a parameter is learned, a tensor is kept as a constant.
    """

    V: Tensor

    def __init__(self, V: Tensor) -> None:
        super().__init__()
        self._neuron: weakref.ref[RecurrentLIF] | None = None  # whose V this is
        if isinstance(V, nn.Parameter):
            self.V = V
        else:
            self.register_buffer("V", V, persistent=False)  # the neuron's state_dict has it

    def forward(self, x: Tensor) -> Tensor:
        """Return V * x."""
        return x * in_dtype(self.V, x.dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "V" and "_neuron" in self.__dict__:
            self._tell()

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        module = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._tell()
        return module

    def _tell(self) -> None:
        neuron = None if self._neuron is None else self._neuron()
        if neuron is not None and neuron._value("V") is not self.V:
            neuron.V = self.V

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_neuron": None}  # the neuron ties its copies


class SameConv2d(nn.Conv2d):
    """Convolution that keeps height and width, for kernels of odd and even size."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, bias: bool = True):
        rows, columns = as_sides(self, "kernel_size", kernel_size)
        padding = (rows // 2, columns // 2)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=(rows, columns),
            padding=padding,
            bias=bias,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution; an even kernel's surplus first row or column is dropped."""
        rows, columns = self.kernel_size
        return super().forward(input)[..., 1 - rows % 2 :, 1 - columns % 2 :]


class RecurrentLIF(LIF):
    """LIF neuron whose spikes come back through ``recurrent``.

    The spikes of the last step are its first state.
    """

    def _init_recurrent(
        self,
        V: Any,
        all_to_all: bool,
        linear_features: int | None,
        conv2d_channels: int | None,
        kernel_size: Any,
        learn_recurrent: bool,
    ) -> None:
        """Build the feedback the arguments ask for."""
        expect_flag(self, "all_to_all", all_to_all)
        expect_flag(self, "learn_recurrent", learn_recurrent)
        sizes = {
            "linear_features": linear_features,
            "conv2d_channels": conv2d_channels,
            "kernel_size": kernel_size,
        }
        for name, value in sizes.items():
            if value is not None and value is not False:
                check = as_sides if name == "kernel_size" else expect_size
                check(self, name, value, 0)
        given = [name for name, value in sizes.items() if value]
        if all_to_all:
            expect(
                given in (["linear_features"], ["conv2d_channels", "kernel_size"]),
                self,
                "`linear_features`, or `conv2d_channels` and `kernel_size`, with all_to_all=True",
                " and ".join(f"`{name}`" for name in given) or "none of them",
                "Give the layer's size, or set all_to_all=False to feed back one to one by `V`.",
                TypeError,
            )
        else:
            expect(
                not given,
                self,
                "neither `linear_features` nor `conv2d_channels` with all_to_all=False",
                " and ".join(f"`{name}`" for name in given),
                "Leave it out: `V` holds one weight, or one per neuron.",
                TypeError,
            )
        self.all_to_all = all_to_all
        self.linear_features = linear_features
        self.conv2d_channels = conv2d_channels
        self.kernel_size = kernel_size
        self.learn_recurrent = learn_recurrent
        if not all_to_all:
            self._register("V", V, learn_recurrent)
            self.recurrent: nn.Module = RecurrentOneToOne(self._value("V"))
        elif linear_features:
            self.recurrent = nn.Linear(linear_features, linear_features)
        elif conv2d_channels:
            self.recurrent = SameConv2d(conv2d_channels, conv2d_channels, kernel_size)
        if not learn_recurrent:
            self.recurrent.requires_grad_(False)

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return the shape of each state, which the feedback has to fit."""
        shape = super().state_shape(input_)
        layer = self._modules["recurrent"]
        if type(layer) is nn.Linear:
            name, size, got = "linear_features", layer.in_features, shape[-1:]
        elif type(layer) is SameConv2d:
            image = len(shape) in (3, 4) and 0 not in shape[-2:]
            name, size, got = "conv2d_channels", layer.in_channels, shape[-3:-2]
            what = f"`input_` of shape (batch, channels, height, width), `{name}` = {size}"
            expect(image, self, what, f"{tuple(shape)}")
        else:
            return shape
        if got != (size,):
            what = f"`input_` that fits `{name}` = {size}, the size of its feedback"
            hint = f"Build the neuron with {name}={got[0]}." if got else "Pass a batch."
            expect(False, self, what, f"one of shape {tuple(shape)}", hint)
        return shape

    def _states(self, input_: Any, given: tuple[Any, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        input_, states = super()._states(input_, given)
        if type(self._modules["recurrent"]) in (nn.Linear, SameConv2d):
            self._expect_as_weights("input_` and `spk", states[0], "recurrent")
        return input_, states

    def _update(self, input_: Tensor, states: States) -> States:
        spk, *others = states
        return super()._update(input_, (self.recurrent(spk), *others))

    def _feedback(self) -> dict[str, Any] | None:
        recurrent = self.recurrent
        if is_hooked(recurrent):
            return None
        if type(recurrent) is RecurrentOneToOne:
            return {"V": recurrent.V}
        return {"through": recurrent} if type(recurrent) in (nn.Linear, SameConv2d) else None

    def _tie(self) -> None:
        """Let the feedback use this neuron's V, which its state_dict holds."""
        layer = self._modules.get("recurrent")
        if isinstance(layer, RecurrentOneToOne) and "V" in self._parameter_names:
            layer._neuron = weakref.ref(self)
            if layer.V is not self._value("V"):
                layer.V = self._value("V")

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        module = super()._apply(fn, recurse)
        self._tie()
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("V", "recurrent"):
            self._tie()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._tie()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._tie()
