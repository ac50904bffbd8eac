"""spikevision: recordings in the formats of the real downloads, and what frames they become."""

from __future__ import annotations

import ast
import hashlib
import inspect
import pickle
import re
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tonic
import torch
from torch.utils.data import DataLoader

import snntorch
from snntorch import spikevision, utils
from snntorch.spikevision import events_timeslices
from snntorch.spikevision._transforms import ToCountFrame
from snntorch.spikevision.spikedata import NMNIST, SHD, DVSGesture

SOURCES = sorted((Path(snntorch.__file__).parent / "spikevision").rglob("*.py"))
#: Events (x, y, t in microseconds, p) of a recording by an event camera.
DIGIT = [(3, 5, 0, 1), (3, 5, 900, 1), (33, 0, 1000, 0), (4, 6, 2500, 1), (0, 33, 140_000, 0)]
#: The same of a gesture, in milliseconds: its first event is where time starts.
GESTURE = [(127, 2, 7, 1), (126, 3, 7, 1), (0, 9, 9, 0), (5, 5, 30, 1)]
#: Spikes (seconds, channel).
WORD = [(0.0, 699), (0.0001, 698), (0.25, 0), (0.9, 1)]

pytestmark = pytest.mark.filterwarnings("ignore:snntorch.spikevision:DeprecationWarning")


def write_nmnist(file: Path, events: list[tuple[int, int, int, int]]) -> None:
    """Write five bytes per event: x, y, and polarity and time in 1 + 23 bits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [(x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255) for x, y, t, p in events]
    file.write_bytes(np.array(rows, np.uint8).tobytes())


def write_gesture(file: Path, events: list[tuple[int, int, int, int]]) -> None:
    """Write the rows x, y, polarity, milliseconds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, np.array([(x, y, p, t) for x, y, t, p in events], np.int16))


def write_shd(file: Path, words: list[list[tuple[float, int]]], labels: list[int]) -> None:
    """Write times of float16 and channels of uint16, each of its own length per recording."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as shd:
        for name, column, dtype in (("times", 0, np.float16), ("units", 1, np.uint16)):
            rows = shd.create_dataset(f"spikes/{name}", len(words), h5py.vlen_dtype(dtype))
            for row, word in enumerate(words):
                rows[row] = np.array([spike[column] for spike in word], dtype)
        shd["labels"] = np.array(labels, np.uint16)
        shd["extra/speaker"] = np.zeros(len(words), np.uint16)
        shd["extra/keys"] = [b"zero", b"one"]


def fill_nmnist(root: Path) -> None:
    write_nmnist(root / "Train/7/00002.bin", DIGIT)
    write_nmnist(root / "Train/2/00030.bin", DIGIT[:2])
    write_nmnist(root / "Test/4/00001.bin", DIGIT)


def fill_gesture(root: Path) -> None:
    write_gesture(root / "ibmGestureTrain/user02_fluorescent_led/10.npy", GESTURE)
    write_gesture(root / "ibmGestureTrain/user01_lab/3.npy", GESTURE[:2])
    write_gesture(root / "ibmGestureTest/user24_led/0.npy", GESTURE)


def fill_shd(root: Path) -> None:
    write_shd(root / "shd_train.h5", [WORD[:1], WORD], [19, 0])
    write_shd(root / "shd_test.h5", [WORD], [7])


FILL: dict[Any, Callable[[Path], None]] = {
    NMNIST: fill_nmnist,
    DVSGesture: fill_gesture,
    SHD: fill_shd,
}
#: The labels of training and testing.
LABELS = {NMNIST: ([2, 7], [4]), DVSGesture: ([3, 10], [0]), SHD: ([19, 0], [7])}
#: What a frame is called with, and its shape.
SHAPES: list[Any] = [
    (NMNIST, {}, (300, 2, 34, 34)),
    (NMNIST, {"num_steps": 7, "dt": 50_000}, (7, 2, 34, 34)),
    (DVSGesture, {}, (500, 2, 128, 128)),
    (DVSGesture, {"train": False}, (1800, 2, 128, 128)),
    (DVSGesture, {"num_steps": 3, "ds": 5}, (3, 2, 26, 26)),
    (SHD, {}, (1000, 700)),
    (SHD, {"num_steps": 4, "ds": 3}, (4, 234)),
]
every = pytest.mark.parametrize("cls", FILL)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with recordings of all three, side by side."""
    for fill in FILL.values():
        fill(tmp_path)
    return tmp_path


