"""The cache uses only the user's own files, which nobody else can open."""

import os
import re
import stat
import warnings
from pathlib import Path

import pytest

import sktransfer.cache
from sktransfer.cache import NoCache, SqliteCache, clear_cache, open_cache
from sktransfer.exceptions import CacheWarning

AS_ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@AS_ROOT
@pytest.mark.parametrize("foreign", ["", "v3", "v3/features.sqlite"])
def test_files_of_another_user_are_not_used(folder, cache, space, digests, rows_of, foreign):
    cache.write(space, digests, rows_of(digests, 8))
    cache.database.close()
    os.chown(folder / foreign, 65534, 65534)
    with pytest.warns(CacheWarning, match=r"belongs to another user \(number 65534\)") as warned:
        assert isinstance(open_cache(folder), NoCache)
    assert "Set SKTRANSFER_CACHE" in str(warned[0].message)
    with pytest.raises(OSError, match="another user"):
        clear_cache(folder)


@pytest.mark.parametrize(
    "name",
    ["v3", "v3/lock", *(f"v3/features.sqlite{end}" for end in ("", "-wal", "-shm", "-journal"))],
)
def test_a_planted_link_is_not_followed(folder, tmp_path, name):
    victim = tmp_path / "victim"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(victim)
    with pytest.warns(CacheWarning, match="this is a link; remove it"):
        assert isinstance(open_cache(folder), NoCache)
    assert not victim.exists()


def test_a_link_to_the_folder_itself_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "disk")
    assert open_cache(tmp_path / "cache").folder == tmp_path / "disk"


def test_files_that_others_can_read_are_made_private(folder, cache):
    cache.database.close()
    home = folder / "v3"
    for path in (home, *home.iterdir()):
        path.chmod(0o777)
    assert isinstance(open_cache(folder), SqliteCache)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in home.iterdir())


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_no_umask_makes_the_cache_readable_or_breaks_it(folder, space, digests, rows_of, mask):
    before = os.umask(mask)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)  # root writes regardless of permissions
            open_cache(folder).write(space, digests, rows_of(digests, 8))
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.rglob("*")))


def test_nothing_in_the_cache_is_a_pickle(folder, cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    sources = Path(sktransfer.cache.__file__).parent.glob("*.py")
    code = "\n".join(path.read_text() for path in sources)
    assert not re.search(r"import (pickle|joblib|dill|marshal|shelve)|allow_pickle", code)
    cache.database.close()
    raw = (folder / "v3" / "features.sqlite").read_bytes()
    assert rows_of(digests[:1], 8).tobytes() in raw  # rows are stored as they are
