"""A world whose objects are migrated and whose items name them, and one rewriting of an item."""

from domain.references.reports import Reported
from tests.worlds.referring import ReferringWorld

OLD, NEW = "s3://line-1/old//a", "s3://line-1/new/a"
LONGER = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: line-1}
rules: [{name: move, from: "old//{rest...}", to: "new/much/longer/than/it/was/before/{rest...}"}]
references: [{table: jobs, key: id, attributes: [uri]}]
"""


def new_world(*keys: str) -> ReferringWorld:
    """A world whose objects at these keys are migrated."""
    world = ReferringWorld()
    for key in keys:
        world.put(key)
        world.migrate(key)
    return world


def rewrite(world: ReferringWorld, number: str = "1") -> list[Reported]:
    """Rewrite one job."""
    return world.references.rewrite(world.jobs, world.job(number))
