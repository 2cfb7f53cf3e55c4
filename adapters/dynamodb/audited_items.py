"""The audited items beside the records: items of the manifest table."""

from collections.abc import Iterator

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, text
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.item_ids import is_audited
from adapters.dynamodb.item_table import ItemTable
from adapters.dynamodb.reference_items import entry_of_item
from adapters.dynamodb.stage import DynamoDbStageBook
from domain.audit.item_events import CONTROL_ID, JOURNAL_ID, STAGE_ID
from domain.audit.ports import Deferred
from domain.rules.references import Item


class DynamoDbAuditedItems:
    """AuditedItems on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._clients = clients
        self._table = table

    def list_items(self) -> Iterator[Deferred]:
        """See the port; an entry of the journal is listed even when none of its references is left to restore."""
        control = DynamoDbControlPanel(self._clients, self._table).read_control()
        yield Deferred(CONTROL_ID, "the control item", control.fence, "", control.changed_at)
        stage = DynamoDbStageBook(self._clients, self._table).read_stage()
        yield Deferred(STAGE_ID, "the stage", stage.revision, "", stage.changed_at)
        entries = ItemTable(self._clients, self._table).scan_items(
            FilterExpression="begins_with(#pk, :journal)",
            ExpressionAttributeNames={"#pk": PARTITION_KEY},
            ExpressionAttributeValues={":journal": text(JOURNAL_ID)},
        )
        yield from map(_state_of, entries)

    def has_item(self, item_id: str) -> bool:
        """See the port."""
        return is_audited(item_id) and bool(ItemTable(self._clients, self._table).read_item(item_id))


def _state_of(item: Item) -> Deferred:
    """The state of an entry; one that cannot be read counts as set back: the chain is further than its revision 0."""
    item_id = str(item[PARTITION_KEY]["S"])
    try:
        entry = entry_of_item(item)
    except (KeyError, TypeError, ValueError):
        return Deferred(item_id, f"the damaged entry {item_id}", 0, "", 0.0)
    return Deferred(item_id, f"the references of an item of {entry.table}", entry.revision, "", entry.written_at)
