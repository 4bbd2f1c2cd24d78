"""Hostile YAML: nothing of it runs, and each is refused in one line or is a harmless value."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landstream.hugin import HuginError, read_hugin
from landstream.hugin.document import MAX_FILE_BYTES, read_document
from tests.conftest import ROOT

CANARY = "canary"
"""A file in the working folder that most payloads try to write."""

CODE = f"open('{CANARY}', 'w').close()"
CALLED = {
    "os.system": f"touch {CANARY}",
    "os.popen": f"touch {CANARY}",
    "os.mkdir": CANARY,
    "posix.system": f"touch {CANARY}",
    "subprocess.check_output": f"touch {CANARY}",
    "subprocess.Popen": f"touch {CANARY}",
    "builtins.eval": CODE,
    "builtins.exec": CODE,
    "builtins.open": CANARY,
    "builtins.__import__": "os",
    "importlib.import_module": "antigravity",
    "runpy.run_path": CANARY,
    "pickle.loads": "cos",
    "keras.models.load_model": CANARY,
    "tensorflow.keras.optimizers.Adam.__init__.__globals__": CANARY,
}
FORMS = {
    "apply, list": "!!python/object/apply:{name} ['{argument}']",
    "apply, args": "!!python/object/apply:{name} {{args: ['{argument}']}}",
    "apply, kwds": "!!python/object/apply:{name} {{kwds: {{command: '{argument}'}}}}",
    "new": "!!python/object/new:{name} ['{argument}']",
}
GRID = {
    f"{form} of {name}": pattern.format(name=name, argument=argument.replace("'", "''"))
    for name, argument in CALLED.items()
    for form, pattern in FORMS.items()
}

OTHERS: dict[str, str] = {
    "name of a function": "!!python/name:os.system",
    "name of a module": "!!python/module:antigravity",
    "long tag": "!<tag:yaml.org,2002:python/object/apply:os.system> [true]",
    "tag with a prefix": "!!python/object:os._wrap_close {}",
    "object of a class": "!!python/object:collections.UserDict {data: {a: 1}}",
    "state": "!!python/object/new:type {args: [x, [], {}], state: {__class__: y}}",
    "list items": "!!python/object/new:list {listitems: !!python/name:builtins.exec ''}",
    "dictitems": "!!python/object/apply:keras.optimizers.Adam {dictitems: {a: 1}}",
    "arguments by place": "!!python/object/apply:keras.optimizers.Adam [0.1]",
    "kwds that is no mapping": "!!python/object/apply:keras.optimizers.Adam {kwds: [1]}",
    "known name with a body": "!!python/name:hugin.tools.utils.dice_coef 'import os'",
    "known call within a name": "!!python/object/apply:hugin.tools.utils.os.system [x]",
    "known prefix": "!!python/object/apply:hugin.engine.keras.KerasModel.__class__ {}",
    "unknown part of hugin": "!!python/object/apply:hugin.tools.train.main {}",
    "dunder": "!!python/name:keras.metrics.AUC.__class__",
    "call within a known call": "!!python/object/apply:keras.optimizers.Adam {kwds: {lr: !!python/name:os.system }}",
    "bytes": "!!python/bytes 'AAAA'",
    "long integer": "!!python/long 3",
    "complex": "!!python/complex 1+2j",
    "dict": "!!python/dict {a: 1}",
    "binary": "!!binary R0lGODlh",
    "set": "!!set {a, b}",
    "omap": "!!omap [a: 1]",
    "pairs": "!!pairs [a: 1]",
    "local tag": "!include /etc/passwd",
    "environment": "!ENV ${HOME}",
    "yaml tag": "!!yaml '='",
    "value key": "=",
    "integer of a million digits": "1" * 200_000,
    "float of many digits": "1." + "1" * 100_000,
    "infinity": ".inf",
    "not a number": ".nan",
    "float that is none": "!!float os",
    "integer that is none": "!!int __import__",
    "bool that is none": "!!bool maybe",
    "null that is none": "!!null something",
    "deep lists": "[" * 5000 + "]" * 5000,
    "deep mappings": "{a: " * 3000 + "1" + "}" * 3000,
    "unknown alias": "*nowhere",
    "itself": "&a [*a]",
    "itself, merged": "&a {<<: *a}",
    "itself, through two": "&a {b: &b {c: *a, d: *b}}",
    "merge of text": "{<<: text}",
    "merge of texts": "{<<: [a, b]}",
    "merge of a call": "{<<: !!python/object/apply:keras.optimizers.Adam {kwds: {}}}",
    "a key twice": "{a: 1, a: 2}",
    "a key that is a list": "{[a]: 1}",
    "a key that is a mapping": "{{a: 1}: 1}",
    "a key that is called": "{!!python/object/apply:os.getcwd []: 1}",
    "a key that is null": "{~: 1}",
    "a directive": "1\n--- 2",
    "control characters": '"\x00"',
    "a tab": "\n\t- a",
    "an open quote": '"abc',
    "an open list": "[1, 2",
    "odd escape": '"\\q"',
}  # fmt: skip
HARMLESS: dict[str, tuple[str, Any]] = {
    "timestamp": ("2018-06-05", "2018-06-05"),
    "timestamp with a zone": ("2018-06-05T10:00:00+25:99", "2018-06-05T10:00:00+25:99"),
    "text that looks like a tag": ("'!!python/object/apply:os.system'", "!!python/object/apply:os.system"),
    "text that looks like code": ("__import__('os').system('true')", "__import__('os').system('true')"),
    "tuple": ("!!python/tuple [1, 2]", [1, 2]),
    "folded text": (">\n  a\n  b\n", "a b\n"),
    "merge of two": ("{<<: [{b: 1, c: 2}, {b: 3}], c: 4}", {"c": 4, "b": 1}),
    "tags of its own": ("[!!float 1e-7, !!int 3, !!str 3, yes, ~]", [1e-7, 3, "3", True, None]),
}
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))
WHOLE: dict[str, bytes] = {
    "laughs": LAUGHS.encode(),
    "merging laughs": MERGES.encode(),
    "many aliases": ("a: &a 1\nb: [" + "*a, " * 5000 + "]").encode(),
    "many values": ("a: [" + "1, " * 20_000 + "]").encode(),
    "too large": b"a: " + b"x" * MAX_FILE_BYTES,
    "a list": b"[1, 2]",
    "a text": b"text",
    "nothing": b"",
    "a comment": b"# nothing",
    "a called root": b"!!python/object/apply:os.system ['touch canary']",
    "a known call as root": b"!!python/object/apply:keras.optimizers.Adam {kwds: {}}",
    "two documents": b"a: 1\n---\n!!python/object/apply:os.system ['touch canary']\n",
    "bytes": bytes(range(256)),
    "UTF-16": "a: 1".encode("utf-16"),
    "directive": b"%YAML 9.9\n---\na: 1\n",
    "tag directive": b"%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system ['touch canary']\n",
}  # fmt: skip
PAYLOADS = {name: f"a: {text}\n".encode() for name, text in (GRID | OTHERS).items()} | WHOLE

FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "exec", "compile", "import")
"""Events of Python's audit hooks that no reading may cause; nor the opening of another file."""


