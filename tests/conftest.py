"""Fixtures that every suite may use, and how Hypothesis chooses its examples."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from domain.audit.chain import MISSING_SHARD
from tests.servers import credentials, moto_endpoint, seaweedfs, standin, standin_process

__all__ = ["credentials", "moto_endpoint", "seaweedfs", "standin", "standin_process"]

# A failed assertion of a world then shows what it compared, as one in a test module does.
pytest.register_assert_rewrite("tests.worlds")

# A gate fails because of the change before it and not by chance, so it tries the same examples on the same code each
# time; new ones are looked for by `make fuzz`. No example has a deadline: a busy machine is no fault.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("gate")


@pytest.fixture(
    scope="module", params=[MISSING_SHARD, "shardId-00000001795400000000-0000000a"], ids=["unsharded", "shard"]
)
def each_chain(request: pytest.FixtureRequest) -> Iterator[None]:
    """The module's tests run on the audit chain without a shard, and on that of a shard."""
    from tests.worlds.audited import LAYOUT

    LAYOUT.shard = request.param
    yield
    LAYOUT.shard = MISSING_SHARD
