"""What producers say of their objects beside bytes and metadata, and what they change of it without another write."""

from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from domain.errors import AccessDeniedError
from domain.objects import Encryption, Lock, ObjectState
from tests.fakes.bucket_properties import change_key, restore, set_legal_hold, set_retention
from tests.fakes.buckets import Version
from tests.simulation.whole.draws import CLASSES
from tests.simulation.whole.history import KeyTruth
from tests.simulation.whole.manifests import is_manifest

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

KMS_KEYS = ("arn:aws:kms:eu-west-1:111122223333:key/one", "arn:aws:kms:eu-west-1:111122223333:key/two")
RETAINED = (60.0, 600.0, 5_000.0, 1e7)
"""Seconds: retentions that end while the migration goes on, and such as outlive it."""
ARCHIVED, ENCRYPTED, LOCKED, CHANGES = 0.05, 0.3, 0.3, 0.35


class Properties:
    """Decides by a chance of its own, so that a plan without properties stays what it was."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._random = Random(f"properties of {site.plan.seed}")

    @property
    def _is_bound(self) -> bool:
        """Whether producers keep what the rules file promises of every object."""
        return self._site.plan.promised and not self._site.plan.breaks

    def of_put(self, key: KeyTruth) -> dict[str, Any]:
        """What a producer says of an object that he puts."""
        plan, random = self._site.plan, self._random
        if self._is_bound or (plan.promised and random.random() < 0.5):
            return {}
        is_archived = random.random() < ARCHIVED and not is_manifest(key)
        said: dict[str, Any] = {"storage_class": "GLACIER" if is_archived else random.choice(CLASSES)}
        if random.random() < ENCRYPTED:
            said["encryption"] = Encryption("aws:kms", random.choice(KMS_KEYS))
        if plan.locks and random.random() < LOCKED:
            said["lock"] = Lock(legal_hold=True) if random.random() < 0.5 else self._retention()
        return said

    def _retention(self) -> Lock:
        ends = self._site.store.buckets.now() + self._random.choice(RETAINED)
        mode = self._random.choice(("GOVERNANCE", "COMPLIANCE"))
        return Lock(mode, datetime.fromtimestamp(int(ends), UTC).isoformat())

    def speak(self, key: KeyTruth) -> bool:
        """Change something of an object that is there, now and then instead of a put; whether one was changed."""
        if self._is_bound or self._random.random() >= CHANGES:
            return False
        version = self._some_version(key)
        if version is None:
            return False
        try:
            what = self._change(key, version)
        except AccessDeniedError as denied:
            what = f"may not: {denied}"
        self._site.say("owner", f"{what} {key.source.key} {version.version_id}", len(key.words) - 1)
        self._site.check(key)
        return True

    def _some_version(self, key: KeyTruth) -> Version | None:
        """The current one mostly; a lock can be put on an older one too."""
        buckets = self._site.store.buckets
        current = buckets.current(key.source)
        if self._random.random() < 0.85:
            return current
        known = buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        stored = [one for one in known if one.state is not None]
        return self._random.choice(stored) if stored else None

    def _change(self, key: KeyTruth, version: Version) -> str:
        buckets, random, lock = self._site.store.buckets, self._random, version.state.lock if version.state else Lock()
        if self._site.plan.locks and random.random() < 0.6:
            if random.random() < 0.5:
                set_legal_hold(buckets, key.source, version, on=not lock.legal_hold)
                return "takes a hold off" if lock.legal_hold else "puts a hold on"
            set_retention(buckets, key.source, version, self._retention())
            return "retains"
        if version is not buckets.current(key.source):
            return "looks at"
        change_key(buckets, key.source, version, random.choice(KMS_KEYS))
        return "changes the KMS key of"

    def is_told_plain(self, state: ObjectState) -> bool:
        """Whether an inventory's columns rule out a KMS key and a lock of an object that was so."""
        return not state.encryption.is_kms and state.lock == Lock() and self._random.random() < 0.5

    def restore_some(self) -> None:
        """Somebody restores an archived object, a source or a copy."""
        keys = [key for key in self._site.truth.keys.values() if self._random.random() < 0.5]
        self._restore(keys)

    def restore_all(self) -> None:
        """An operator restores whatever is archived."""
        self._restore(list(self._site.truth.keys.values()))

    def _restore(self, keys: list[KeyTruth]) -> None:
        for key in keys:
            for place in (key.source, key.target):
                version = self._site.store.buckets.current(place)
                if version is not None and restore(self._site.store.buckets, place, version):
                    self._site.say("operator", f"restores {place.key}")
                    self._site.service.object_restored(place)
