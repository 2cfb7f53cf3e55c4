"""Delete the target under a claim, where its producer deleted the source (protocol.md §5, §12)."""

from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import Deleted, ObjectStore, Refused


def delete_target(held: HeldRecord, store: ObjectStore, *, etag: str) -> bool:
    """Delete the target if it has this etag; ``False`` where both keys must be read again."""
    target = held.record.target
    held.declare_intent(Intent(Action.DELETE_TARGET))
    answer = held.send(lambda: store.delete_object(target, if_match=etag, send_before=held.lease.send_before))

    def is_absent() -> bool:
        # Some servers refuse the condition when the key is absent (SeaweedFS: 412).
        return answer is Refused.SOURCE_ABSENT or store.look_at_object(target) is None

    # keyshift saw the object, and its own delete, sent twice, may have removed it. The delete stays unsettled until
    # that is known.
    is_gone = isinstance(answer, Deleted) or held.ask_if_done(is_absent)
    return is_gone and answer is not Refused.PRECONDITION
