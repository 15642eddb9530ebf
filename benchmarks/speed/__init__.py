"""Speed compared with other libraries: a module per group of cases, each with ``measure(repeats)``.

All alternatives alternate in one process. A round runs each of them once, and ratios are computed
within a round, so that both times come from the same machine state.
"""
