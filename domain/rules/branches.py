"""One source template of a rule with its target, and the legacy keys that may have become a new one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from domain.rules.template_filters import Effort, Filter
from domain.rules.templates import Kind, Template

MAX_REVERSE = 64
"""Maximum of legacy keys that are listed for one target key, and of texts that are tried for a dropped name."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One ``from`` of a rule with the rule's ``to``."""

    rule: str
    source: Template
    target: Template

    @property
    def dropped(self) -> tuple[str, ...]:
        """The names that ``to`` does not use."""
        return tuple(name for name in self.source.names if name not in self.target.names)


def sources_of(branch: Branch, target: str, effort: Effort) -> Iterator[str]:
    """Possible sources that ``branch`` maps to ``target``, not proven; raises TooManyParsesError."""
    kinds = branch.source.kinds
    filters = branch.target.filters
    words = [_words(kinds[name]) for name in branch.dropped]
    if any(len(options) > MAX_REVERSE for options in words):
        return
    for captures in branch.target.parses(target, effort):
        names = [*branch.dropped, *filters]
        origins = [_origins(kinds[name], chosen, captures[name], effort) for name, chosen in filters.items()]
        for choice in product(*words, *origins):
            source = branch.source.render({**captures, **dict(zip(names, choice, strict=True))})
            effort.spend(len(source))
            yield source


@lru_cache(maxsize=256)
def _words(kind: Kind) -> tuple[str, ...]:
    """The kind's texts, at most one more than are tried: to count them for every key would take far too long."""
    return tuple(kind.dfa.texts(MAX_REVERSE + 1))


def _origins(kind: Kind, chosen: Filter, text: str, effort: Effort) -> list[str]:
    """The kind's texts that the filter turns into ``text``; empty where there are too many to try."""
    tried = list(islice(chosen.origins(text, kind.dfa, effort), 64 * MAX_REVERSE))
    return tried if len(tried) < 64 * MAX_REVERSE else []
