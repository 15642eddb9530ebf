"""The command line: ``python -m sktransfer``, or ``sktransfer`` once installed."""

import argparse
import sys
from collections.abc import Sequence

from sktransfer.cache import cache_info, clear_cache


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments after the name of the program; None for those of this process.

    Returns
    -------
    int
        The exit status: 0 if all went well.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"sktransfer: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sktransfer", description="The pretrained half of scikit-learn."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_cache(commands.add_parser("cache", help="show or empty the cache of features"))
    backbones = commands.add_parser("backbones", help="list the pretrained backbones")
    backbones.set_defaults(run=_list_backbones)
    return parser


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_cache)
    parser.add_argument(
        "action",
        nargs="?",
        choices=("info", "clear"),
        default="info",
        help="info (default): how much it holds; clear: remove all of it",
    )
    parser.add_argument("--folder", default=True, help="another folder than the user's own")
    parser.add_argument("--yes", action="store_true", help="clear without asking")


def _run_cache(arguments: argparse.Namespace) -> int:
    return _clear(arguments) if arguments.action == "clear" else _show(arguments)


def _show(arguments: argparse.Namespace) -> int:
    print(cache_info(arguments.folder))
    return 0


def _clear(arguments: argparse.Namespace) -> int:
    if not arguments.yes:
        print(cache_info(arguments.folder))
        if not _agreed("Remove all of it? [y/N] "):
            print("Nothing was removed.")
            return 1
    clear_cache(arguments.folder)
    print("The cache is empty.")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # nobody is there to answer
        print()
        return False


def _list_backbones(arguments: argparse.Namespace) -> int:
    from sktransfer import list_backbones  # slow: it needs the deep learning libraries

    print(list_backbones())
    return 0


if __name__ == "__main__":
    sys.exit(main())
