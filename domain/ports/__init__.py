"""What the domain asks of the world; each docstring is the contract that every adapter and fake is tested against.

Every method may raise a ThrottledError, a LeaseExpiredError or a PermanentError (nothing happened, and nothing of it
is still on its way), or an UnavailableError (the effect may have happened, or may still happen). Calls that change
S3 are therefore sent once: what an SDK's own retry hides, the caller could not tell apart. Expected answers are values.
"""

from domain.ports.auditing import BookedEvent, ChainHead, Deferred, EventBook, SegmentArchive, StoredSegment
from domain.ports.ledger import (
    NO_HISTORY,
    BackfillJournal,
    ClaimAnswer,
    Clock,
    ControlPanel,
    Manifest,
    ProgressCounters,
)
from domain.ports.messaging import EventBus, Message, MessageQueue
from domain.ports.objects import (
    Deleted,
    HiddenVersion,
    MultipartStore,
    ObjectListing,
    ObjectStore,
    Refused,
    SourceObject,
    TargetObject,
    Written,
)
from domain.ports.operations import (
    ByteReader,
    Capture,
    KeyBook,
    LiveCapture,
    PinFinder,
    ProbeBook,
    ReferenceFinder,
    StageBook,
    VersionStore,
)
from domain.ports.steering import (
    DeadLetter,
    DeadLetterQueue,
    EventSourceMappings,
    MoveTask,
    PulseBook,
    RateLedger,
)

__all__ = [
    "NO_HISTORY",
    "BackfillJournal",
    "BookedEvent",
    "ByteReader",
    "Capture",
    "ChainHead",
    "ClaimAnswer",
    "Clock",
    "ControlPanel",
    "DeadLetter",
    "DeadLetterQueue",
    "Deferred",
    "Deleted",
    "EventBook",
    "EventBus",
    "EventSourceMappings",
    "HiddenVersion",
    "KeyBook",
    "LiveCapture",
    "Manifest",
    "Message",
    "MessageQueue",
    "MoveTask",
    "MultipartStore",
    "ObjectListing",
    "ObjectStore",
    "PinFinder",
    "ProbeBook",
    "ProgressCounters",
    "PulseBook",
    "RateLedger",
    "ReferenceFinder",
    "Refused",
    "SegmentArchive",
    "SourceObject",
    "StageBook",
    "StoredSegment",
    "TargetObject",
    "VersionStore",
    "Written",
]