def counted(frames: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Return the counts that are not zero."""
    return {tuple(where): frames[tuple(where)].item() for where in frames.nonzero().tolist()}


@pytest.mark.parametrize("cls, options, shape", SHAPES)
def test_samples_are_frames_time_first(
    root: Path, cls: Any, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    frames, label = cls(root, **options)[0]
    assert (frames.shape, frames.dtype) == (shape, torch.float32)
    assert type(label) is int


@every
def test_training_and_testing_are_apart(root: Path, cls: Any) -> None:
    for train, labels in zip((True, False), LABELS[cls], strict=True):
        data = cls(str(root), train, num_steps=5)
        assert len(data) == len(labels)
        assert [data[index][1] for index in range(len(data))] == labels == data.targets
        assert all(data[index][0].sum() > 0 for index in range(len(data)))


def test_nmnist_counts(root: Path) -> None:
    at = {(0, 1, 5, 3): 2, (1, 0, 0, 33): 1, (2, 1, 6, 4): 1, (140, 0, 33, 0): 1}
    assert counted(NMNIST(root)[1][0]) == at
    frames, _ = NMNIST(root, num_steps=2, dt=2000)[1]  # of 4 ms: the last event is later
    assert counted(frames) == {(0, 1, 5, 3): 2, (0, 0, 0, 33): 1, (1, 1, 6, 4): 1}


def test_dvs_gesture_counts(root: Path) -> None:
    frames, _ = DVSGesture(root)[1]
    at = {(0, 1, 2, 127): 1, (0, 1, 3, 126): 1, (2, 0, 9, 0): 1, (23, 1, 5, 5): 1}
    assert counted(frames) == at
    frames, _ = DVSGesture(root, num_steps=2, dt=2000, ds=4)[1]
    assert counted(frames) == {(0, 1, 0, 31): 2, (1, 0, 2, 0): 1}


def test_shd_counts(root: Path) -> None:
    frames, _ = SHD(root)[1]
    late = int(float(np.float16(0.9)) * 1000)  # times are of half precision
    assert counted(frames) == {(0, 699): 1, (0, 698): 1, (250, 0): 1, (late, 1): 1}
    frames, _ = SHD(root, num_steps=3, ds=2, dt=100_000)[1]
    assert counted(frames) == {(0, 349): 2, (2, 0): 1}


@every
def test_frames_are_those_of_tonic(root: Path, cls: Any) -> None:
    """What replaces the data set counts the same: until 32767 events, where it overflows."""
    frames, _ = cls(root, num_steps=50, dt=20_000)[1]
    replacement = getattr(tonic.datasets, cls.source)
    size = replacement.sensor_size
    to_frame = tonic.transforms.ToFrame(
        sensor_size=size, time_window=20_000, start_time=0, end_time=1_000_000
    )
    events = {NMNIST: DIGIT, DVSGesture: GESTURE, SHD: WORD}[cls]
    if cls is SHD:
        rows = [(int(np.float64(np.float16(t)) * 1e6), unit, 1) for t, unit in events]
    else:
        first, unit = (events[0][2], 1000) if cls is DVSGesture else (0, 1)
        rows = [(x, y, (t - first) * unit, p) for x, y, t, p in events]
    names = ("t", "x", "p") if cls is SHD else ("x", "y", "t", "p")
    want = to_frame(np.array(rows, np.dtype([(name, int) for name in names])))
    assert torch.equal(frames, torch.tensor(want).reshape(frames.shape).float())
    assert frames.sum() == len(events)


@every
def test_transforms_get_frames_and_labels(root: Path, cls: Any) -> None:
    data = cls(root, transform=lambda x: x.sum(0), target_transform=str, num_steps=6)
    frames, label = data[0]
    plain, number = cls(root, num_steps=6)[0]
    assert torch.equal(frames, plain.sum(0))
    assert label == str(number)


def test_time_shuffle_starts_anywhere(root: Path) -> None:
    last = 23  # steps after the first event of the recording is its last one
    data = DVSGesture(root, num_steps=4, time_shuffle=True)
    torch.manual_seed(0)
    found = {tuple(counted(data[1][0])) for _ in range(400)}
    whole = DVSGesture(root, num_steps=last + 1)[1][0]
    assert found == {tuple(counted(whole[start : start + 4])) for start in range(last - 2)}
    same = DVSGesture(root, num_steps=100, time_shuffle=True)[1][0]
    assert torch.equal(same[: last + 1], whole)


def test_return_meta(root: Path) -> None:
    *_, meta = DVSGesture(root, num_steps=1, return_meta=True)[1]
    assert meta == {"user": 2, "lighting": "fluorescent_led"}


@every
def test_loaders_and_utilities_take_them(root: Path, cls: Any) -> None:
    data = cls(root, num_steps=5)
    for workers in (0, 1):
        loader = DataLoader(pickle.loads(pickle.dumps(data)), batch_size=2, num_workers=workers)
        frames, labels = next(iter(loader))
        assert frames.shape[:2] == (2, 5)
        assert labels.tolist() == LABELS[cls][0]
    assert utils.data_subset(data, 2, 1)[0][1] == LABELS[cls][0][1]


@every
def test_a_deprecation_names_the_replacement(root: Path, cls: Any) -> None:
    name = cls.__name__
    want = rf"spikedata\.{name} is deprecated\. Use tonic\.datasets\.{name} instead"
    with pytest.warns(DeprecationWarning, match=want) as caught:
        data = cls(root, num_steps=2)
    (warning,) = caught
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data[0]


# As tonic lays out a download


def archive(cls: Any, folder: Path, target: Path) -> None:
    """Pack the recordings as the archive of the real download is packed."""
    part = cls.parts[True]
    if target.suffix == ".gz":
        with tarfile.open(target, "w:gz") as tar:
            tar.add(folder / part, part)
        return
    with zipfile.ZipFile(target, "w") as packed:
        for file in sorted(folder.rglob("*")):
            if file.relative_to(folder).parts[0] == part:
                packed.write(file, file.relative_to(folder))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    ) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()
        thread.join()


@every
def test_what_tonic_downloads_is_read(
    root: Path, server: tuple[Path, str], cls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tonic downloads, verifies and extracts an archive of the real layout; then it is there."""
    folder, address = server
    replacement = getattr(tonic.datasets, cls.source)
    name = "shd_train.h5.zip" if cls is SHD else replacement.train_filename
    archive(cls, root, folder / name)
    monkeypatch.setenv("no_proxy", "*")
    md5 = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(replacement, "train_md5", md5)
    if cls is SHD:
        monkeypatch.setattr(replacement, "base_url", address)
    else:
        monkeypatch.setattr(replacement, "train_url", address + name)
    new = root / "new"
    options: Any = {"num_steps": 3}
    with pytest.raises(FileNotFoundError, match="Pass download_and_create=True"):
        cls(new, download_and_create=False)
    data = cls(new, **options)
    assert data.folder == new / cls.source / cls.parts[True]
    assert data.targets == LABELS[cls][0]
    for index in range(2):
        assert torch.equal(data[index][0], cls(root, **options)[index][0])
    assert cls(new, download_and_create=False).targets == data.targets


@pytest.mark.parametrize("cls, files", [(NMNIST, 10_000), (DVSGesture, 100)], ids=str)
def test_what_is_downloaded_is_not_downloaded_again(
    tmp_path: Path, cls: Any, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tonic takes a folder as complete that has so many files beside the archive."""
    replacement = getattr(tonic.datasets, cls.source)
    monkeypatch.setattr(replacement, "download", pytest.fail)
    where = tmp_path / cls.source
    FILL[cls](where)
    (where / replacement.train_filename).touch()
    first = next((where / cls.parts[True]).rglob("*.[bn][ip][ny]"))
    for number in range(files):
        first.with_name(f"{90_000 + number}{first.suffix}").touch()
    assert len(cls(tmp_path, num_steps=2)) == files + 2


# Wrong arguments


@every
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"root": 3}, TypeError, "expected `root` to be a folder, but got 3"),
        ({"train": "test"}, TypeError, "expected `train` to be True or False"),
        ({"download_and_create": None}, TypeError, "expected `download_and_create` to be True"),
        ({"num_steps": 0}, ValueError, "expected `num_steps` >= 1, but got 0"),
        ({"num_steps": 2.5}, TypeError, "expected `num_steps` to be an int, but got 2.5"),
        ({"dt": 0}, ValueError, "expected `dt` >= 1, but got 0"),
        ({"transform": 1}, TypeError, "expected `transform` to be callable, but got 1"),
        ({"target_transform": 1}, TypeError, "expected `target_transform` to be callable"),
    ],
)
def test_wrong_arguments(
    root: Path, cls: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{cls.__name__} {re.escape(message)}"):
        cls(**({"root": root} | options))


@pytest.mark.parametrize(
    "cls, options, error, message",
    [
        (SHD, {"ds": 0}, ValueError, "expected `ds` >= 1"),
        (DVSGesture, {"ds": 1.5}, TypeError, "expected `ds` to be an int"),
        (DVSGesture, {"return_meta": 2}, TypeError, "expected `return_meta` to be True or False"),
        (DVSGesture, {"time_shuffle": 2}, TypeError, "expected `time_shuffle` to be True"),
    ],
)
def test_wrong_arguments_of_one(
    root: Path, cls: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        cls(root, **options)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "Train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"NMNIST expected recordings in .*\nRemove it"):
        NMNIST(tmp_path)


@pytest.mark.parametrize(
    "cls, arguments",
    [
        (
            NMNIST,
            "root train=True transform=None target_transform=None download_and_create=True "
            "num_steps=None dt=1000",
        ),
        (
            DVSGesture,
            "root train=True transform=None target_transform=None download_and_create=True "
            "num_steps=None dt=1000 ds=None return_meta=False time_shuffle=False",
        ),
        (
            SHD,
            "root train=True transform=None target_transform=None download_and_create=True "
            "num_steps=1000 ds=1 dt=1000",
        ),
    ],
)
def test_released_arguments(cls: Any, arguments: str) -> None:
    found = inspect.signature(cls).parameters.values()
    empty = inspect.Parameter.empty
    texts = [p.name + (f"={p.default}" if p.default is not empty else "") for p in found]
    assert " ".join(texts) == arguments


def test_documented_names() -> None:
    for module, name in (("nmnist", "NMNIST"), ("dvs_gesture", "DVSGesture"), ("shd", "SHD")):
        cls = getattr(getattr(spikevision.spikedata, module), name)
        assert cls is getattr(spikevision.spikedata, name) is getattr(spikevision.data, name)
        assert issubclass(cls, torch.utils.data.Dataset)


# Without tonic, and what else is not repeated of 1.0.0


def without(*packages: str) -> str:
    """Return code that imports all of this as if packages were not installed."""
    return (
        f"import sys\nfor name in {packages!r}: sys.modules[name] = None\n"
        "import snntorch\nfrom snntorch import spikevision\n"
    )


@pytest.mark.parametrize("cls", ["NMNIST", "DVSGesture", "SHD"])
def test_without_tonic_an_error_says_what_to_install(cls: str) -> None:
    code = f"try: spikevision.spikedata.{cls}('data')\nexcept ImportError as error: print(error)"
    heavy = ("tonic", "h5py", "torchvision", "pandas", "requests", "six")
    done = subprocess.run(
        [sys.executable, "-c", without(*heavy) + code],
        check=True,
        capture_output=True,
        text=True,
    )
    assert f"{cls} expected the package `tonic`" in done.stdout
    assert "pip install 'snntorch[data]'" in done.stdout


def imports(text: str) -> set[str]:
    """Return the packages that a source imports, by a statement or by ``load``."""
    found = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.M))
    return found | set(re.findall(r"load\([^()\"]*\"\w+\", \"(\w+)\"\)", text))


def test_what_is_imported_is_declared() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    declared = set(re.findall(r'"(\w+)>=', project))
    used = set().union(*(imports(path.read_text()) for path in SOURCES)) | {"tonic"}
    assert "h5py" in used  # the search finds what is imported lazily
    assert used - set(sys.stdlib_module_names) - {"snntorch"} <= declared


def test_nothing_in_a_file_is_evaluated(tmp_path: Path) -> None:
    for path in SOURCES:
        nodes = ast.walk(ast.parse(path.read_text()))
        names = {getattr(node.func, "id", "") for node in nodes if isinstance(node, ast.Call)}
        assert not names & {"eval", "exec", "compile"}, path
    file = tmp_path / "ibmGestureTrain/user01_led/0.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.array([[print]], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        DVSGesture(tmp_path)[0]


@pytest.mark.parametrize("count", [127, 128, 200, 255, 256, 40_000, 70_000])
def test_counts_do_not_overflow(count: int) -> None:
    frames = ToCountFrame(T=1, size=[2, 2, 2])(np.zeros((count, 4), np.int64))
    assert frames[0, 0, 0, 0] == frames.sum() == count


def test_counts_saturate() -> None:
    frames = ToCountFrame(T=1, size=[1])(np.zeros((2**24 + 10, 2), np.int8))
    assert frames.item() == 2**24


def test_count_frames_leave_out_what_is_too_early_or_late() -> None:
    events = np.array([[-1, 0], [0, 1], [2, 1], [2, 1], [3, 0]])
    assert ToCountFrame(T=3, size=[2])(events).tolist() == [[0, 1], [0, 0], [0, 2]]
    assert ToCountFrame(T=3, size=[2])(np.empty((0, 2))).sum() == 0


@pytest.mark.parametrize(
    "events, message",
    [
        ([[0, 2]], r"expected `events` of addresses from 0 to 1 in column 1, but got \[2\]"),
        ([[0, -1]], r"expected `events` of addresses from 0 to 1 in column 1, but got \[-1\]"),
        ([[0, 0, 0]], r"expected `events` of shape \(events, 2\), but got \(1, 3\)"),
    ],
)
def test_count_frames_check_events(events: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ToCountFrame(T=3, size=[2])(np.array(events))


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ({"times": "now"}, TypeError, "`times` to be an array of numbers"),
        ({"times": [[1.0], [2.0, 3.0]]}, TypeError, "`times` to be an array of numbers"),
        ({"addrs": [[np.nan]]}, ValueError, "finite `addrs`"),
        ({"size": 4}, TypeError, "`size` to be a tuple of ints"),
    ],
)
def test_events_are_numbers(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    right = {"times": [0], "addrs": [[0]], "deltat": 2**70, "duration": 1, "size": (4,)}
    with pytest.warns(DeprecationWarning, match="tonic"):
        assert events_timeslices.frame_evs(**right).sum() == 1
    with pytest.warns(DeprecationWarning, match="tonic"), pytest.raises(error, match=message):
        events_timeslices.frame_evs(**{**right, **wrong})


def test_slices_of_an_event_camera() -> None:
    times = np.array([10, 11, 13, 20])
    addrs = np.array([[0, 2, 1], [0, 2, 1], [1, 0, 0], [1, 1, 1]])  # column, row, polarity
    with pytest.warns(DeprecationWarning, match=r"Use tonic\.transforms\.ToFrame"):
        frames = events_timeslices.chunk_evs_pol_dvs(times, addrs, 2, 3, [2, 2, 3])
    assert counted(torch.tensor(frames)) == {(0, 1, 0, 2): 2, (1, 0, 1, 0): 1}


def test_slices_of_channels() -> None:
    times, addrs = [5, 6, 7, 9], [[2], [2], [0], [1]]
    with pytest.warns(DeprecationWarning, match=r"Use tonic\.transforms\.ToFrame"):
        frames = events_timeslices.frame_evs(times, addrs, deltat=2, duration=3, size=[3])
    assert frames.tolist() == [[0, 0, 2], [1, 0, 0]]


def test_slices_check_their_arguments() -> None:
    with pytest.raises(ValueError, match=r"chunk_evs_pol_dvs expected `addrs` of shape"):
        events_timeslices.chunk_evs_pol_dvs([0], [[0, 0]])
    with pytest.raises(ValueError, match=r"frame_evs expected `times` of shape \(2,\)"):
        events_timeslices.frame_evs([0], [[0], [0]])
    with pytest.raises(TypeError, match="frame_evs expected `duration` to be an int"):
        events_timeslices.frame_evs([0], [[0]], duration=0.5)
    with pytest.raises(ValueError, match="chunk_evs_pol_dvs expected `deltat` >= 1"):
        events_timeslices.chunk_evs_pol_dvs([0], [[0, 0, 0]], deltat=0)
