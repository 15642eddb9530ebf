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
    cache = commands.add_parser("cache", help="show or empty the cache of features")
    cache.set_defaults(run=_run_cache)
    what = "info (default): how much it holds; clear: remove all of it"
    cache.add_argument("action", nargs="?", choices=("info", "clear"), default="info", help=what)
    cache.add_argument("--folder", default=True, help="another folder than the user's own")
    cache.add_argument("--yes", action="store_true", help="clear without asking")
    backbones = commands.add_parser("backbones", help="list the pretrained backbones")
    backbones.set_defaults(run=_list_backbones)
    return parser


def _run_cache(arguments: argparse.Namespace) -> int:
    clears = arguments.action == "clear"
    if not (clears and arguments.yes):
        print(cache_info(arguments.folder))
    if not clears:
        return 0
    if not (arguments.yes or _agreed("Remove all of it? [y/N] ")):
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
