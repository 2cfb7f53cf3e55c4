"""Trained and compiled models: what is read from them, and what is made of them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from domain.keys import Location
from domain.portal.ports import ObjectReader, ObjectStreams
from domain.protocol.ports import Refused
from handlers.portal.archive_writing import TarStream, ZipStream
from handlers.portal.archives import ArchiveError, ArchiveLimits, read_members, read_small
from handlers.portal.errors import HttpError
from handlers.portal.portal import UseCaseServices

REQUEST = "keyshift-request"
"""The metadata that names the request which wrote an object, so that a repeat knows it as its own."""
ROUNDS = 3
_UNREADABLE = (yaml.YAMLError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""Errors that the members of an archive may cause, such as endless nesting."""
_MANIFEST, _CONFIG, _SHAPE = "export_artifacts/manifest.json", "config.yaml", "mochi.json"


@contextmanager
def opened(services: UseCaseServices, objects: ObjectStreams, uri: str, field: str) -> Iterator[ObjectReader]:
    """The bytes that a URI of either layout means; 409 where there are none.

    An object that moves between the answer and the read is looked for again.
    """
    reason = ""
    for _ in range(ROUNDS):
        path = services.resolve(uri)
        reason = path.reason
        if path.location is None:
            break
        opening = objects.open_object(path.location)
        if opening is not None:
            with opening as reader:
                yield reader
            return
    why = reason or "it moved while it was looked for"
    raise HttpError(409, f"{field} leads to no object: {why}; see docs/portal/troubleshooting.md", field=field)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What packaging needs of a trained model."""

    model_graph: Mapping[str, Any]
    folder: str
    input_shape: Any
    model_file: str
    image_width: int
    image_height: int

    def manifest(self) -> bytes:
        """The component's ``manifest.json``."""
        document = {
            "model_graph": self.model_graph,
            "compilable_models": [
                {
                    "filename": self.model_file,
                    "data_input_config": {"input": self.input_shape},
                    "framework": "PYTORCH",
                }
            ],
            "dataset": {"image_width": self.image_width, "image_height": self.image_height},
        }
        return json.dumps(document, indent=2).encode()


def read_trained_model(source: ObjectReader, limits: ArchiveLimits) -> TrainedModel:
    """Read a trained model's description; raises ArchiveError that says what is missing."""
    texts: dict[str, bytes] = {}
    model_file = ""
    for member, body in read_members(source, limits):
        if member.name in (_MANIFEST, _CONFIG):
            texts[member.name] = read_small(body, member.name)
        elif member.name.startswith("export_artifacts/") and member.name.endswith(".pt"):
            model_file = model_file or member.name.removeprefix("export_artifacts/")
    for name, there in ((_CONFIG, _CONFIG in texts), (_MANIFEST, _MANIFEST in texts), ("*.pt", bool(model_file))):
        if not there:
            raise ArchiveError(f"The trained model has no {name}")
    try:
        config, manifest = yaml.safe_load(texts[_CONFIG]), json.loads(texts[_MANIFEST])
        graph = manifest["model_graph"]
        stage = graph["stages"][0]
        width, height = (int(config["dataset"][name]) for name in ("image_width", "image_height"))
        folder = str(stage["type"])
        shape = manifest.get("input_shape") or stage["input_shape"]
    except _UNREADABLE as error:
        raise ArchiveError(f"The trained model's {_CONFIG} or {_MANIFEST} lacks something: {error!r}") from error
    if not folder.isidentifier():
        raise ArchiveError(f"The trained model's first stage has the type {folder!r}, which is not a valid folder name")
    return TrainedModel(graph, folder, shape, model_file, width, height)


def repackage_for_neo(source: ObjectReader, objects: ObjectStreams, target: Location, limits: ArchiveLimits) -> str:
    """Write the bare ``.pt`` as a ``tar.gz`` that Neo takes, unless it is there; DataInputConfig as JSON text."""
    shape: bytes | None = None
    found = False
    with objects.new_object(target, metadata={}, content_type="application/gzip") as sink:
        archive = TarStream(sink)
        for member, body in read_members(source, limits):
            if member.name == _SHAPE:
                shape = read_small(body, member.name)
            elif member.name.endswith(".pt") and not found:
                found = True
                archive.add_member(member.name.rsplit("/", maxsplit=1)[-1], member, body)
        archive.close()
        if not found or shape is None:
            raise ArchiveError(f"The trained model has no {'.pt file' if not found else _SHAPE}")
        config = _input_config(shape)
        _require_written(sink.finish(), target)
    return config


def _input_config(text: bytes) -> str:
    try:
        return json.dumps({"input_shape": json.loads(text)["stages"][0]["input_shape"]})
    except _UNREADABLE as error:
        raise ArchiveError(f"The trained model's {_SHAPE} names no input shape: {error!r}") from error


@dataclass(frozen=True, slots=True)
class ComponentObject:
    """Where a component zip is written; ``request`` marks the object as this request's."""

    objects: ObjectStreams
    location: Location
    request: str

    def is_there(self) -> bool:
        """Whether an earlier try of this request wrote the object."""
        return (self.objects.read_metadata(self.location) or {}).get(REQUEST) == self.request


def write_component(
    source: ObjectReader, component: ComponentObject, *, model: TrainedModel, limits: ArchiveLimits
) -> None:
    """Pack a compiled model as a component zip; a repeat of the same request finds its own.

    Raises HttpError 409 when another writer's object is at the key.
    """
    target, metadata = component.location, {REQUEST: component.request}
    with component.objects.new_object(target, metadata=metadata, content_type="application/zip") as sink:
        archive = ZipStream(sink)
        archive.add_bytes("manifest.json", model.manifest())
        for member, body in read_members(source, limits):
            archive.add_member(f"{model.folder}/{member.name}", member, body)
        archive.close()
        written = sink.finish()
        if written is Refused.PRECONDITION and not component.is_there():
            raise HttpError(409, f"There is another object at {target.key}, which is never overwritten")
        _require_written(written, target)


def _require_written(written: object, target: Location) -> None:
    if written is Refused.CONCURRENT:
        raise HttpError(409, f"Another request is writing {target.key}: try again")
