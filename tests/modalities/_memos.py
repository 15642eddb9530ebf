"""File digest memos for tests: one that stores nothing, and one that records its calls."""


class NoMemo:
    """Stores nothing, so that every file is read."""

    def read_file_digests(self, keys):
        return [None for _ in keys]

    def write_file_digests(self, keys, digests):
        pass


class Memo:
    """Stores all digests, and records each call."""

    def __init__(self):
        self.known, self.reads, self.writes = {}, [], []

    def read_file_digests(self, keys):
        self.reads.append(list(keys))
        return [self.known.get(key) for key in keys]

    def write_file_digests(self, keys, digests):
        self.writes.append(list(keys))
        self.known.update(zip(keys, digests, strict=True))
