"""The example scripts, run as users run them, on small files that the tests write."""

from __future__ import annotations

import gzip
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
CLASSES, SIDE = 10, 10


@pytest.fixture(autouse=True)
def beside_the_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Find the modules that examples share, as scripts do, in a folder without data."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("idx", "quickstart"):
        sys.modules.pop(name, None)


@pytest.fixture
def idx() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / "idx.py")))


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, dict[str, Any]]]:
    """Return a function that runs a script and returns what it printed and defined."""

    def run(script: str, *arguments: object) -> tuple[str, dict[str, Any]]:
        path = str(EXAMPLES / script)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        names = runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out, names

    return run


def as_idx(values: np.ndarray, kind: int = 8) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, kind, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def write_set(folder: Path, zipped: bool, train: int = 200, test: int = 40) -> Path:
    """Write images of a bright row on noise, labelled by the row."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, number in (("train", train), ("t10k", test)):
        labels = np.arange(number) % CLASSES
        images = rng.integers(0, 100, (number, SIDE, SIDE))
        images[np.arange(number), labels] = 255
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            content = as_idx(values)
            path = folder / f"{part}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


# -- IDX files


@pytest.mark.parametrize("shape", [(3, 4, 5), (7,), (0, 4, 5)])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_files_are_read(idx: Any, tmp_path: Path, shape: tuple[int, ...], end: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape)
    path = tmp_path / f"values{end}"
    path.write_bytes(gzip.compress(as_idx(values)) if end else as_idx(values))
    tensor = idx.read_idx(path)
    assert tensor.dtype == torch.uint8
    assert tensor.shape == shape
    assert tensor.tolist() == values.tolist()


GOOD = as_idx(np.arange(12).reshape(3, 4))
DAMAGED = {
    "nothing": ("f", b"", "is no IDX file: expected 00 00 at its start, but got nothing"),
    "short": ("f", GOOD[:3], "is no IDX file: .* but got 00 00 08"),
    "magic": ("f", b"\x01" + GOOD[1:], "is no IDX file: .* but got 01 00 08 02"),
    "zipped": ("f", gzip.compress(GOOD), "is no IDX file: .* but got 1f 8b 08 00"),
    "floats": ("f", as_idx(np.ones(4), kind=13), r"of bytes \(type code 13, expected 8\)"),
    "cut": ("f", GOOD[:-1], r"damaged: expected 24 bytes.*shape \[3, 4\], but got 23.\nGet"),
    "cut in the header": ("f", GOOD[:6], "damaged: .* but got 6"),
    "too long": ("f", GOOD + b"\0", "damaged: expected 24 bytes.* but got 25"),
    "not zipped": ("f.gz", GOOD, "f.gz is no complete gzip file: Not a gzipped file"),
    "zip cut": ("f.gz", gzip.compress(GOOD)[:-9], "f.gz is no complete gzip file: Compressed"),
    "zip damaged": (
        *("f.gz", gzip.compress(GOOD)[:12] + bytes(20), "f.gz is no complete gzip file: "),
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named(
    idx: Any, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        idx.read_idx(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_the_two_sets(idx: Any, tmp_path: Path, zipped: bool, below: str) -> None:
    write_set(tmp_path / "here" / below, zipped)
    sets = idx.idx_files("fashion", [tmp_path / "nowhere", tmp_path / "here"])
    for data, number in zip(sets, (200, 40), strict=True):
        x, y = data.tensors
        assert x.shape == (number, SIDE * SIDE)
        assert x.dtype == torch.float32
        assert x.max() == 1
        assert x.min() >= 0
        assert torch.equal(x.view(-1, SIDE, SIDE).mean(2).argmax(1), y)
        assert y.dtype == torch.int64


def test_the_first_folder_wins(idx: Any, tmp_path: Path) -> None:
    roots = [write_set(tmp_path / str(n), zipped=False, train=n) for n in (20, 30)]
    assert len(idx.idx_files("mnist", roots)[0]) == 20
    assert len(idx.idx_files("mnist", roots[::-1])[0]) == 30


def test_labels_of_other_images_are_told(idx: Any, tmp_path: Path) -> None:
    root = write_set(tmp_path, zipped=False)
    (root / "t10k-labels-idx1-ubyte").write_bytes(as_idx(np.zeros(3)))
    with pytest.raises(ValueError, match=r"t10k files.* \[40, 10, 10\] and \[3\]"):
        idx.idx_files("fashion", [root])


# -- the scripts


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "population_coding.py",
            [],
            r"FashionMNIST expected train-images-idx3-ubyte\(.gz\) in one of "
            r"empty/FashionMNIST/raw, empty, but found none\.\n.*`sudo apt install "
            r"dataset-fashion-mnist` and pass --root /usr/share/datasets/fashion-mnist, or call "
            r"`torchvision\.datasets\.FashionMNIST\('empty', download=True\)`\.$",
        ),
        (
            "quickstart.py",
            ["--data", "fashion"],
            r"(?s)in one of empty/Fash.*apt install dataset-fashion-mnist.*or leave --data out to "
            r"use scikit-learn's digits\.$",
        ),
        (
            "quickstart.py",
            ["--data", "mnist"],
            r"MNIST expected train-images.*\n.*call `torchvision\.datasets\.MNIST\('empty', .*"
            r"or leave --data out",
        ),
    ],
)
def test_missing_files_come_with_what_to_type(
    run: Any, script: str, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=message) as caught:
        run(script, *arguments, "--root", "empty")
    assert ("apt install" in str(caught.value)) == ("mnist" not in arguments)


def test_a_script_runs_from_anywhere(tmp_path: Path) -> None:
    """Not in this process, whose path was changed."""
    command = [sys.executable, EXAMPLES / "population_coding.py", "--root", "empty"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("FashionMNIST expected train-images")


#: Options that learn something from few images.
QUICK = ("--epochs", 2, "--lr", 5e-3, "--batch-size", 8, "--population", 50)


def test_population_coding_says_what_it_reaches(run: Any, tmp_path: Path) -> None:
    root = write_set(tmp_path, zipped=True)
    printed, _ = run("population_coding.py", "--root", root, *QUICK)
    assert printed.startswith("FashionMNIST: 200 images to train on, 40 to test on\n")
    number = r"(\d+\.\d+)"
    for outputs in (CLASSES, 50):
        line = rf"{outputs} output neurons, epoch (\d): loss {number}, test accuracy {number} %"
        epochs = re.findall(line, printed)
        assert [epoch for epoch, _, _ in epochs] == ["1", "2"]
        first, last = (float(loss) for _, loss, _ in epochs)
        assert last < first
        reached = epochs[-1][2]
        assert float(reached) > 2 * 100 / CLASSES  # chance is a tenth
        assert f"test accuracy with {outputs} output neurons: {reached} %\n" in printed
    assert re.search(r"time: \d+ s\n$", printed)


def test_population_coding_is_repeatable(run: Any, tmp_path: Path) -> None:
    options = ("--root", write_set(tmp_path, zipped=True), *QUICK)
    first, again, other = (
        run("population_coding.py", *options, "--seed", seed)[0].split("time")[0]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_population_coding_looks_in_data_first(run: Any, tmp_path: Path) -> None:
    write_set(tmp_path / "data", zipped=False, train=20)
    printed, _ = run("population_coding.py", "--epochs", 1, "--population", 20)
    assert printed.startswith("FashionMNIST: 20 images to train on, 40 to test on\n")


def test_quickstart_writes_a_checkpoint_and_a_figure(run: Any, tmp_path: Path) -> None:
    root = write_set(tmp_path, zipped=False)
    options = ("--data", "mnist", "--root", root, "--out", "made")
    printed, names = run("quickstart.py", *options, "--hidden", 64, "--epochs", 8)
    share = re.match(r"test accuracy: (\d+\.\d+) % of 40 held-out digits\ntime: \d+ s\n", printed)
    assert share is not None
    assert float(share[1]) > 2 * 100 / CLASSES
    checkpoint, figure = Path("made/quickstart.pt"), Path("made/quickstart.png")
    assert printed.endswith(f"wrote {checkpoint} and {figure}\n")
    net = names["build"](SIDE * SIDE, 64)
    net.load_state_dict(torch.load(checkpoint, weights_only=True))
    assert figure.read_bytes().startswith(b"\x89PNG")
    test_set = names["idx_files"]("mnist", [root])[1]
    again = names["accuracy"](net, test_set, num_steps=25, seed=0)
    assert f"{100 * again:.2f}" == share[1]


def test_what_comes_back_from_a_nir_file_is_as_right(run: Any) -> None:
    printed, names = run("export_nir.py", "--epochs", 3, "--hidden", 64, "--lr", 1e-2)
    assert "wrote out/digits.nir\nNIR graph, Euler steps of 0.001 s (the graph's)" in printed
    shares = re.findall(r"test accuracy, (.+): (\d+\.\d+) % of 360 held-out digits", printed)
    assert [name for name, _ in shares] == ["trained", "read back"]
    assert shares[0][1] == shares[1][1]
    assert float(shares[0][1]) > 3 * 100 / CLASSES
    net = names["import_from_nir"]("out/digits.nir")
    assert net(torch.rand(2, 64)).shape == (2, CLASSES)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter to itself
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_onnx_graph_spikes_as_the_net(run: Any) -> None:
    printed, _ = run("export_onnx.py", "--epochs", 2, "--hidden", 32, "--lr", 1e-2)
    assert "wrote out/digits.onnx" in printed
    shares = re.findall(r"test accuracy, (.+): (\d+\.\d+) % of 360 held-out digits", printed)
    assert [name for name, _ in shares] == ["PyTorch", "ONNX Runtime"]
    assert abs(float(shares[0][1]) - float(shares[1][1])) < 1
    differ, spikes = map(int, re.findall(r"(\d+) of (\d+) output spikes differ", printed)[0])
    assert spikes > 1000  # products are rounded otherwise there, which moves few spikes
    assert differ < 0.001 * spikes


def test_delays_solve_what_weights_cannot(run: Any) -> None:
    printed, _ = run("learn_delays.py", "--updates", 100)
    weights, delays = (float(share) for share in re.findall(r"accuracy ([\d.]+) %", printed))
    assert weights < 35  # chance is 25
    assert delays > 95


def test_firing_patterns_are_printed_and_drawn(run: Any, tmp_path: Path) -> None:
    printed, _ = run("firing_patterns.py", "--out", tmp_path / "patterns.png")
    assert re.search(r"regular bursting +9 spikes, 3 5 132 6 133", printed)
    assert (tmp_path / "patterns.png").stat().st_size > 50_000


def test_deep_nets_fire_and_learn(run: Any) -> None:
    short = ("--depth", 6, "--hidden", 64, "--epochs", 3, "--num-steps", 10, "--lr", 3e-3)
    printed, _ = run("train_deep.py", *short)
    rates = [
        [float(rate) for rate in line.split()]
        for line in re.findall(r"fires in ([\d. ]+) of the steps", printed)
    ]
    silent, firing = rates
    assert len(silent) == len(firing) == 6
    assert silent[3:] == [0, 0, 0]
    assert min(firing) > 0.05
    before, after = (float(share) for share in re.findall(r"accuracy ([\d.]+) %", printed))
    assert after > before + 25


def test_blocks_of_deep_nets_learn(run: Any) -> None:
    printed, names = run("blocks.py", "--epochs", 2, "--channels", 16, "--lr", 1e-2)
    shares = dict(re.findall(r"(\w+): test accuracy ([\d.]+) %", printed))
    assert list(shares) == ["SEW", "Spikformer", "QKFormer"]
    assert min(map(float, shares.values())) > 80  # chance is 10
    x = 3 + 2 * torch.randn(5, 8, 3, 4, 4)
    normalized = names["TDBatchNorm"](3, threshold=0.5)(x)
    assert torch.allclose(normalized.mean((0, 1, 3, 4)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(normalized.std((0, 1, 3, 4)), torch.full((3,), 0.5), atol=1e-2)


def test_attention_of_spikes_is_its_sum() -> None:
    """Over heads and tokens, against loops over both."""
    torch.manual_seed(0)
    block = runpy.run_path(str(EXAMPLES / "blocks.py"))["SpikingSelfAttention"](8, heads=2)
    x = (torch.rand(3, 2, 5, 8) < 0.5).float()
    q, k, v = block.q(x), block.k(x), block.v(x)
    mixed = torch.zeros_like(x)
    for head in (slice(0, 4), slice(4, 8)):
        for i in range(5):
            for j in range(5):
                weight = (q[:, :, i, head] * k[:, :, j, head]).sum(-1, keepdim=True)
                mixed[:, :, i, head] += 0.125 * weight * v[:, :, j, head]
    assert mixed.any()
    assert torch.equal(block(x), x + block.out(block.spikes(mixed)))


def test_one_process_trains_as_several_do(run: Any, tmp_path: Path) -> None:
    root = write_set(tmp_path, zipped=True)
    options = (
        "--data",
        "fashion",
        "--root",
        root,
        "--hidden",
        64,
        "--lr",
        1e-2,
        "--batch-size",
        20,
    )
    printed, _ = run("train_ddp.py", *options, "--lr", 1e-2, "--epochs", 4)
    assert printed.startswith("rank 0 of 1: process ")
    losses = re.findall(r"^epoch \d: loss (\d+\.\d+)$", printed, re.MULTILINE)
    assert len(losses) == 4
    assert float(losses[-1]) < float(losses[0])
    share = re.search(r"test accuracy: (\d+\.\d+) % of 40 held-out images\n$", printed)
    assert share is not None
    assert float(share[1]) > 2 * 100 / CLASSES


def test_lightning_trains_on_two_processes(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="lightning is for its users only")
    command = [sys.executable, EXAMPLES / "train_lightning.py", "--devices", "2", "--epochs", "3"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    share = re.search(r"test accuracy +(\d\.\d+)", ended.stdout)
    assert share is not None
    assert float(share[1]) > 0.5
