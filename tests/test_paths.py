"""The home folder, "~", in each parameter that names a file or folder."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from timm.models import save_for_hf

import sktransfer
from sktransfer import ImageEmbedder, TextEmbedder, read_image_folder, save
from sktransfer._paths import expanded
from sktransfer.exceptions import BackboneError, ColumnError, WeightsError
from tests.backbones._huggingface_folders import save as save_model

IMAGES = np.zeros((1, 64, 64, 3), np.uint8)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_only_a_leading_tilde_is_expanded(home):
    assert expanded("~/a") == home / "a"
    assert expanded(Path("~/a")) == home / "a"
    assert expanded("a/~/b") == Path("a/~/b")
    assert expanded("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")


def test_an_empty_home_is_no_home(monkeypatch):
    monkeypatch.setenv("HOME", "")
    assert expanded("~/a") == Path("~/a")
    assert expanded("a") == Path("a")
    with pytest.raises(FileNotFoundError, match="~/nothing"):
        sktransfer.load("~/nothing.skt")
    with pytest.raises(ColumnError, match="home folder of '~' is unknown"):
        read_image_folder("~")


@pytest.mark.parametrize("form", [str, Path])
def test_a_folder_of_a_backbone(form, home):
    save_model("bert", home / "models" / "bert")
    embedder = TextEmbedder(form("~/models/bert"), cache=form("~/cache"))
    found = embedder.fit_transform(["alpha beta"])
    assert embedder.backbone == form("~/models/bert")
    whole = TextEmbedder(str(home / "models/bert"), cache=False).fit_transform(["alpha beta"])
    assert np.array_equal(found, whole)
    assert any((home / "cache").iterdir())
    save(embedder, form("~/embedder.skt"))
    again = sktransfer.load(form("~/embedder.skt"))
    assert np.array_equal(again.transform(["alpha beta"]), found)
    save(embedder, home / "whole.skt", standalone=True)
    assert np.array_equal(sktransfer.load("~/whole.skt").transform(["alpha beta"]), found)


@pytest.mark.parametrize("form", [str, Path])
def test_a_file_of_weights_and_a_folder_of_timm(form, home):
    net = timm.create_model("test_resnet")
    torch.save(net.state_dict(), home / "mine.pth")
    save_for_hf(net, home / "net", safe_serialization=True)
    by_file = ImageEmbedder("timm:test_resnet", weights=form("~/mine.pth"), cache=False)
    by_folder = ImageEmbedder("timm:local-dir:~/net", cache=False)
    assert np.array_equal(by_file.fit_transform(IMAGES), by_folder.fit_transform(IMAGES))


def test_what_is_not_in_the_home_folder_is_named(home):
    with pytest.raises(BackboneError, match="no backbone"):
        TextEmbedder("~/nothing").fit(["a"])
    with pytest.raises(WeightsError, match=rf"{home}/nothing\.pth"):
        ImageEmbedder("timm:test_resnet", weights="~/nothing.pth").fit(IMAGES)
    with pytest.raises(FileNotFoundError, match="nothing"):
        sktransfer.load("~/nothing.skt")


def test_without_a_home_folder_a_path_stays_as_it_is(monkeypatch):
    import pwd

    monkeypatch.delenv("HOME", raising=False)

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert expanded("~/a") == Path("~/a")
    with pytest.raises(BackboneError, match="no backbone '~/nothing'"):
        TextEmbedder("~/nothing", cache=False).fit(["a"])
