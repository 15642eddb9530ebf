import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sktransfer
from sktransfer.__main__ import main
from sktransfer.cache import cache_info, open_cache, space_key


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a cache of three rows, which is the user's default one."""
    monkeypatch.setenv("SKTRANSFER_CACHE", str(tmp_path / "own"))
    digests = [bytes([i] * 16) for i in range(3)]
    open_cache(True).write(space_key(layer="pooled"), digests, np.ones((3, 8), np.float32))
    return tmp_path / "own"


def test_cache_shows_its_content(folder, capsys):
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    assert str(folder) in shown
    assert "rows      3" in shown
    assert main(["cache", "info"]) == 0
    assert capsys.readouterr().out == shown


def test_cache_accepts_another_folder(folder, tmp_path, capsys):
    assert main(["cache", "--folder", str(tmp_path / "other")]) == 0
    assert "rows      0" in capsys.readouterr().out
    assert main(["cache", "clear", "--yes", "--folder", str(tmp_path / "other")]) == 0
    assert cache_info().rows == 3


def test_clear_with_yes_does_not_ask(folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail("asked"))
    assert main(["cache", "clear", "--yes"]) == 0
    assert cache_info().rows == 0


@pytest.mark.parametrize(("answer", "rows"), [("y", 0), ("Yes ", 0), ("n", 3), ("", 3), ("x", 3)])
def test_clear_asks_first(folder, monkeypatch, answer, rows):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main(["cache", "clear"]) == (0 if rows == 0 else 1)
    assert cache_info().rows == rows


def test_clear_without_an_answer_removes_nothing(folder, monkeypatch):
    def no_answer(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", no_answer)
    assert main(["cache", "clear"]) == 1
    assert cache_info().rows == 3


def test_an_error_is_one_line_and_an_exit_status(folder, monkeypatch, capsys):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "much")
    assert main(["cache"]) == 1
    assert capsys.readouterr().err.startswith("sktransfer: SKTRANSFER_CACHE_LIMIT must be")


def test_backbones_are_printed(monkeypatch, capsys):
    monkeypatch.setitem(vars(sktransfer), "list_backbones", lambda: ["resnet18"])
    assert main(["backbones"]) == 0
    assert capsys.readouterr().out == "['resnet18']\n"


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["cache", "unknown"]])
def test_an_invalid_command_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert "usage: sktransfer" in capsys.readouterr().err


def test_the_module_runs_without_the_heavy_libraries(folder):
    script = (
        "import runpy, sys; sys.argv = ['sktransfer', 'cache']\n"
        "try: runpy.run_module('sktransfer', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'transformers', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sktransfer.__path__[0]).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "rows      3" in done.stdout
