"""Print the lowest versions that pyproject.toml allows, as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_LOWEST = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=|==|~=)\s*([\w.]+)")


def main() -> None:
    """Print one line per dependency, those of the extras included."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = {*project["dependencies"], *(line for extra in extras.values() for line in extra)}
    for line in sorted(lines):
        found = _LOWEST.match(line)
        if found:
            print(f"{found[1]}=={found[2]}")


if __name__ == "__main__":
    main()
