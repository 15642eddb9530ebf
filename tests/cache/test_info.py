import threading

import numpy as np

from sktransfer.cache import cache_info, clear_cache, open_cache, record


def test_info_shows_the_content_of_the_cache(cache, folder, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 384))
    cache.write(space, digests[:10], rows_of(digests[:10], 384))
    info = cache_info(folder)
    assert info.folder == folder
    assert info.rows == 100
    assert 100 * 384 * 4 < info.size < 4 * 100 * 384 * 4
    assert info.limit == 10**10


def test_info_does_not_create_a_folder(folder):
    info = cache_info(folder)
    assert (info.rows, info.size) == (0, 0)
    assert not folder.exists()


def test_info_without_a_cache_and_with_a_users_own(tmp_path, space, digests, rows_of):
    assert cache_info(False).folder is None
    assert "(none)" in str(cache_info(False))
    open_cache(True).write(space, digests, rows_of(digests, 8))
    assert cache_info().folder == tmp_path / "of the user"
    assert cache_info().rows == 100


def test_info_counts_requested_and_computed_rows_of_all_threads(folder):
    before = cache_info(folder)
    threads = [
        threading.Thread(
            target=lambda: [[record("asked", 3), record("computed", 1)] for _ in range(1000)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = cache_info(folder)
    assert after.asked - before.asked == 12_000
    assert after.computed - before.computed == 4000


def test_another_process_counts_separately(run):
    assert run("say((cache_info().asked, cache_info().computed))") == "(0, 0)\n"


def test_info_is_printed_readably(cache, folder, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 384))
    record("asked", 5000)
    record("computed", 600)
    text = str(cache_info(folder))
    assert f"folder    {folder}" in text
    assert "rows      100" in text
    assert "of 10.0 GB" in text
    assert "rows by this process" in text


def test_clearing_removes_everything_and_frees_disk_space(cache, folder, space, digests, rows_of):
    record("asked", 1)
    asked = cache_info(folder).asked
    cache.write(space, digests, rows_of(digests, 384))
    cache.write_file_digests(digests, digests)
    clear_cache(folder)
    assert [path.name for path in (folder / "v3").iterdir()] == ["lock"]
    assert cache.database._connection is None  # the disk frees what no process holds open
    assert cache_info(folder).rows == 0
    assert not cache.read(space, digests, 384)[1].any()
    assert cache.read_file_digests(digests) == [None] * 100
    assert cache_info(folder).asked == asked


def test_clearing_a_missing_cache_creates_nothing(folder):
    clear_cache(folder)
    clear_cache(False)
    assert not folder.exists()


def test_clearing_while_threads_use_the_cache(cache, folder, space, digests, rows_of):
    rows = rows_of(digests, 64)
    done = threading.Event()
    wrong = []

    def work():
        while not done.is_set():
            cache.write(space, digests, rows)
            read, found = cache.read(space, digests, 64)
            if not np.array_equal(read[found], rows[found]):
                wrong.append(read)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        clear_cache(folder)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    cache.write(space, digests, rows)
    assert cache.read(space, digests, 64)[1].all()
