"""A network is converted once per process and once per machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sktransfer import ImageEmbedder, TextEmbedder, _runtime, cache_info, clear_cache
from sktransfer.cache import open_cache
from sktransfer.compute.engines import _converted
from sktransfer.exceptions import CacheWarning
from tests._jobs import in_threads
from tests._tiny import images, tiny_network
from tests.embedders.test_reference_features import furthest


def embed(column=None, **options):
    options = {"backbone": tiny_network(), "engine": "openvino", **options}
    return ImageEmbedder(**options).fit_transform(images(4) if column is None else column)


@pytest.fixture
def forget(monkeypatch):
    """Forget the conversions of this process, but not those on disk."""

    def forget():
        _converted._compiled.clear()

    return forget


def execute(folder, statement, *values):
    with open_cache(folder).database.transaction(write=True) as connection:
        return connection.execute(statement, values).fetchall()


def kept_in(folder):
    """Return the number of the row that each kept network begins with."""
    smallest = bytes(15) + b"\2"  # of the keys of features
    parts = "SELECT id FROM rows WHERE key < ? AND length(value) > 1000"
    return [number for (number,) in execute(folder, parts, smallest)]


def test_estimators_and_clones_share_one_conversion(conversions, cache_folder):
    embedder = ImageEmbedder(tiny_network(), engine="openvino", cache=False)
    for each in (embedder, clone(embedder)):
        each.fit_transform(images(4))
        each.transform(images(3, seed=1))
    assert len(conversions) == 1
    embedder.set_params(layer=0).fit_transform(images(4))
    assert len(conversions) == 2
    assert not cache_folder.exists()


def test_threads_share_one_conversion_and_get_their_own_rows(conversions):
    embedder = ImageEmbedder(tiny_network(), engine="openvino", cache=False)
    column = images(60)
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(column)
    embedder.fit(column)

    def work(seed):
        some = np.random.default_rng(seed).choice(len(column), 30, replace=False)
        for _ in range(5):
            np.testing.assert_allclose(
                embedder.transform(column[some]), expected[some], rtol=1e-4, atol=1e-5
            )

    in_threads(work)
    assert len(conversions) == 1


def test_a_stored_conversion_is_used_for_every_precision_and_number_of_threads(
    conversions, cache_folder, forget
):
    rows = embed()
    assert len(kept_in(cache_folder)) == 1
    forget()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        again = embed(column=images(4, seed=1))
    finally:
        torch.set_num_threads(threads)
    embed(precision="bfloat16")
    assert len(conversions) == 1
    assert len(_converted._compiled) == 2
    assert rows.shape == again.shape


def test_the_number_of_compiled_networks_in_memory_is_limited(monkeypatch):
    monkeypatch.setattr(_converted, "_KEPT", 2)
    for side in (16, 24, 32):
        embed(image_size=side, cache=False)
    assert len(_converted._compiled) == 2


SECOND = """
import sys
import numpy as np
from sktransfer import TextEmbedder
from sktransfer.compute.engines import _openvino

def refuse(*args, **options):
    raise AssertionError("converted again")

