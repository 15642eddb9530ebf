"""The documentation page about few labels is correct."""

from tests._pages import DOCS, blocks, run_in_order

PAGE = (DOCS / "few_labels.md").read_text()


def test_the_examples_of_the_page_give_the_output_below_them(
    tmp_path, monkeypatch, capsys, cache_folder
):
    run_in_order(blocks(PAGE), tmp_path, monkeypatch)
    assert capsys.readouterr().out == "".join(blocks(PAGE, "text"))
