"""The ``references`` of a rules file: read with the rest of it, every mistake with its place."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from domain.keys import BUCKET_NAME
from domain.rules.paths import Path, PathError, read_path
from domain.rules.references import Accepted, AttributePath, ManifestReferences, References, TableReferences
from domain.rules.template_syntax import TemplateError, parse_source
from domain.rules.templates import Kind, Template
from handlers.config.yaml_places import Path as Place

Blame = Callable[[Place, str], None]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _as_mapping(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def as_list(value: object) -> object:
    """A list of the value if it is one text."""
    return [value] if isinstance(value, str) else value


_Bucket = Annotated[str, StringConstraints(pattern=f"^{BUCKET_NAME}$")]
_Texts = Annotated[list[str], Field(min_length=1), BeforeValidator(as_list)]


class AttributeModel(_Model):
    """One place, as ``path`` or with details of how to read it."""

    path: str
    json_path: str | None = Field(default=None, alias="json")
    bucket: _Bucket | None = None


class AcceptedModel(_Model):
    """Texts that are not references, although they name the bucket."""

    text: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]


class ReferenceModel(_Model):
    """One entry: a table or manifests."""

    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] | None = None
    key: _Texts = []
    attributes: Annotated[list[Annotated[AttributeModel, BeforeValidator(_as_mapping)]], Field(min_length=1)]
    indexes: dict[str, str] = {}
    manifests: _Texts = []
    accept: list[AcceptedModel] = []


def compile_references(entries: Sequence[ReferenceModel], kinds: Mapping[str, Kind], blame: Blame) -> References:
    """The declarations; each mistake is reported at its place."""
    tables: list[TableReferences] = []
    manifests: list[ManifestReferences] = []
    for at, entry in enumerate(entries):
        place: Place = ("references", at)
        attributes = _attributes(entry, place, blame)
        if (entry.table is None) == (not entry.manifests):
            blame(place, "use either 'table' (with 'key') or 'manifests'")
        elif entry.table is not None:
            if not entry.key:
                blame(place, "'key' is missing: the attributes of the table's key, partition key first")
            elif len(entry.key) > 2:
                blame((*place, "key"), "a table has at most a partition key and a sort key")
            if any(table.table == entry.table for table in tables):
                blame(
                    (*place, "table"),
                    f"the table '{entry.table}' is declared twice; list all its attributes under one entry",
                )
            _check_keys(entry, attributes, place, blame)
            tables.append(TableReferences(entry.table, tuple(entry.key), tuple(attributes), dict(entry.indexes)))
        else:
            templates = [
                _template(text, kinds, (*place, "manifests", n), blame) for n, text in enumerate(entry.manifests)
            ]
            if entry.key or entry.indexes:
                blame(place, "'key' and 'indexes' belong to a table, not to manifests")
            found = tuple(template for template in templates if template is not None)
            manifests.append(ManifestReferences(found, tuple(attributes)))
    return References(tuple(tables), tuple(manifests))


def _attributes(entry: ReferenceModel, place: Place, blame: Blame) -> list[AttributePath]:
    found: list[AttributePath] = []
    accept = tuple(Accepted(one.text, one.why) for one in entry.accept)
    for at, one in enumerate(accept):
        if not one.text.strip("* "):
            blame((*place, "accept", at, "text"), "it would accept every text; add text before or after it")
    for at, model in enumerate(entry.attributes):
        here: Place = (*place, "attributes", at)
        path = _path(model.path, here, blame)
        inside = _path(model.json_path, (*here, "json"), blame) if model.json_path is not None else None
        if entry.manifests and model.json_path is not None:
            blame((*here, "json"), "a line of a manifest is already JSON; write the whole path as 'path'")
        if path is not None:
            text = model.path + (f":{model.json_path}" if model.json_path is not None else "")
            found.append(AttributePath(text, path, inside, model.bucket, accept))
    return found


def _check_keys(entry: ReferenceModel, attributes: Sequence[AttributePath], place: Place, blame: Blame) -> None:
    for at, attribute in enumerate(attributes):
        if attribute.path[0].name in entry.key:
            blame((*place, "attributes", at), "a key of the table cannot be rewritten: DynamoDB items keep their key")


def _path(text: str, place: Place, blame: Blame) -> Path | None:
    try:
        return read_path(text)
    except PathError as error:
        blame(place, str(error))
        return None


def _template(text: str, kinds: Mapping[str, Kind], place: Place, blame: Blame) -> Template | None:
    try:
        return parse_source(text, dict(kinds))
    except TemplateError as error:
        blame(place, str(error))
        return None
