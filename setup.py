"""The compiled kernel, which pyproject.toml cannot describe: it knows the hash of its sources.

The package says by it that a kernel is left from other sources, see `_kernels/cpu/library.py`.
"""

import hashlib
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("snntorch/_kernels/cpu")
sources = sorted(path for path in FOLDER.iterdir() if path.suffix in (".c", ".inc"))
digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()

# Plain C without the headers of Python or torch; loaded by ctypes. Without a compiler the package
# is installed without it, and runs the same steps in torch.
kernel = Extension(
    "snntorch._kernels.cpu._kernel",
    [str(FOLDER / "kernel.c")],
    depends=[str(path) for path in sources],
    define_macros=[("SOURCES", f"0x{digest[:16]}ull")],
    extra_compile_args=[
        "-O2",
        "-g0",
        "-std=gnu11",
        "-ffp-contract=off",  # fused, a b + c would not be what it is in torch
        "-fno-math-errno",
        "-fvisibility=hidden",
        "-pthread",
    ],
    extra_link_args=["-pthread"],
    optional=True,
)
setup(ext_modules=[kernel])
