"""Folders that are discarded."""

from __future__ import annotations

import time
from pathlib import Path

from infra.local.discard import discard


def test_the_name_is_free_at_once_and_nothing_is_left_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "tmp.gone-1-1").mkdir()  # an earlier removal was interrupted
    folder, kept = tmp_path / "tmp", tmp_path / "tmp-other"
    for each in (folder / "deep", kept):
        each.mkdir(parents=True)
        (each / "file").write_text("x")
    discard(folder)
    assert not folder.exists()
    folder.mkdir()
    end = time.monotonic() + 10
    while {each.name for each in tmp_path.iterdir()} != {"tmp", "tmp-other"}:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert (kept / "file").exists()
    assert list(folder.iterdir()) == []


def test_what_is_not_there_needs_no_discarding(tmp_path: Path) -> None:
    discard(tmp_path / "tmp")
    assert list(tmp_path.iterdir()) == []
