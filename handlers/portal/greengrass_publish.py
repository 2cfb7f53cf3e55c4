"""Lambda: publishes packaged models as Greengrass components, and published ones again from the new layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from domain.portal.components import (
    ComponentVersion,
    RecipeRequest,
    component_name,
    newest,
    recipe_of,
    republished,
)
from domain.portal.jobs import digest_of
from domain.portal.ports import ComponentService
from domain.portal.records import Item, with_entries
from domain.portal.targets import PLATFORMS, Target
from handlers.portal.access import BUILDERS, Identity
from handlers.portal.errors import HttpError
from handlers.portal.http import Answer, Request, Routes, respond
from handlers.portal.ownership import require_own_component, require_own_version, tags_of
from handlers.portal.portal import UseCaseServices
from handlers.portal.wiring import portal_of

_LOOKS, _LOOK_SECONDS = 15, 2.0
_SAME = ("component_name", "component_version")
_BUSY = ("REQUESTED", "INITIATED", "IN_PROGRESS")


class PublishRequest(BaseModel):
    """Under which name; without a version the next major one."""

    model_config = ConfigDict(extra="forbid")

    component_name: str = Field(min_length=7, max_length=128)
    component_version: str | None = None
    friendly_name: str | None = Field(default=None, max_length=128)
    targets: list[Target] | None = Field(default=None, min_length=1, max_length=len(Target))

    @field_validator("component_version")
    @classmethod
    def _semantic(cls, text: str | None) -> str | None:
        if text is not None and ComponentVersion.parse(text) is None:
            raise ValueError("a version is three numbers up to 999999, such as 1.0.0")
        return text


def publish(request: Request) -> Answer:
    """Publish what is packed, as the body says."""
    wanted = request.body_as(PublishRequest)
    item, services = request.training(BUILDERS)
    return publish_components(services, item, request.caller, wanted)


def publish_again(request: Request) -> Answer:
    """Publish from the new layout what was published from a legacy key."""
    item, services = request.training(BUILDERS)
    return republish_components(services, item, request.caller)


ROUTES: Routes = {
    "POST /training/{training_id}/publish": publish,
    "POST /training/{training_id}/republish": publish_again,
}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request."""
    return respond(event, portal_of(), ROUTES)


def publish_components(services: UseCaseServices, item: Item, identity: Identity, request: PublishRequest) -> Answer:
    """One component version of each packaged target; a version that exists with the same artifact is the answer."""
    packed = _packaged(item, request.targets)
    components = services.open_workplace().components
    names = {target: component_name(request.component_name, target) for target in packed}
    versions = {name: components.list_versions(components.component_arn(name)) for name in names.values()}
    for name, known in versions.items():
        require_own_component(services, components, name, known)
    publication = _Publication(services, components, item, identity)
    entries = []
    for target, package in packed.items():
        name = names[target]
        uri = _new_artifact(services, str(package["component_package_s3"]))
        version = _version(components, name, request.component_version, uri, versions[name])
        friendly = f"{request.friendly_name or request.component_name} ({target.value})"
        recipe = recipe_of(RecipeRequest(name, version, friendly, target, uri))
        entries.append(publication.publish(recipe, target))
    for name in (name for name, known in versions.items() if not known):
        # Another use case may have taken the new name at the same time, with a greater version.
        require_own_component(services, components, name, components.list_versions(components.component_arn(name)))
    return publication.record(entries, request.component_name)


def republish_components(services: UseCaseServices, item: Item, identity: Identity) -> Answer:
    """Each published component of the record whose artifact is at a legacy URI, again as its next major version.

    What names the new layout already is not published twice; a version that an earlier try published and did not
    live to record is recorded.
    """
    components = services.open_workplace().components
    publication = _Publication(services, components, item, identity)
    entries = []
    for name, entry in {one["component_name"]: one for one in _with_arn(item)}.items():
        versions = components.list_versions(components.component_arn(name))
        require_own_component(services, components, name, versions)
        last = newest(versions)
        arn = f"{components.component_arn(name)}:versions:{last}" if last else str(entry["component_arn"])
        recipe = components.read_recipe(arn)
        if recipe is None:
            raise HttpError(409, f"Greengrass has no component {arn}: publish it instead", field="component_name")
        known = ComponentVersion.parse(str(recipe["ComponentVersion"])) or ComponentVersion(0)
        again = republished(
            recipe, version=(last or known).next_major, new_uri=lambda uri: _new_artifact(services, uri)
        )
        target = Target(entry["target"])
        if again.moved:
            entries.append(publication.publish(dict(again.recipe), target))
        elif arn != entry["component_arn"]:
            entries.append(publication.entry(recipe, target, arn))
    if not entries:
        body = {"training_id": item["training_id"], "published_components": []}
        return 200, {**body, "message": "Every component is published from the new layout"}
    return publication.record(entries, None)


def _with_arn(item: Item) -> list[Item]:
    return [one for one in item.get("published_components", []) if one.get("component_arn")]


