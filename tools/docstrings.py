"""The docstrings below the fields of a class, which `inspect` does not know."""

from __future__ import annotations

import ast
import inspect
import itertools

OURS = ("landstream", "services", "shared")


def docstrings(kind: type) -> dict[str, str]:
    """Return field -> the docstring below it, in one line; the fields of the product's base classes are among them."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if owner.__module__.partition(".")[0] not in OURS:
            continue
        (body,) = (n.body for n in ast.parse(inspect.getsource(owner)).body if isinstance(n, ast.ClassDef))
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(field.target, ast.Name):
                assert isinstance(text.value, ast.Constant)
                found[field.target.id] = " ".join(str(text.value.value).split())
    return found
