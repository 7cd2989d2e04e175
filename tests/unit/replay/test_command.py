"""`oms replay`: what it says before it needs a stack."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from infra.local.commands import replay
from infra.local.replay.rows import COLUMNS
from infra.local.trouble import Trouble

ROW = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"


def command(*given: str) -> int:
    parser = argparse.ArgumentParser()
    replay.arguments(parser)
    return replay.run(parser.parse_args(given))


@pytest.fixture(autouse=True)
def _no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMS_HOME", str(tmp_path / "home"))


def file(tmp_path: Path, *rows: str) -> str:
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return str(path)


def test_a_missing_file_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="Cannot read"):
        command(str(tmp_path / "none.csv"))


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="No stack is running"):
        command(file(tmp_path, ROW))


def test_a_file_without_sales_is_nothing_to_play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(file(tmp_path, ROW.replace("536365", "C536365"))) == 0
    assert "Nothing to play" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--concurrency", "0"], ["--limit", "x"], ["--merge", "--keep-lines"], ["--stock", "5", "--no-stock"]])
def test_options_that_make_no_sense_are_refused(tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        command(file(tmp_path, ROW), *wrong)
