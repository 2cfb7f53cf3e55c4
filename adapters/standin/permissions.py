"""IAM actions as AWS names them: a batch call of SQS is allowed by the permission of the single one."""

from importlib import import_module
from typing import Any

_SINGLE = {f"sqs:{name}Batch": f"sqs:{name}" for name in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}


def install_permissions() -> None:
    """Correct the emulator, which asks for ``sqs:SendMessageBatch`` when it checks permissions; AWS has no such one."""
    actions: Any = import_module("ministack.core.iam_actions")
    extract = actions.extract_iam_action

    def named(*arguments: Any, **options: Any) -> Any:
        action = extract(*arguments, **options)
        return _SINGLE.get(action, action)

    actions.extract_iam_action = named
