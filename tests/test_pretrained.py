"""Nets that come trained: they reach what is written beside them, and nothing in a file is run."""

from __future__ import annotations

import json
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import pretrained, surrogate
from snntorch.pretrained._architecture import from_data, to_data
from tests.recipes import load_recipes

FILES = Path(pretrained.__file__).parent / "files"


@pytest.fixture(scope="module")
def recipes() -> Iterator[dict[str, Any]]:
    with load_recipes() as modules:
        yield modules


def test_what_is_shipped() -> None:
    assert pretrained.names() == ["digits", "store-recall"]
    assert sum(file.stat().st_size for file in FILES.iterdir()) < 1_000_000


@pytest.mark.parametrize("name", pretrained.names())
def test_a_net_reaches_what_is_written(name: str, recipes: dict[str, Any]) -> None:
    """To the digit, on the test part: computed here, by the words of the description."""
    told, net = pretrained.describe(name), pretrained.load(name)
    assert not net.training
    if name == "digits":
        sets = recipes["digits"].data(recipes["digits"].RECIPES[0].sizes["small"])
        with torch.no_grad():
            spk, _ = snn.unroll(net, sets.test.x, num_steps=told.num_steps)
        answers = spk.sum(0).argmax(1)
    else:
        sets = recipes["store_recall"].data(recipes["store_recall"].RECIPES[0].sizes["small"])
        x = sets.test.x.float().transpose(0, 1)
        assert len(x) == told.num_steps
        with torch.no_grad():
            _, mem = snn.unroll(net, x)
        answers = mem[-4:].mean(0).argmax(1)
    assert [len(part.y) for part in sets] == [
        told.split[part] for part in ("train", "valid", "test")
    ]
    right = (answers == sets.test.y).float().mean().item()
    assert round(right, 4) == told.test_accuracy
    assert right > told.chance + 0.5


@pytest.mark.parametrize("name", pretrained.names())
def test_the_description_is_complete(name: str, recipes: dict[str, Any]) -> None:
    told = pretrained.describe(name)
    assert told.name == name
    for field in fields(told):
        value = getattr(told, field.name)
        assert value or value == 0, field.name
    assert told.parameters == sum(p.numel() for p in pretrained.load(name).parameters())
    assert told.architecture == to_data(pretrained.load(name))
    assert told.command == f"python recipes/ship.py {name}"
    assert name in recipes["ship"].SHIPPED
    assert f"test accuracy: {100 * told.test_accuracy:.2f} %" in str(told)


def test_what_is_shipped_is_what_the_table_tells(recipes: dict[str, Any]) -> None:
    """Seed 0 of the recipe, trained once more, is the same net."""
    page = json.loads((Path(__file__).parents[1] / "docs/results.json").read_text())["small"]
    for name, texts in recipes["ship"].SHIPPED.items():
        told, seed = pretrained.describe(name), page[texts["recipe"]]["seeds"][0]
        assert seed["seed"] == told.seed
        assert (seed["epoch"], seed["test"]) == (told.epoch, told.test_accuracy)
        assert seed["valid"] == told.valid_accuracy


def test_shipping_writes_what_loads(
    recipes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = recipes["ship"].ship("digits", "tiny", tmp_path)
    monkeypatch.setattr(pretrained, "_FILES", tmp_path)
    assert pretrained.names() == ["digits"]
    assert pretrained.describe("digits") == written
    sizes = recipes["digits"].RECIPES[0].sizes["tiny"]
    sets = recipes["digits"].data(sizes)
    spk, _ = snn.unroll(pretrained.load("digits"), sets.test.x, num_steps=20)
    right = (spk.sum(0).argmax(1) == sets.test.y).float().mean().item()
    assert round(right, 4) == written.test_accuracy


@pytest.mark.parametrize("call", [pretrained.load, pretrained.describe])
@pytest.mark.parametrize("name", ["mnist", "../files/digits", "", "digits.json"])
def test_an_unknown_name_is_refused(call: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"`name` to be one of \('digits', 'store-recall'\)"):
        call(name)


def test_the_random_numbers_of_others_stay() -> None:
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    pretrained.load("store-recall")
    assert torch.equal(torch.rand(2), want)


def test_nets_that_are_loaded_share_nothing() -> None:
    one, other = pretrained.load("digits"), pretrained.load("digits")
    with torch.no_grad():
        one[0].weight.zero_()
    assert other[0].weight.any()


# -- what a file may say


@pytest.mark.parametrize("file", sorted(FILES.glob("*.pt")), ids=lambda file: file.stem)
def test_a_file_holds_tensors_alone(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        operations = list(pickletools.genops(archive.read(pickled)))
    named = {text for code, text, _ in operations if code.name == "GLOBAL"}
    storages = {"torch FloatStorage", "torch LongStorage"}
    # torch gives each tensor an empty dictionary of hooks
    assert named == storages | {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"}
    content = torch.load(file, weights_only=True)
    assert type(content) is dict
    assert all(type(value) is torch.Tensor for value in content.values())


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("run",)


def test_what_is_hidden_in_a_file_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "digits.json").write_text((FILES / "digits.json").read_text())
    torch.save({"0.weight": Harmful()}, tmp_path / "digits.pt")
    monkeypatch.setattr(pretrained, "_FILES", tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        pretrained.load("digits")
    assert capsys.readouterr().out == ""
    torch.load(tmp_path / "digits.pt", weights_only=False)
    assert capsys.readouterr().out == "run\n"  # else this test could not fail


NET = nn.Sequential(
    nn.Linear(3, 4),
    snn.RLeaky(
        beta=torch.tensor([0.1, 0.2, 0.3, 0.4]),
        linear_features=4,
        threshold=0.5,
        spike_grad=surrogate.fast_sigmoid(slope=7),
        init_hidden=True,
        learn_beta=True,
        reset_mechanism="zero",
    ),
    nn.Dropout(0.2),
    nn.Linear(4, 2),
    snn.Leaky(beta=0.9, init_hidden=True, output=True),
)


def test_layers_as_data_and_back() -> None:
    data = json.loads(json.dumps(to_data(NET)))
    net = from_data(data)
    assert str(net) == str(NET)
    assert [n for n, _ in net.named_parameters()] == [n for n, _ in NET.named_parameters()]
    assert net[1].spike_grad == surrogate.fast_sigmoid(slope=7)
    net.load_state_dict(NET.state_dict())
    x = torch.rand(5, 2, 3)
    want, got = (snn.unroll(each.eval(), x) for each in (NET, net))
    assert torch.equal(got[1], want[1])
    assert to_data(net) == data


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"layer": "eval"}], "`layer` to be one of .*, but got 'eval'"),
        (
            [{"layer": "Linear", "in_features": 1, "out_features": 1, "device": "meta"}],
            "`argument of Linear` to be one of .*, but got 'device'",
        ),
        (
            [{"layer": "Leaky", "beta": 0.9, "spike_grad": ["custom_surrogate", "print"]}],
            r"`spike_grad` to be one of \('atan', 'fast_sigmoid'\), but got 'custom_surrogate'",
        ),
    ],
)
def test_a_file_names_what_is_known_alone(layers: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_data(layers)


def test_a_net_that_no_file_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`layer` to be one of .*, but got 'Tanh'"):
        to_data(nn.Sequential(nn.Tanh()))
    with pytest.raises(ValueError, match=r"`spike_grad` to be one of .*, but got 'sigmoid'"):
        to_data(nn.Sequential(snn.Leaky(0.9, spike_grad=surrogate.sigmoid())))
