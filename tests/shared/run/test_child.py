from __future__ import annotations

import time
from pathlib import Path
from threading import Event

from shared.run.child import Child
from tests.shared.run.fake import STAGE


def test_temporary_files_go_with_the_worker(tmp_path: Path) -> None:
    """TensorFlow leaves generated code in the temporary folder when its process is killed, as workers are."""
    child = Child(STAGE, "tests.shared.run.fake", Event(), scratch=tmp_path)
    child.start()
    assert child._process is not None
    deadline, found = time.monotonic() + 10, []
    while not found and time.monotonic() < deadline:  # the kernel shows the environment once the program is loaded
        environment = Path(f"/proc/{child._process.pid}/environ").read_bytes().split(b"\0")
        found = [Path(e.removeprefix(b"TMPDIR=").decode()) for e in environment if e.startswith(b"TMPDIR=")]
    (folder,) = found
    assert folder.parent == tmp_path
    (folder / "left.py").write_text("")
    child.close()
    assert not list(tmp_path.iterdir())
