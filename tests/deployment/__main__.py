"""``python -m tests.deployment package [osls options]``, or ``… iam > docs/iam.md``."""

import sys
import tempfile
from pathlib import Path

from adapters.standin import running_standin
from tests.deployment.artefact import ROOT, ArtefactError, package
from tests.deployment.iam_document import iam_document
from tests.deployment.operated import enforcing_standin, operated_site
from tests.deployment.operator_needs import needs_of_operators
from tests.deployment.scenarios import needs_of_functions


def main(arguments: list[str]) -> int:
    """The exit code."""
    if arguments[:1] not in (["package"], ["iam"]):
        print("python -m tests.deployment package|iam", file=sys.stderr)  # a command's own voice
        return 2
    folder = ROOT / ".serverless"
    try:
        with running_standin() as standin:
            built = package(standin, folder, *arguments[1:])
            if arguments[0] == "iam":
                with tempfile.TemporaryDirectory() as rules:
                    needs = needs_of_functions(standin, Path(rules))
                with enforcing_standin() as enforcing, operated_site(enforcing) as operated:
                    print(iam_document(built, needs, needs_of_operators(operated)), end="")
                return 0
    except ArtefactError as error:
        print(error, file=sys.stderr)
        return 1
    for path in sorted(folder.glob("*.zip")):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
