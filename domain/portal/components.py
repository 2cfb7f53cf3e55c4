"""Greengrass components: names, versions and recipes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import InputError
from domain.portal.layout import LayoutError
from domain.portal.targets import PLATFORMS, Target

_NAME = re.compile(r"model-[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
LONGEST_NAME = 128
"""Greengrass's limit for a component name."""
_GREATEST = 999_999
_PATH = "{artifacts:decompressedPath}/"


@dataclass(frozen=True, slots=True, order=True)
class ComponentVersion:
    """A semantic version; Greengrass takes numbers up to 999,999."""

    major: int
    minor: int = 0
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def next_major(self) -> "ComponentVersion":
        """The version of the next publication; raises InputError at the end of the numbers."""
        if self.major >= _GREATEST:
            raise InputError(f"There is no version after {self}: publish under another component name")
        return ComponentVersion(self.major + 1)

    @classmethod
    def parse(cls, text: str) -> "ComponentVersion | None":
        """Read ``1.0.0``; ``None`` for anything else."""
        found = _VERSION.fullmatch(text)
        return None if found is None else cls(*map(int, found.groups()))


def component_name(name: str, target: Target) -> str:
    """The name with the target behind it; raises LayoutError for a name that Greengrass or the portal refuses."""
    full = f"{name}-{target.value.replace('_', '-')}"
    if _NAME.fullmatch(name) is None:
        raise LayoutError("component_name", "it begins with 'model-' and has only A-Z, a-z, 0-9, '.', '_' and '-'")
    if len(full) > LONGEST_NAME:
        raise LayoutError(
            "component_name", f"with its target it has {len(full)} characters, {LONGEST_NAME} are allowed"
        )
    return full


@dataclass(frozen=True, slots=True)
class RecipeRequest:
    """What a recipe is made of; ``artifact_uri`` is the component zip in the new layout."""

    name: str
    version: ComponentVersion
    friendly_name: str
    target: Target
    artifact_uri: str


def recipe_of(request: RecipeRequest) -> dict[str, Any]:
    """The recipe of a packaged model; Greengrass computes the artifact's digest when it takes the recipe."""
    platform = PLATFORMS[request.target]
    unpacked = f"{_PATH}{_stem(request.artifact_uri)}/"
    start = (
        f"python3 /aws_dda/model_convertor.py --unarchived_model_path {unpacked} "
        f"--model_version {request.version} --model_name {request.name}"
    )
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": request.name,
        "ComponentVersion": str(request.version),
        "ComponentType": "aws.greengrass.generic",
        "ComponentPublisher": "Amazon Lookout for Vision",
        "ComponentConfiguration": {
            "DefaultConfiguration": {
                "Autostart": False,
                "PYTHONPATH": "/usr/bin/python3.9",
                "ModelName": request.friendly_name,
            }
        },
        "ComponentDependencies": {
            platform.local_server: {"VersionRequirement": "^1.0.0", "DependencyType": "HARD"},
        },
        "Manifests": [
            {
                "Platform": {"os": "linux", "architecture": platform.architecture},
                "Lifecycle": {
                    "Startup": _step(start),
                    "Shutdown": _step(f"python3 /aws_dda/convert_model_cleanup.py --model_name {request.name}"),
                },
                "Artifacts": [
                    {
                        "Uri": request.artifact_uri,
                        "Unarchive": "ZIP",
                        "Permission": {"Read": "ALL", "Execute": "ALL"},
                    }
                ],
            }
        ],
        "Lifecycle": {},
    }


@dataclass(frozen=True, slots=True)
class Republication:
    """A published recipe as a new version; ``moved`` maps each artifact URI that changes to the one it becomes."""

    recipe: Mapping[str, Any]
    moved: Mapping[str, str]


def artifact_uris(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Every artifact URI of a recipe, each once."""
    return tuple(dict.fromkeys(artifact["Uri"] for artifact in _artifacts(recipe)))


def artifact_places(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """The same of a recipe that another program wrote: Greengrass takes ``URI`` for ``Uri`` too; empty if unnamed."""
    manifests = recipe.get("Manifests") or []
    artifacts = [one for manifest in manifests for one in manifest.get("Artifacts") or []]
    return tuple(str(artifact.get("Uri") or artifact.get("URI") or "") for artifact in artifacts)


def republished(
    recipe: Mapping[str, Any], *, version: ComponentVersion, new_uri: Callable[[str], str]
) -> Republication:
    """The recipe under a new version with its artifacts at their new URIs, and everything that follows from it.

    The digest belongs to the old publication and is left to Greengrass. The folder that a zip is unpacked into has
    the zip's name, so scripts that name it change too, as does the version that they pass on.
    """
    moved = {uri: new for uri in artifact_uris(recipe) if (new := new_uri(uri)) != uri}
    old_version = str(recipe["ComponentVersion"])

    def in_script(text: str) -> str:
        for uri, new in moved.items():
            text = text.replace(f"{_PATH}{_stem(uri)}/", f"{_PATH}{_stem(new)}/")
        return text.replace(f"--model_version {old_version} ", f"--model_version {version} ")

    changed = {
        name: _texts_changed(value, in_script) if name in ("Manifests", "Lifecycle") else value
        for name, value in recipe.items()
    }
    changed["ComponentVersion"] = str(version)
    changed["Manifests"] = [_moved_manifest(one, moved) for one in changed.get("Manifests", [])]
    return Republication(changed, moved)


def _moved_manifest(manifest: Mapping[str, Any], moved: Mapping[str, str]) -> dict[str, Any]:
    artifacts = [
        {name: value for name, value in one.items() if name not in ("Digest", "Algorithm")}
        | {"Uri": moved.get(one["Uri"], one["Uri"])}
        for one in manifest.get("Artifacts", [])
    ]
    return {**manifest, "Artifacts": artifacts} if artifacts else dict(manifest)


def _texts_changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_texts_changed(one, change) for one in value]
    if isinstance(value, Mapping):
        return {name: _texts_changed(one, change) for name, one in value.items()}
    return value


def _artifacts(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for manifest in recipe.get("Manifests", []) for one in manifest.get("Artifacts", [])]


def _step(script: str) -> dict[str, Any]:
    return {"Script": script, "Timeout": 900, "requiresPrivilege": True, "runWith": {"posixUser": "root"}}


def _stem(uri: str) -> str:
    return uri.rsplit("/", maxsplit=1)[-1].removesuffix(".zip")


def newest(versions: list[str]) -> ComponentVersion | None:
    """The newest of the versions that are semantic ones."""
    return max(filter(None, map(ComponentVersion.parse, versions)), default=None)