_openvino.convert = refuse
rows = TextEmbedder(engine="openvino").fit_transform(["not yet", "in the cache"])
np.save(sys.argv[1], rows)
"""


@pytest.mark.slow
def test_a_second_process_does_not_convert_again(cache_folder, tmp_path):
    embedder = TextEmbedder(engine="openvino").fit(["a"])
    embedder.transform(["something else"])
    done = subprocess.run(
        [sys.executable, "-W", "error:::sktransfer", "-c", SECOND, str(tmp_path / "rows.npy")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    expected = TextEmbedder(cache=False).fit_transform(["not yet", "in the cache"])
    assert furthest(np.load(tmp_path / "rows.npy"), expected) < 1e-5


DAMAGE = {
    "a flipped bit": lambda raw: raw[:-100] + bytes([raw[-100] ^ 1]) + raw[-99:],
    "cut short": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "garbage": lambda raw: os.urandom(len(raw)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_network_whose_row_is_damaged_is_converted_again(
    damage, conversions, cache_folder, forget
):
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(4, seed=1))
    embed()
    (row,) = kept_in(cache_folder)
    ((whole,),) = execute(cache_folder, "SELECT value FROM rows WHERE id = ?", row)
    damaged = DAMAGE[damage](whole)
    execute(cache_folder, "UPDATE rows SET value = ? WHERE id = ?", damaged, row)
    forget()
    assert furthest(embed(column=images(4, seed=1)), expected) < 1e-5
    assert len(conversions) == 2
    forget()
    embed(column=images(4, seed=2))
    assert len(conversions) == 2  # it was repaired


FOREIGN = {
    "no network": lambda packed: [b"\x05\0\0\0\0\0\0\0", b"<net>", b""],
    "nothing": lambda packed: [b""],
    "less weights": lambda packed: [packed[:-64]],
    "zeros for weights": lambda packed: [packed[:-900], bytes(900)],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_bytes_of_another_network_are_not_used(kind, conversions, cache_folder, forget):
    """Its checksum fits: somebody else has written it."""
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(4, seed=1))
    embed()
    (key, *_), cache = next(iter(_converted._compiled)), open_cache(cache_folder)
    cache.write_object(key, b"".join(FOREIGN[kind](cache.read_object(key).tobytes())))
    forget()
    assert furthest(embed(column=images(4, seed=1)), expected) < 1e-5
    assert len(conversions) == 2


def test_another_version_converts_separately(conversions, cache_folder, monkeypatch, forget):
    embed()
    versions = {"openvino": "9999.0", "pillow": _runtime.version_of("pillow")}
    monkeypatch.setattr(_runtime, "version_of", versions.__getitem__)
    forget()
    embed()
    assert len(conversions) == 2
    assert len(kept_in(cache_folder)) == 2


def test_a_full_disk_only_warns(conversions, cache_folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sktransfer.cache._sqlite_cache.SqliteCache._write_part", full)
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(4))
    with pytest.warns(CacheWarning, match="No space left"):
        assert furthest(embed(), expected) < 1e-5
    embed(column=images(3, seed=1))
    assert len(conversions) == 1


def test_a_network_that_cannot_be_packed_still_computes(
    conversions, cache_folder, monkeypatch, forget
):
    def full(*args, **kwargs):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("openvino.save_model", full)
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(4))
    with pytest.warns(CacheWarning, match="cannot be written to .*iostream error"):
        assert furthest(embed(), expected) < 1e-5
    assert not kept_in(cache_folder)


def test_cached_rows_need_no_conversion(conversions, cache_folder, forget):
    rows = embed()
    execute(cache_folder, "DELETE FROM rows WHERE key < ?", bytes(15) + b"\2")
    assert not kept_in(cache_folder)
    forget()
    np.testing.assert_array_equal(embed(), rows)
    assert len(conversions) == 1


def test_clear_cache_removes_converted_networks(cache_folder):
    embed()
    clear_cache()
    assert kept_in(cache_folder) == []


def test_the_engines_do_not_share_cached_rows(cache_folder):
    network = tiny_network()
    for engine in ("torch", "openvino"):
        before = cache_info().computed
        for _ in range(2):
            embed(backbone=network, engine=engine)
        assert cache_info().computed - before == 4
    assert cache_info().rows == 8


FORKED = """
import os, signal, sys, warnings
import numpy as np
import torch
from sktransfer import ImageEmbedder
from sktransfer.exceptions import EngineWarning
from tests._tiny import images, tiny_network

torch.set_num_threads(2)
expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(20))
embedder = ImageEmbedder(tiny_network(), engine="openvino", cache=False)
embedder.fit_transform(images(4))
child = os.fork()
if child == 0:
    signal.alarm(100)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = embedder.transform(images(20))
    np.testing.assert_array_equal(found, expected)
    assert [warning.category for warning in told] == [EngineWarning], told
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("done")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_of_a_process_that_used_openvino_computes_with_torch():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "done\n", done.stderr
