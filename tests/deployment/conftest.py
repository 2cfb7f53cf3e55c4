"""The stack, packaged once and deployed once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.standin import StandIn
from tests.deployment.artefact import LOCAL_LAYERS, ROOT, RULES, Artefact, package, require_built
from tests.deployment.operated import enforcing_standin, operated_site
from tests.deployment.operator_needs import OperatorsNeeds, needs_of_operators
from tests.deployment.place import REFERENCES
from tests.deployment.site import JOBS, DeployedSite, deployed_site


@pytest.fixture(scope="session")
def own_standin() -> Iterator[StandIn]:
    """A stand-in that checks every request against the caller's IAM policies, as AWS does."""
    with enforcing_standin() as standin:
        yield standin


@pytest.fixture(scope="session")
def artefact(own_standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """What is deployed to Lambda, with the rules file that ships."""
    return package(own_standin, tmp_path_factory.mktemp("artefact"))


@pytest.fixture(scope="session")
def site(own_standin: StandIn, artefact: Artefact) -> Iterator[DeployedSite]:
    """The stack on the stand-in; after ``artefact``, since osls builds in one place."""
    require_built(LOCAL_LAYERS)
    rules = ROOT / "build" / "deploy-test.yaml"
    text = RULES.format(source="deployed-source", target="deployed-target") + REFERENCES.format(table=JOBS)
    rules.write_text(text, encoding="utf-8")
    with deployed_site(own_standin, rules.relative_to(ROOT)) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def code(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's zip, unpacked."""
    return artefact.unpack("keyshift", tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="session")
def operators() -> Iterator[OperatorsNeeds]:
    """Every command, run under its role on a stack of its own."""
    with enforcing_standin() as standin, operated_site(standin) as operated:
        yield needs_of_operators(operated)
