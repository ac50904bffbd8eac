"""The recipes run, at a tiny size, and the page shows what the file beside it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.recipes import RECIPES, load_recipes

ROOT = RECIPES.parent
PAGE = (ROOT / "docs/results.rst").read_text()
RESULTS = json.loads((ROOT / "docs/results.json").read_text())
NAMES = list(RESULTS["small"])
MADE = [name for name in NAMES if not name.startswith("fashion")]


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, Any]]:
    with load_recipes() as loaded:
        yield loaded


@pytest.fixture
def recipes(modules: dict[str, Any]) -> dict[str, Any]:
    return modules["run"].recipes()


# -- the page


def test_the_page_shows_the_file(modules: dict[str, Any]) -> None:
    """Paste it by `python recipes/run.py --write`, never by hand."""
    begin, end = modules["run"].MARKS
    shown = PAGE.partition(f"{begin}\n\n")[2].partition(end)[0]
    assert shown == modules["run"].tables(RESULTS)


@pytest.mark.parametrize("size", RESULTS)
def test_the_results_are_those_of_the_recipes(size: str, recipes: dict[str, Any]) -> None:
    """Numbers are measured, so no test asks for them; what they are of has to exist."""
    assert list(RESULTS[size]) == list(recipes)
    for name, found in RESULTS[size].items():
        recipe = recipes[name]
        chosen = recipe.sizes[size]
        net = recipe.net(chosen.width)
        assert found["parameters"] == sum(p.numel() for p in net.parameters())
        assert found["command"] == f"python recipes/run.py {name}"
        assert found["epochs"] == chosen.epochs
        assert found["chance"] == round(recipe.chance, 4)
        assert found["about"] == recipe.about.format(width=chosen.width, twice=2 * chosen.width)
        assert [seed["seed"] for seed in found["seeds"]] == list(range(chosen.seeds))
        for seed in found["seeds"]:
            assert 1 <= seed["epoch"] <= chosen.epochs
            assert found["chance"] < seed["test"] <= 1
        assert f"``{found['command']}``" in PAGE


def test_the_page_has_every_recipe() -> None:
    assert re.findall(r"``python recipes/run.py ([\w-]+)``", PAGE) == NAMES
    assert "small" in RESULTS
    assert "tiny" not in RESULTS


def test_makefile_and_readme_know_the_command() -> None:
    assert "recipes/run.py $(ARGS)" in (ROOT / "Makefile").read_text()
    assert "make results" in (ROOT / "README.rst").read_text()


# -- the data


@pytest.mark.parametrize("name", MADE)
def test_parts_share_no_sample(name: str, recipes: dict[str, Any]) -> None:
    recipe = recipes[name]
    tiny, small = (recipe.data(recipe.sizes[size]) for size in ("tiny", "small"))
    for part in ("valid", "test"):  # whatever the size
        for one, other in zip(getattr(tiny, part), getattr(small, part), strict=True):
            assert torch.equal(one, other)
    samples = [{row.numpy().tobytes() for row in part.x} for part in small]
    train, valid, test = samples
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_each_sum_is_of_two_marked_numbers(modules: dict[str, Any]) -> None:
    x, y = modules["adding"].sequences(200, seed=5)
    numbers, marks = x.unbind(2)
    assert marks[:, :15].sum(1).eq(1).all()
    assert marks[:, 15:].sum(1).eq(1).all()
    for row in range(200):
        one, two = marks[row].nonzero().flatten().tolist()
        assert y[row].item() == pytest.approx((numbers[row, one] + numbers[row, two]).item())


def test_the_symbol_to_recall_is_the_stored_one(modules: dict[str, Any]) -> None:
    """Told from the spikes alone: the group that fires most while "store" does."""
    x, y = modules["store_recall"].sequences(500, seed=5)
    counts = x.view(500, 12, 4, 6, 5).sum((2, 4))
    slot = counts[:, :-1, 4].argmax(1)
    symbol = counts[torch.arange(500), slot, :4].argmax(1)
    assert (symbol == y).float().mean() > 0.99
    assert counts[:, -1, :4].sum() < 0.2 * counts[:, -2, :4].sum()  # no symbol while it is asked
    assert counts[:, -1, 5].min() > 0


def test_a_direction_is_told_by_what_fires_after_what(modules: dict[str, Any]) -> None:
    events = modules["events"]
    x, y = events.films(400, seed=5)

    def told(film: torch.Tensor) -> float:
        """Return the share of films told by which shift takes most events into the next ones."""
        before, after = film[:, :-1], film[:, 1:]
        fits = [(after * before.roll(way, (2, 3))).sum((1, 2, 3)) for way in events.DIRECTIONS]
        return (torch.stack(fits).argmax(0) == y).float().mean().item()

    film = x.float().squeeze(2)
    assert told(film) > 0.95
    assert told(film.flip(1)) < 0.05  # the same events, in the other order


def test_missing_files_come_with_what_to_type(
    modules: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules["fashion"], "DEBIAN", tmp_path)
    options = ["digits", "fashion-*", "--size", "tiny", "--jobs", "1"]
    assert modules["run"].main(options) == 1
    printed = capsys.readouterr()
    assert re.search(r"^digits +\d", printed.out, re.MULTILINE)
    for name in ("fashion-dense", "fashion-conv", "fashion-population"):
        assert re.search(rf"^{name} +left out, see below$", printed.out, re.MULTILINE)
        assert f"{name}: the files of FashionMNIST are missing" in printed.err
    assert "`sudo apt install dataset-fashion-mnist`" in printed.err
    assert list(json.loads(Path("out/results.json").read_text())["tiny"]) == ["digits"]


# -- the trainer


@pytest.mark.parametrize("name", MADE)
def test_a_recipe_runs(name: str, modules: dict[str, Any]) -> None:
    result = modules["run"].one((name, "tiny", 0))
    assert 0 <= result["test"] <= 1
    assert len(result["split"]) == 3
    if name == "digits":
        assert result["test"] > 0.5  # it learns
        again = modules["run"].one((name, "tiny", 0))
        other = modules["run"].one((name, "tiny", 1))
        del result["seconds"], again["seconds"]
        assert again == result
        assert (other["test"], other["valid"]) != (result["test"], result["valid"])


def test_fashion_runs_on_files_of_few_images(
    modules: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    for part, number in (("train", 60), ("t10k", 20)):
        images = torch.randint(256, (number, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.arange(number, dtype=torch.uint8) % 10
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            content = bytes([0, 0, 8, values.dim()]) + sizes + values.numpy().tobytes()
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules["fashion"], "DEBIAN", tmp_path)
    for name in NAMES:
        if name.startswith("fashion"):
            assert modules["run"].one((name, "tiny", 0))["split"] == [48, 12, 20]


def test_the_epoch_is_chosen_by_validation_alone(
    modules: dict[str, Any], recipes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test part is looked at once, with the weights of the best epoch."""
    training, recipe = modules["training"], recipes["digits"]
    size = recipe.sizes["tiny"]
    sets = recipe.data(size)
    reached = iter([0.3, 0.8, 0.5, 0.8] + [0.1] * 6)
    looked, weights = [], []

    def accuracy(_: Any, net: torch.nn.Module, part: Any) -> float:
        looked.append(part)
        weights.append(net[0].weight.detach().clone())
        return next(reached) if part is sets.valid else 0.7

    monkeypatch.setattr(training, "accuracy", accuracy)
    done = training.train(recipe, size, sets, seed=0)
    assert [part is sets.test for part in looked] == [False] * 10 + [True]
    assert (done.epoch, done.valid, done.test) == (2, 0.8, 0.7)
    assert torch.equal(weights[-1], weights[1])
    assert not torch.equal(weights[-1], weights[-2])


