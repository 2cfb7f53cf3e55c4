"""``python -m tests.security.audit_dependencies``: known vulnerabilities of everything in uv.lock, by pip-audit.

Exit code 1 only for a vulnerability. Without the advisory service nothing can be known: that is said, not hidden.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent


def audit(requirements: Path) -> tuple[list[str], int, int]:
    """Vulnerabilities found, packages looked up, packages that the service did not know or could not be asked of."""
    command = [str(BIN / "pip-audit"), "-r", str(requirements), "--disable-pip", "--require-hashes", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    try:
        answer = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], 0, -1
    return read_answer(answer)


def read_answer(dependencies: list[dict[str, object]]) -> tuple[list[str], int, int]:
    """The same of pip-audit's JSON."""
    found = [
        f"{one['name']} {one['version']}: {fault['id']}, fixed in {' or '.join(fault['fix_versions']) or 'none'}"
        for one in dependencies
        for fault in one.get("vulns", ())  # type: ignore[attr-defined]
    ]
    skipped = sum("skip_reason" in one for one in dependencies)
    return found, len(dependencies) - skipped, skipped


def main() -> int:
    """Audit the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requirements.txt")
        export = [str(BIN / "uv"), "export", "--frozen", "--all-extras", "--no-emit-project", "-q", "-o", str(path)]
        subprocess.run([*export, "--format", "requirements-txt"], check=True, capture_output=True)  # noqa: S603
        found, audited, skipped = audit(path)
    for line in found:
        sys.stdout.write(f"VULNERABLE  {line}\n")
    if skipped:
        sys.stdout.write(
            f"NOT AUDITED: of {max(skipped, 0) or 'all'} packages the advisory service told nothing; "
            "run `make audit` where https://pypi.org/pypi/NAME/json can be reached\n"
        )
    sys.stdout.write(f"{audited} packages audited, {len(found)} vulnerabilities\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
