"""Everything that the manifest table holds, by the id of the item.

A record's id is the SHA-256 of its bucket and key (``Location.record_id``); every other id has a ``#``.
"""

from domain.audit.item_events import CONTROL_ID, JOURNAL_ID, STAGE_ID

SINGLE_AUDITED_IDS = (CONTROL_ID, STAGE_ID)
"""The operator's control and the stage of the migration; each of their changes is an audit event that names the id."""
AUDITED_PREFIX = JOURNAL_ID
"""The rewritten references of one item of a referring table, followed by a SHA-256; changes are audit events too."""
CHAIN_ID = "keyshift#chain"
"""The newest link of the audit chain without a shard. With ``#SHARD`` after it: that of the shard's chain."""
CHAINS_ID = "keyshift#chains"
"""The head of heads: an attribute for each chain that is not handed on, named by its shard."""
POSITION_ID = "keyshift#stream"
"""How far the table's stream is read outside Lambda, and by which process."""
PROGRESS_ID = "keyshift#progress"
"""The figures of the whole migration."""
TOTAL_ID = "keyshift#total"
"""The number of objects that the backfill has to move."""
BATCH_PREFIX = "keyshift#batch#"
"""A batch of the stream that is included in the figures; it expires after a day."""
HISTORY_ID = "keyshift#history"
"""The hours that have figures. With ``#seconds#start`` after it: those of one hour, or of one minute (7 days)."""
PULSE_ID = "keyshift#pulse"
"""The failures of the newest window, for the circuit breaker."""
RATE_PREFIX = "keyshift#rate#"
"""The moment up to which a shared rate is reserved."""
PROBE_PREFIX = "keyshift#probe#"
"""A probe of live capture that has arrived, followed by its key; it expires after a day."""
RUN_PREFIX = "keyshift#run#"
"""The newest run of a stage's work. With ``#RUN#SLICE`` after it: one slice, with ``#PART`` part of its results."""
BACKFILL_PREFIX = "backfill#"
"""How many rows of an inventory's data file are enqueued; it expires after 60 days."""


def is_record_id(item_id: str) -> bool:
    """Whether the id is a record's."""
    return "#" not in item_id


def is_audited(item_id: str) -> bool:
    """Whether the changes of this item, which is not a record, are audit events."""
    return item_id in SINGLE_AUDITED_IDS or item_id.startswith(AUDITED_PREFIX)
