"""Files of others: nothing in them runs, and what is wrong with them is said."""

from __future__ import annotations

import ast
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

ROOT = Path(__file__).parents[1]
#: Where files of others are read.
FOLDERS = ("snntorch", "examples", "recipes", "tutorials", "benchmarks", "docs")

# --- nothing is executed ------------------------------------------------------------------------

#: What runs what it is given, or may; `eval` is that of Python, not that of a module.
RUNS = {"eval", "exec", "compile", "__import__"}
RUNS |= {
    f"{package}.{name}"
    for package in ("pickle", "dill", "cloudpickle", "marshal", "joblib")
    for name in ("load", "loads", "Unpickler")
}
RUNS |= {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "shelve.open", "pandas.read_pickle"}
RUNS |= {"pd.read_pickle", "torch.hub.load", "torch.package.PackageImporter", "os.system"}
#: What does so unless it is told not to, by this argument.
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
SAFE["numpy.load"] = SAFE["np.load"]


def calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls in a source with their names, those of sources in its texts, too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "(" in node.value:
            try:
                ast.parse(node.value)
            except SyntaxError:
                continue
            yield from calls(node.value)


def dangerous(text: str) -> list[str]:
    """Return the calls in a source that run what a file may hold."""
    found = []
    for name, call in calls(text):
        told = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        argument, safe = SAFE.get(name, ("", None))
        if name in RUNS or (name in SAFE and told.get(argument) != str(safe)):
            found.append(ast.unparse(call))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_that_is_read_is_executed(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = {
        str(path.relative_to(ROOT)): bad for path in paths if (bad := dangerous(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, 'cpu', weights_only=flag)",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "pickle.load(file)",
        "pickle.loads(b'')",
        "eval(file.read())",
        "exec(text)",
        "yaml.load(file)",
        "program = '''\nimport torch\ntorch.load(file)\n'''",
    ],
)
def test_what_would_be_found(text: str) -> None:
    assert dangerous(text)


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(file, weights_only=True)",
        "np.load(file, allow_pickle=False)",
        "net.eval()",
        "pickle.dumps(net)",
        "re.compile(text)",
        "json.load(file)",
    ],
)
def test_what_is_harmless(text: str) -> None:
    assert not dangerous(text)


# --- files of NIR -------------------------------------------------------------------------------

NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, (3, 5), groups=2),
            snn.Leaky(0.9, init_hidden=True),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 3),
        ),
        (1, 2, 8, 8),
    ),
    "feedback": (
        lambda: nn.Sequential(
            snn.GradedSpikes(4, 1.5),
            snn.RSynaptic(0.5, 0.9, linear_features=4, init_hidden=True),
        ),
        (1, 4),
    ),
    "circuit": (
        lambda: nn.Sequential(
            snn.Lapicque(R=1.0, C=5.0, time_step=0.1, init_hidden=True),
            snn.Leaky(0.5, graded_spikes_factor=2.0, reset_mechanism="none", init_hidden=True),
        ),
        (1, 4),
    ),
}
#: What a value of a file is replaced by.
SPOILT: dict[str, Any] = {
    "text": "there",
    "a number": 7,
    "negative": -3,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "a list": [1, 2, 3, 4, 5],
    "nothing": np.zeros(0),
    "a matrix": np.ones((2, 2, 1, 1, 2)),
    "complex": 1j,
    "a flag": True,
    "huge": 10**12,
    "0": 0,
    "texts": ["a", "b"],
}


@pytest.fixture(scope="module", params=NETS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of a net."""
    torch.manual_seed(0)
    make, shape = NETS[request.param]
    path = tmp_path_factory.mktemp("nir") / "net.nir"
    nir.write(path, export_to_nir(make(), torch.rand(shape)))
    return path


def names(path: Path) -> list[str]:
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, part: found.append(name))
    return found


def said_against(path: Path) -> str:
    """Return what the import says against a file; nothing if it takes it."""
    try:
        import_from_nir(path)
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def test_what_is_spoilt_is_refused_or_does_no_harm(written: Path, tmp_path: Path) -> None:
    """Values of a file become what they cannot be; of 700 such files, 50 are made here."""
    path, found = tmp_path / "spoilt.nir", []
    jobs = [(name, kind) for name in names(written) for kind in ("deleted", *SPOILT)]
    for name, kind in random.Random(0).sample(jobs, 50):
        shutil.copy(written, path)
        with h5py.File(path, "a") as file:
            del file[name]
            if kind != "deleted":
                file[name] = SPOILT[kind]
        found.append(said_against(path))
        assert not found[-1] or found[-1].startswith("import_from_nir expected "), (name, kind)
    assert sum(map(bool, found)) > 20
    assert not all(found), "what is noted beside a node need not be there"


def elsewhere(file: h5py.File) -> None:
    file["node/nodes/0/weight"] = h5py.ExternalLink("other.h5", "/x")


def soft(file: h5py.File) -> None:
    file["node/nodes/0/weight"] = h5py.SoftLink("/node/nodes/0/bias")


def to_itself(file: h5py.File) -> None:
    file["node/nodes/0/more"] = file["node/nodes"]


def twice(file: h5py.File) -> None:
    file["node/nodes/0/weight"] = file["node/nodes/0/bias"]


def raw(file: h5py.File) -> None:
    parts = [("/etc/hostname", 0, 8)]
    file["node/nodes/0"].create_dataset("weight", (2, 1), "f4", external=parts)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 2))
    file["node/nodes/0"].create_virtual_dataset("weight", layout)


def bomb(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("weight", (2**20, 2**20), "f8", chunks=True)


def deep(file: h5py.File) -> None:
    group = file["node/nodes/0"]
    for _ in range(3000):
        group = group.create_group("metadata")


def foreign(file: h5py.File) -> None:
    file["node/nodes/0/weight"] = np.void(b"\x00\x01")


def reference(file: h5py.File) -> None:
    file["node/nodes/0/weight"] = file.ref


TRICKS = {
    elsewhere: r"ValueError: /node/nodes/0/weight is a link",
    soft: r"ValueError: /node/nodes/0/weight is a link",
    to_itself: r"ValueError: /node/nodes.* is there by another name, too",
    twice: r"ValueError: /node/nodes/0/.* is there by another name, too",
    raw: r"ValueError: /node/nodes/0/weight lies in another file",
    virtual: r"ValueError: /node/nodes/0/weight lies in another file",
    bomb: r"ValueError: it declares 8796093022\d+ bytes more than it stores",
    deep: "",
    foreign: "",
    reference: "",
}


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_a_file_that_plays_tricks_is_refused(
    trick: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    path = tmp_path / "net.nir"
    nir.write(path, export_to_nir(nn.Sequential(nn.Linear(2, 2)), torch.rand(1, 2)))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.ones((2, 2), np.float32)
    with h5py.File(path, "a") as file:
        del file["node/nodes/0/weight"]
        trick(file)
    with pytest.raises(ValueError, match=f"(?s)^import_from_nir expected .*{TRICKS[trick]}"):
        import_from_nir(path)


def test_a_net_of_constants_is_no_bomb(tmp_path: Path) -> None:
    """Its values are packed to nearly nothing."""
    path = tmp_path / "net.nir"
    nir.write(path, export_to_nir(snn.Leaky(0.9, init_hidden=True), torch.rand(1, 200_000)))
    assert path.stat().st_size < 200_000
    assert import_from_nir(path)(torch.ones(1, 200_000)).shape == (1, 200_000)
