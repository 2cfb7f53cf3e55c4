"""Requests of many entries: those that fail alone, because they are malformed or because a fault says so.

A fault on ``PutEventsEntry`` or ``SendMessageBatchEntry`` spoils single entries of a request that itself succeeds.
"""

import json
from typing import Any

from adapters.standin.emulator import Emulator
from adapters.standin.faults import Fault, FaultPlan

PUT_EVENTS_BYTES = 262_144

Entry = dict[str, Any]


class StrictEntries:
    """PutEvents and SendMessageBatch in front of the emulator's own."""

    def __init__(self, emulator: Emulator, plan: FaultPlan) -> None:
        self._eventbridge = emulator.eventbridge
        self._plan = plan
        self._put_events = emulator.eventbridge._put_events
        self._send_batch = emulator.sqs._act_send_message_batch

    def put_events(self, data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        """Entries in the request's order; an entry that AWS would refuse fails alone, the rest are sent."""
        entries = data.get("Entries", [])
        if sum(map(_size, entries)) > PUT_EVENTS_BYTES:
            message = "Total size of the entries in the request is over the limit."
            return self._eventbridge.error_response_json("ValidationException", message, 400)
        refusals = [self._refusal(entry) for entry in entries]
        sent = [entry for entry, refusal in zip(entries, refusals, strict=True) if refusal is None]
        status, headers, body = self._put_events({**data, "Entries": sent}, allow_aws_source)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        answers = iter(answer["Entries"])
        answer["Entries"] = [next(answers) if refusal is None else refusal for refusal in refusals]
        answer["FailedEntryCount"] = sum("ErrorCode" in one for one in answer["Entries"])
        return self._eventbridge.json_response(answer)

    def send_message_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """Messages that a fault concerns fail alone, through SQS's own fault."""
        entries = data.get("Entries", [])
        spoiled = {str(entry.get("Id")): fault for entry in entries if (fault := self._fault("SendMessageBatchEntry"))}
        sent = [entry for entry in entries if str(entry.get("Id")) not in spoiled]
        if not spoiled or not sent:
            answer = {"Successful": [], "Failed": []} if spoiled else self._send_batch(data, url)
        else:
            answer = self._send_batch({**data, "Entries": sent}, url)
        answer["Failed"] += [
            {"Id": name, "Code": fault.code, "Message": fault.message, "SenderFault": fault.status < 500}
            for name, fault in spoiled.items()
        ]
        return dict(answer)

    def _refusal(self, entry: Entry) -> Entry | None:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
        if not _is_object(entry["Detail"]):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        fault = self._fault("PutEventsEntry")
        return {"ErrorCode": fault.code, "ErrorMessage": fault.message} if fault else None

    def _fault(self, operation: str) -> Fault | None:
        return self._plan.take_exactly(operation) if self._plan else None


def _size(entry: Entry) -> int:
    """What an entry counts for (EventBridge User Guide, event entry size)."""
    texts = [entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", ""), *entry.get("Resources", [])]
    return sum(len(text.encode()) for text in texts if text) + (14 if "Time" in entry else 0)


def _is_object(detail: str) -> bool:
    try:
        return isinstance(json.loads(detail), dict)
    except ValueError:
        return False


def install_entries(emulator: Emulator, plan: FaultPlan) -> None:
    """Put both in front."""
    strict = StrictEntries(emulator, plan)
    emulator.eventbridge._put_events = strict.put_events
    emulator.sqs._act_send_message_batch = strict.send_message_batch
    emulator.sqs._HANDLERS["SendMessageBatch"] = strict.send_message_batch
