"""The script that writes parameter sections into docstrings."""

import textwrap

from tools.write_docstrings import estimators, literal, main, with_sections

SOURCE = '''
"""A module."""


class Thing:
    """Do a thing.

    At length.

    Attributes
    ----------
    old_ : int
        Is replaced.

    Examples
    --------
    >>> Thing()
    """

    backbone = "small"
'''


def test_sections_are_replaced_and_added_in_numpydoc_order():
    sections = {
        "Parameters": "    a : int\n        One.",
        "Attributes": "    b_ : int\n        Two.",
    }
    new = with_sections(SOURCE, "Thing", sections)
    before, parameters, attributes, after = (
        new.index(text) for text in ("At length", "a : int", "b_ : int", ">>> Thing()")
    )
    assert before < parameters < attributes < after
    assert "old_" not in new
    assert new.endswith('    """\n\n    backbone = "small"\n')
    assert with_sections(new, "Thing", sections) == new
    compile(textwrap.dedent(new), "thing", "exec")


def test_defaults_are_written_as_in_code():
    assert [literal(value) for value in ("auto", True, 80_000_000, 10, 0.5, None)] == [
        '"auto"',
        "True",
        "80_000_000",
        "10",
        "0.5",
        "None",
    ]


def test_the_docstring_of_every_estimator_is_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["write_docstrings", "--check"])
    assert main() == 0, capsys.readouterr().out
    assert len(list(estimators())) >= 6
