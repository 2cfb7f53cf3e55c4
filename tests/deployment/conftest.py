"""The stack, packaged once and deployed once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.standin import StandIn, running_standin
from tests.deployment.artefact import ROOT, RULES, Artefact, package, require_built
from tests.deployment.site import DeployedSite, deployed_site


@pytest.fixture(scope="session")
def own_standin() -> Iterator[StandIn]:
    """A stand-in that checks every request against the caller's IAM policies, as AWS does."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("AUTH", "true")
        standin = stack.enter_context(running_standin())
        patch.undo()  # only this one
        yield standin


@pytest.fixture(scope="session")
def artefact(own_standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """What is deployed to Lambda, with the rules file that ships."""
    return package(own_standin, tmp_path_factory.mktemp("artefact"))


@pytest.fixture(scope="session")
def site(own_standin: StandIn, artefact: Artefact) -> Iterator[DeployedSite]:
    """The stack on the stand-in; after ``artefact``, since osls builds in one place."""
    require_built()
    rules = ROOT / "build" / "deploy-test.yaml"
    rules.write_text(RULES.format(source="deployed-source", target="deployed-target"), encoding="utf-8")
    with deployed_site(own_standin, rules.relative_to(ROOT)) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def code(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's zip, unpacked."""
    return artefact.unpack("keyshift", tmp_path_factory.mktemp("code"))
