"""Whether a known vulnerability is in what jaxboost needs, by pip-audit; part of CI, not of the tests.

    python -m tests.audit

Asked are the installed versions of `requirements.txt` and of all that those need; pip and the tools of the tests are
not. Where pip-audit cannot reach its data, or knows nothing of a package, that is said and is no failure.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"


def needed(lines: Iterable[str]) -> set[str]:
    """Names of the packages that lines of requirements ask for, and of all that those need in turn."""
    found: set[str] = set()
    left = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        wanted = requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        if name in found or not wanted:
            continue
        found.add(name)
        try:
            inner = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:  # for another platform
            continue
        left += [one for one in inner if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras)]
    return found


def verdict(report: dict[str, Any], names: set[str]) -> tuple[list[str], list[str], int]:
    """Of pip-audit's report: a line a vulnerability, names of which nothing is known, how many are clean."""
    lines, unknown, clean = [], [], 0
    for package in report["dependencies"]:
        if (name := canonicalize_name(package["name"])) not in names:
            continue
        if "skip_reason" in package:
            unknown.append(name)
        elif package["vulns"]:
            lines += [
                f"{name} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version'}"
                for one in package["vulns"]
            ]
        else:
            clean += 1
    return lines, unknown, clean


def main(command: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> int:
    """Prints what is known; 1 where a vulnerability is, 2 where pip-audit itself fails."""
    names = needed(REQUIREMENTS.read_text().splitlines())
    done = subprocess.run([*command, "--format=json", "--progress-spinner=off"], capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if not re.search("ConnectionError|ProxyError|Timeout|SSLError|ServiceError", last):
            print(f"pip-audit failed: {last}")
            return 2
        print(f"skipped: pip-audit reached no data ({last})")
        return 0
    lines, unknown, clean = verdict(report, names)
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{clean} of {len(names)} packages without a known vulnerability, {len(lines)} known ones", end="")
    print(f"; skipped, since pip-audit found no data: {len(unknown)} packages" if unknown else "")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