# -- the command


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """In processes of its own, as users run it."""
    docs = tmp_path / "docs"
    docs.mkdir()
    text = "Title\n\n.. tables from results.json\nold\n.. end of tables\n\nAfter\n"
    (docs / "results.rst").write_text(text)
    options = ["digits", "adding-rl*", "--size", "tiny", "--jobs", "2", "--write", "--docs", docs]
    subprocess.run([sys.executable, RECIPES / "run.py", *options], cwd=tmp_path, check=True)
    results = json.loads((docs / "results.json").read_text())
    assert results == json.loads((tmp_path / "out/results.json").read_text())
    assert list(results["tiny"]) == ["digits", "adding-rleaky"]
    page = (docs / "results.rst").read_text()
    assert page.startswith("Title\n\n.. tables from results.json\n\nReached: tiny\n")
    assert page.endswith("\n.. end of tables\n\nAfter\n")
    assert "old" not in page
    assert "``python recipes/run.py adding-rleaky --size tiny``" in page


def test_what_did_not_run_stays(modules: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "results.rst").write_text("\n".join([*modules["run"].MARKS, ""]))
    digits, events = (RESULTS["small"][name] for name in ("digits", "events"))
    modules["run"].write("nightly", {"events": events}, tmp_path)
    modules["run"].write("small", {"events": events}, tmp_path)
    modules["run"].write("small", {"digits": digits}, tmp_path)
    found = json.loads((tmp_path / "results.json").read_text())
    assert {size: list(records) for size, records in found.items()} == {
        "small": ["digits", "events"],
        "nightly": ["events"],
    }


def test_an_unknown_recipe_is_refused(modules: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match=r"expected some of digits, .*, but got 'mnist'"):
        modules["run"].main(["mnist"])