class Watch:
    """What happens while it is on, by Python's own audit events; a hook cannot be taken away, only be quiet."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[tuple[str, str]] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and (event in FORBIDDEN or event == "open"):
            self.seen.append((event, str(arguments[:1])))


WATCH = Watch()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder without a canary, which must have none afterwards either."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / CANARY).exists()


def heard_while_reading(path: Path) -> tuple[list[tuple[str, str]], HuginError | None]:
    WATCH.seen, WATCH.on = [], True
    try:
        read_document(path)
        return WATCH.seen, None
    except HuginError as error:
        return WATCH.seen, error
    finally:
        WATCH.on = False


def test_there_are_a_hundred_and_more() -> None:
    assert len(PAYLOADS) >= 100


@pytest.mark.parametrize("name", PAYLOADS)
def test_nothing_runs_and_it_is_refused_in_one_line(name: str, watched: Path) -> None:
    path = watched / "hostile.yaml"
    path.write_bytes(PAYLOADS[name])
    start = time.process_time()
    seen, error = heard_while_reading(path)
    assert seen == [("open", str((str(path),)))], "the file itself, and nothing else"
    assert error is not None
    text = str(error)
    assert text.startswith(f"{path}:")
    assert "; " in text, "it says what to do"
    assert "\n" not in text
    assert len(text.removeprefix(str(path))) < 250
    assert time.process_time() - start < 5
    with pytest.raises(HuginError):
        read_hugin(path)


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_values_are_values(name: str, watched: Path) -> None:
    text, value = HARMLESS[name]
    path = watched / "harmless.yaml"
    path.write_text(f"a: {text}\n")
    seen, error = heard_while_reading(path)
    assert error is None
    assert [event for event, _ in seen] == ["open"]
    assert read_document(path) == {"a": value}


def test_the_watch_hears_what_hugins_own_reading_does(watched: Path) -> None:
    """A payload under PyYAML's unsafe loader, in a child, does write the canary: the payloads are sharp."""
    (watched / "hostile.yaml").write_bytes(PAYLOADS["apply, list of os.mkdir"])
    code = "import yaml; yaml.load(open('hostile.yaml'), Loader=yaml.UnsafeLoader)"
    subprocess.run([sys.executable, "-c", code], cwd=watched, check=True)
    assert (watched / CANARY).is_dir()
    (watched / CANARY).rmdir()
    WATCH.seen, WATCH.on = [], True
    compile("1", "x", "eval")
    WATCH.on = False
    assert [event for event, _ in WATCH.seen] == ["compile"]


def test_what_cannot_be_read(watched: Path) -> None:
    for path in (watched, watched / "absent.yaml"):
        with pytest.raises(HuginError, match="cannot be read"):
            read_document(path)


def test_reading_loads_neither_keras_nor_tensorflow() -> None:
    code = (
        "import sys; from pathlib import Path; from landstream.hugin import read_hugin;"
        "read_hugin(Path('tests/landstream/hugin/thesis.yaml'));"
        "assert not {'keras', 'tensorflow', 'hugin'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
