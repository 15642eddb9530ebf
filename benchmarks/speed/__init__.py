"""sktransfer beside its peers: a module a group of cases, each with ``measure(repeats)``.

Every comparison takes turns in one process: each round runs all ways one after the other, and
the ratio of a round is that of two neighbours, so that both saw the same machine.
"""
