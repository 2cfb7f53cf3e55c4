"""Reads a rules file: YAML to compiled rules; every mistake has its file, line and column."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.errors import RulesError
from domain.keys import MAX_KEY_BYTES, key_fault
from domain.rules.branches import Branch
from domain.rules.compiled import Allowed, BucketSide, CompiledRules
from domain.rules.references import PinPlace
from domain.rules.restoring import RestoreRule, RestoreTier
from domain.rules.template_syntax import TemplateError, parse_source, parse_target, read_kind
from domain.rules.templates import Kind, Template, kind_of_words
from handlers.config.rules_encryption import compile_kms_keys
from handlers.config.rules_model import RulesFile
from handlers.config.rules_references import compile_references
from handlers.config.yaml_places import Path as Place
from handlers.config.yaml_places import PlacedYaml, read_yaml

_OF_A_SIDE = {"bucket", "prefix", "expected_owner", "region", "requester_pays"}


def load_rules(path: Path | str) -> CompiledRules:
    """Read the rules file at ``path``; raises RulesError with one mistake a line."""
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RulesError(f"{path}: not UTF-8 at byte {error.start + 1}; save the file as UTF-8") from None
    except OSError as error:
        raise RulesError(f"{path}: cannot be read ({error.strerror}); give the path of a rules file") from None
    return read_rules(text, name=str(path))


def read_rules(text: str, *, name: str = "rules") -> CompiledRules:
    """Read rules from YAML ``text``; ``name`` stands before line and column. Raises RulesError."""
    placed = read_yaml(text, name)
    try:
        file = RulesFile.model_validate(placed.value)
    except ValidationError as error:
        raise RulesError("\n".join(placed.say(*_mistake(one)) for one in error.errors())) from None
    return _Compiler(file, placed).compile()


def _mistake(error: Any) -> tuple[Place, str]:
    """Place and sentence of one mistake that pydantic found."""
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    last = place[-1] if place else "the file"
    match error["type"]:
        case "extra_forbidden":
            return place, f"'{last}' is not known here; correct or remove it"
        case "missing":
            return place[:-1], f"'{last}' is missing"
        case "string_type":
            return place, f"'{last}' must be a text; write it in quotes"
        case "string_pattern_mismatch":
            return place, f"'{error['input']}' does not have the form {error['ctx']['pattern']}"
        case "model_type" | "model_attributes_type":
            return place, f"{last if place else 'the file'} must hold names and values (name: value), see docs/rules.md"
        case "value_error":
            return place, str(error["ctx"]["error"])
        case _:
            return place, f"'{last}': {error['msg'][:1].lower()}{error['msg'][1:]}"


class _Compiler:
    """Compiles a file of the right form, and collects the mistakes in its content."""

    def __init__(self, file: RulesFile, placed: PlacedYaml) -> None:
        self._file = file
        self._placed = placed
        self._mistakes: list[str] = []

    def compile(self) -> CompiledRules:
        file = self._file
        kinds = self._kinds()
        branches = self._branches(kinds)
        keep = [self._source(text, kinds, ("keep", at), file.source.prefix) for at, text in enumerate(file.keep)]
        self._check_allow()
        self._check_pin_places()
        self._check_versions()
        kms_keys = compile_kms_keys(file, self._blame)
        references = compile_references(file.references, kinds, self._blame)
        if self._mistakes:
            raise RulesError("\n".join(dict.fromkeys(self._mistakes)))
        return CompiledRules(
            migration=file.migration,
            source=BucketSide(**file.source.model_dump(include=_OF_A_SIDE)),
            target=BucketSide(**file.target.model_dump()),
            branches=tuple(branches),
            keep=tuple(template for template in keep if template is not None),
            unmapped=file.unmapped,
            deletes=file.deletes,
            allow=tuple(Allowed(**entry.model_dump()) for entry in file.allow),
            references=references,
            pins=tuple(file.pins),
            pin_places=tuple(PinPlace(**place.model_dump()) for place in file.pin_places),
            promised_storage_class=file.source.storage_class,
            promised_plain=file.source.encryption is not None and file.source.object_lock is not None,
            promised_unannotated=file.source.annotations is not None,
            digest=_digest(file),
            unversioned_source=file.cleanup.unversioned_source,
            accepted_tables=tuple(file.cleanup.lake_tables),
            single_events=file.audit.events == "single",
            kms_keys=kms_keys,
            restore=_restore_rule(file),
            grants_full_control=file.acl != "none",
            follows_late_changes=file.late_changes == "follow",
            carries_versions=file.versions == "all",
        )

    def _blame(self, place: Place, message: str) -> None:
        self._mistakes.append(self._placed.say(place, message))

    def _kinds(self) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        written = self._placed.value["kinds"] if self._file.kinds else {}
        for name, texts in self._file.kinds.items():
            try:
                kinds[name] = kind_of_words(name, texts) if isinstance(written[name], list) else read_kind(texts[0])
            except TemplateError as error:
                self._blame(("kinds", name), str(error))
            if isinstance(written[name], list) and "" in texts:
                self._blame(("kinds", name), "a list of words must not contain an empty one")
        return kinds

    def _branches(self, kinds: dict[str, Kind]) -> list[Branch]:
        branches: list[Branch] = []
        names: set[str] = set()
        for at, rule in enumerate(self._file.rules):
            if rule.name in names:
                self._blame(("rules", at, "name"), f"there are two rules named '{rule.name}'; rename one")
            names.add(rule.name)
            for number, text in enumerate(rule.from_):
                source = self._source(text, kinds, ("rules", at, "from", number), self._file.source.prefix)
                target = self._target(rule.to, source, ("rules", at, "to")) if source is not None else None
                if source is not None and target is not None:
                    branches.append(Branch(rule.name, source, target))
        return branches

    def _source(self, text: str, kinds: dict[str, Kind], place: Place, prefix: str) -> Template | None:
        try:
            template = parse_source(text, kinds)
        except TemplateError as error:
            self._blame(place, str(error))
            return None
        self._check_size(template, prefix, place)
        return template

    def _target(self, text: str, source: Template, place: Place) -> Template | None:
        try:
            template = parse_target(text, source.kinds)
        except TemplateError as error:
            self._blame(place, str(error))
            return None
        self._check_size(template, self._file.target.prefix, place)
        first = template.pieces[0]
        opening = self._file.target.prefix + (first if isinstance(first, str) else "")
        above = opening.rpartition("/")[0]
        if above and len(above) < MAX_KEY_BYTES // 4 and key_fault(above) is not None:
            self._blame(place, "every key that it makes leads above the bucket with '..', which S3 refuses")
        return template

    def _check_size(self, template: Template, prefix: str, place: Place) -> None:
        size = len(prefix.encode()) + template.literal_size
        if size > MAX_KEY_BYTES:
            self._blame(place, f"its literal text alone has {size} bytes, an S3 key at most {MAX_KEY_BYTES}")

    def _check_allow(self) -> None:
        names = {rule.name for rule in self._file.rules} | {"keep"}
        for at, entry in enumerate(self._file.allow):
            for field, name in (("rule", entry.rule), ("other_rule", entry.other_rule)):
                if name is not None and name not in names:
                    self._blame(("allow", at, field), f"there is no rule named '{name}'")

    def _check_versions(self) -> None:
        if self._file.versions == "all" and self._file.deletes == "keep":
            self._blame(("versions",), "it carries delete markers too: write 'deletes: mirror', or 'versions: current'")

    def _check_pin_places(self) -> None:
        if self._file.pin_places and not self._file.pins:
            self._blame(("pin_places",), "no service is searched there: list the services under 'pins'")
        for at, place in enumerate(self._file.pin_places):
            if place.region is None and place.role_arn is None:
                self._blame(("pin_places", at), "a place is another region, another account's role_arn, or both")
            if place.external_id is not None and place.role_arn is None:
                self._blame(("pin_places", at, "external_id"), "it belongs to a role_arn, which is missing")


def _restore_rule(file: RulesFile) -> RestoreRule | None:
    given = file.restore
    return RestoreRule(RestoreTier[given.tier.upper()], given.days, given.at_most) if given is not None else None


def _digest(file: RulesFile) -> str:
    """The digest of everything that decides about keys and objects.

    Reasons, references, pins, cleanup and audit do not count.
    """
    content = file.model_dump(exclude={"allow", "references", "pins", "pin_places", "cleanup", "audit"})
    # A file that does not use what a later version added keeps its digest, so that a running migration goes on.
    if file.source.annotations is None:
        del content["source"]["annotations"]
    if file.encryption is None:
        del content["encryption"]
    if file.acl == "none":
        del content["acl"]
    if file.versions == "current":
        del content["versions"]
    # What is looked at again, or restored before, is decided by its key as before.
    del content["late_changes"], content["restore"]
    # Who pays decides about no key and no object.
    for side in ("source", "target"):
        del content[side]["requester_pays"]
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
