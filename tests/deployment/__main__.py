"""``python -m tests.deployment package [osls options]``, ``… iam > docs/iam.md``, ``… modules``."""

import sys
import tempfile
from pathlib import Path

from adapters.standin import running_standin
from tests.deployment.artefact import ROOT, ArtefactError, package
from tests.deployment.iam_document import iam_document
from tests.deployment.modules import MODULES, modules_document
from tests.deployment.operated import enforcing_standin, operated_site
from tests.deployment.operator_needs import needs_of_operators
from tests.deployment.release import FOLDER, make_release
from tests.deployment.scenarios import needs_of_functions


def main(arguments: list[str]) -> int:
    """The exit code."""
    if arguments[:1] not in (["package"], ["iam"], ["modules"]):
        print("python -m tests.deployment package|iam|modules", file=sys.stderr)  # a command's own voice
        return 2
    folder = ROOT / ".serverless"
    if arguments[0] == "modules":
        MODULES.write_text(modules_document(), encoding="utf-8")
        return 0
    try:
        if arguments[0] == "iam":
            print(_permissions(folder), end="")
            return 0
        with running_standin() as standin:
            release = make_release(package(standin, folder, *arguments[1:]), FOLDER)
    except ArtefactError as error:
        print(error, file=sys.stderr)
        return 1
    for path in sorted(release.folder.iterdir()):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _permissions(folder: Path) -> str:
    """The page; packaged last, since a deployment is built in the same place."""
    with enforcing_standin() as standin, operated_site(standin) as operated:
        operators = needs_of_operators(operated)
    with running_standin() as standin, tempfile.TemporaryDirectory() as rules:
        return iam_document(package(standin, folder), needs_of_functions(standin, Path(rules)), operators)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