def _packaged(item: Item, targets: list[Target] | None) -> dict[Target, Item]:
    found = {
        Target(one["target"]): one
        for one in item.get("packaged_components", [])
        if one.get("status") == "packaged" and one.get("component_package_s3") and one.get("target") in set(Target)
    }
    missing = [target.value for target in targets or () if target not in found]
    if missing or not found:
        said = f"for {', '.join(missing)}" if missing else "of this training"
        raise HttpError(409, f"There is no packaged component {said}: package first", field="targets")
    return {target: one for target, one in found.items() if targets is None or target in targets}


def _new_artifact(services: UseCaseServices, uri: str) -> str:
    """The artifact's new URI, only if its bytes are there: Greengrass reads them at once, and never again looks."""
    path = services.resolve(uri)
    if path.new is None or services.layout.fault_of(path.new.key) is not None:
        raise HttpError(409, f"A component has no place in the new layout: {path.reason}", field="component_package_s3")
    # A legacy object may be answered from its old key although the copy is there: the new name itself decides.
    there = path.location == path.new or services.resolve(path.new.uri).location == path.new
    if not there:
        key = path.new.key
        raise HttpError(409, f"{key} is not migrated yet: publish it when it is", field="component_package_s3")
    return path.new.uri


def _version(
    components: ComponentService, name: str, wanted: str | None, uri: str, known: list[str]
) -> ComponentVersion:
    """The version that was asked for, else the next; a newest one with this very artifact is taken again."""
    asked = ComponentVersion.parse(wanted) if wanted is not None else None
    if asked is not None:
        return asked
    last = newest(known)
    if last is None:
        return ComponentVersion(1)
    recipe = components.read_recipe(f"{components.component_arn(name)}:versions:{last}")
    return last if recipe is not None and _has_artifact(recipe, uri) else last.next_major


def _has_artifact(recipe: Any, uri: str) -> bool:
    return any(one.get("Uri") == uri for manifest in recipe["Manifests"] for one in manifest.get("Artifacts", []))


@dataclass(frozen=True, slots=True)
class _Publication:
    """The components of one training, published for its use case by one caller."""

    services: UseCaseServices
    components: ComponentService
    item: Item
    identity: Identity

    def publish(self, recipe: dict[str, Any], target: Target) -> dict[str, Any]:
        """Publish one recipe; what the record says of it. 409 where the version exists with another artifact."""
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        uri = recipe["Manifests"][0]["Artifacts"][0]["Uri"]
        training_id, user_id = str(self.item["training_id"]), self.identity.user_id
        tags = tags_of(str(self.item["usecase_id"]), training_id=training_id, user_id=user_id)
        token = digest_of("publish", name, version, uri)[:64]
        arn = self.components.create_component_version(recipe, tags=tags, client_token=token)
        if arn is None:
            arn = f"{self.components.component_arn(name)}:versions:{version}"
            there = self.components.read_recipe(arn)
            if there is None or not _has_artifact(there, uri):
                said = f"{name} {version} exists with another artifact: give another version"
                raise HttpError(409, said, field="component_version")
            require_own_version(self.services, self.components, arn)
        return self.entry(recipe, target, arn)

    def entry(self, recipe: Mapping[str, Any], target: Target, arn: str) -> dict[str, Any]:
        """What the record says of a component version."""
        state = self._settled_state(arn)
        return {
            "target": target.value,
            "platform": PLATFORMS[target].architecture,
            "component_name": recipe["ComponentName"],
            "component_version": recipe["ComponentVersion"],
            "component_arn": arn,
            "status": "published" if state == "DEPLOYABLE" else "publishing" if state in _BUSY else "failed",
        }

    def _settled_state(self, arn: str) -> str:
        state = self.components.read_state(arn)
        for _ in range(_LOOKS):
            if state not in _BUSY:
                break
            self.services.portal.sleep(_LOOK_SECONDS)
            state = self.components.read_state(arn)
        return state

    def record(self, entries: list[dict[str, Any]], name: str | None) -> Answer:
        """Note the versions in the record, and each as a model; the answer, 502 where one failed."""
        item = self.services.portal.change(
            self.item["training_id"],
            lambda now: {"published_components": with_entries(now, "published_components", entries, same=_SAME)},
        )
        for version in dict.fromkeys(entry["component_version"] for entry in entries):
            ours = [entry for entry in entries if entry["component_version"] == version]
            self.services.portal.trainings.write_model(
                {
                    "model_id": f"{item['training_id']}-{version}",
                    "usecase_id": item["usecase_id"],
                    "name": name or item.get("model_name", ours[0]["component_name"]),
                    "version": version,
                    "stage": "candidate",
                    "training_job_id": item["training_id"],
                    "dataset_manifest_id": item.get("dataset_manifest_s3", ""),
                    "component_arns": {entry["target"]: entry["component_arn"] for entry in ours},
                    "deployed_devices": [],
                    "created_by": self.identity.user_id,
                    "created_at": int(self.services.portal.clock.now() * 1_000),
                }
            )
        failed = any(entry["status"] == "failed" for entry in entries)
        body = {"training_id": item["training_id"], "published_components": entries}
        return 502 if failed else 200, self.services.present(body)
