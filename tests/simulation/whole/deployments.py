"""What operators change around keyshift for a while: the rules that are deployed, and the permissions of its roles."""

from collections.abc import Sequence

from domain.rules.compiled import CompiledRules
from tests.simulation.whole.site import Site

ROLES = ("cleanup", "worker", "")
"""Whose role lacks a permission, by the first letters of the process: the operator's, the functions', everybody's."""
PERMISSIONS = (
    ("delete_object",),
    ("look_at_object",),
    ("copy_object", "create_upload"),
    ("delete_object", "remove_version", "remove_delete_marker"),
    ("find_top_marker",),
    ("write_record",),
)
OF_PROPERTIES = (("kms",), ("lock",), ("see-lock",))
"""To use a KMS key, to set a lock, and to see one: without the last S3 shows a locked object as one without a lock."""


def take_permissions(site: Site, at: float, permissions: Sequence[tuple[str, ...]] = PERMISSIONS) -> None:
    """An operator takes a permission from a role, sees what that does, and gives it back."""
    random = site.random
    lacking: set[tuple[str, str]] = getattr(site.scheduler.dice, "lacking", set())
    who = random.choice(ROLES)
    what = {(who, call) for call in random.choice(permissions)}

    def take() -> None:
        lacking.update(what)
        site.say("operator", f"takes from {who or 'all'}", sorted(call for _, call in what))

    def give() -> None:
        lacking.difference_update(what)
        site.say("operator", f"gives back to {who or 'all'}", sorted(call for _, call in what))

    site.scheduler.at(at, take)
    site.scheduler.at(at + random.uniform(10, 200), give)


def redeploy(site: Site, at: float) -> None:
    """Somebody deploys other rules, sees what they do, and puts the old ones back."""

    def deploy(rules: CompiledRules) -> None:
        site.deployed = rules
        site.say("operator", "deploys", "the rules" if rules is site.rules else "other rules")

    site.scheduler.at(at, lambda: deploy(site.other_rules))
    site.scheduler.at(at + site.random.uniform(10, 120), lambda: deploy(site.rules))


def replace_functions(site: Site, at: float) -> None:
    """An operator deploys the functions with another configuration; what they had in work is handed out again."""

    def deploy() -> None:
        site.knows_itself = not site.knows_itself
        site.say("operator", "replaces the functions", f"they know themselves: {site.knows_itself}")
        is_drained = site.random.random() < 0.5
        for process in site.scheduler.processes():
            if process.name.startswith("worker") and not is_drained:
                process.kill()
        for queue in (site.events, site.backfill):
            queue.hand_out_again()

    site.scheduler.at(at, deploy)
