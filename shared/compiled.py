"""Loops that Numba compiles: kept beside their module, alike on every machine, and never compiled in a container.

A package keeps them in its `kernels.py`; `python -m shared.compiled` compiles those of all services, as images are
built. They release the interpreter's lock, so that threads share the cores.
"""

from __future__ import annotations

import importlib
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import llvmlite.binding
import numba
from numba.core.caching import InTreeCacheLocator

LoopT = TypeVar("LoopT", bound=Callable[..., Any])

MODULE: Final = "kernels"
_WITH_AVX2: Final = "x86-64-v3"

# What one machine compiled serves all others, and gives the same bits: neither name nor features of this one matter.
_IS_NEW = platform.machine() == "x86_64" and llvmlite.binding.get_host_cpu_features().get("avx2", False)
_CONFIG: Final[Any] = numba.config
_CONFIG.CPU_NAME = _WITH_AVX2 if _IS_NEW else "generic"
_CONFIG.CPU_FEATURES = ""
_CONFIG.CACHE_LOCATOR_CLASSES = f"{__name__}.Beside,UserWideCacheLocator"


class Beside(InTreeCacheLocator):
    """Finds what was compiled beside the module, also where nobody may write: in an image."""

    def ensure_cache_path(self) -> None:
        """Accept a folder that holds something compiled, or one that can be written to.

        Raises:
            OSError: it is neither.
        """
        folder = Path(self.get_cache_path())  # type: ignore[no-untyped-call]
        if any(folder.glob(f"{MODULE}.*.nbi")):
            return
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def compiled(signature: str) -> Callable[[LoopT], LoopT]:
    """Compile a loop as its module is imported, unless that was done before; IEEE arithmetic, nothing reordered.

    Args:
        signature: types of its result and arguments, `void(float64[:, ::1], int32)`.
    """

    def compile_it(loop: LoopT) -> LoopT:
        try:
            return cast(LoopT, numba.njit(signature, cache=True, nogil=True, error_model="numpy")(loop))
        except OSError:  # nothing can be kept: it is compiled anew by each process
            return cast(LoopT, numba.njit(signature, nogil=True, error_model="numpy")(loop))

    return compile_it


def main() -> None:
    """Compile the loops of all services."""
    for path in sorted((Path(__file__).parents[1] / "services").rglob(f"{MODULE}.py")):
        importlib.import_module(".".join(path.relative_to(Path(__file__).parents[1]).with_suffix("").parts))


if __name__ == "__main__":
    main()
