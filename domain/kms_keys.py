"""Which KMS key a copy gets where the source's key cannot or shall not be used at the target."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from domain.objects import NO_TEXT, Encryption, ObjectState

_ARN = "arn:"


@dataclass(frozen=True, slots=True)
class KeyMap:
    """``pairs`` maps an old key, by its ARN or its id, to the ARN of the copies' key.

    A key without a pair stays the copy's key too.
    """

    pairs: Mapping[str, str] = field(default_factory=lambda: NO_TEXT)

    def as_copied(self, source: ObjectState) -> ObjectState:
        """The source with the encryption that its copy shall have; the algorithm and the bucket key stay."""
        key = source.encryption.kms_key_id
        new = self.copy_key(key) if source.encryption.is_kms and key is not None else None
        return source if new is None else _under(source, new)

    def as_original(self, target: ObjectState, source_key: str | None) -> ObjectState:
        """The target with the encryption that it shall have when it is copied back.

        ``source_key`` is the source's key as a verification saw it: empty where the copy has the same key, ``None``
        where nothing was seen. Then the only old key of the target's key counts.
        """
        encryption = target.encryption
        if not encryption.is_kms:
            return target
        if source_key is None:
            olds = [old for old, new in self.pairs.items() if new == encryption.kms_key_id]
            source_key = olds[0] if len(olds) == 1 else ""
        return _under(target, source_key) if source_key else target

    def copy_key(self, key: str) -> str | None:
        """The ARN of the key of copies whose sources are under ``key``; ``None`` where that is ``key`` itself."""
        if key in self.pairs:
            return self.pairs[key]
        return next((new for old, new in self.pairs.items() if is_same_key(old, key)), None)


def is_same_key(one: str, other: str) -> bool:
    """Whether an ARN or id of a KMS key names the same key as another; two ARNs are compared as a whole."""
    if one.startswith(_ARN) and other.startswith(_ARN):
        return one == other
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def region_of(key: str) -> str:
    """The region in a key's ARN; empty for an id."""
    return key.split(":")[3] if key.startswith(_ARN) else ""


def account_of(key: str) -> str:
    """The 12-digit account in a key's ARN; empty for an id."""
    return key.split(":")[4] if key.startswith(_ARN) else ""


def _under(seen: ObjectState, key: str) -> ObjectState:
    return replace(seen, encryption=Encryption(seen.encryption.algorithm, key, seen.encryption.bucket_key))


NO_KEYS = KeyMap()
"""Every copy gets the key of its source."""
