"""CloudFormation's AWS::Events::Archive, whose API the emulator has and whose resource type it lacks."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

ARCHIVE = "AWS::Events::Archive"
_SAME = ("Description", "EventPattern", "RetentionDays")


def install_archives(eventbridge: Any) -> None:
    """Teach the emulator's CloudFormation the type, by its own EventBridge."""
    provisioners = import_module("ministack.services.cloudformation.provisioners")
    handlers = provisioners._RESOURCE_HANDLERS

    def create(logical_id: str, properties: Mapping[str, Any], stack: str) -> tuple[str, dict[str, str]]:
        name = str(properties.get("ArchiveName") or f"{stack}-{logical_id}"[:48])
        wanted = {"ArchiveName": name, "EventSourceArn": properties["SourceArn"]}
        wanted |= {field: properties[field] for field in _SAME if field in properties}
        status, _, body = eventbridge._create_archive(wanted)
        if status != 200:
            raise ValueError(f"{ARCHIVE} create failed: {body!r}")
        return name, {"ArchiveName": name, "Arn": eventbridge._archives[name]["ArchiveArn"]}

    def delete(physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG001  # the emulator's two
        if physical_id in eventbridge._archives:
            eventbridge._delete_archive({"ArchiveName": physical_id})

    handlers.setdefault(ARCHIVE, {"create": create, "delete": delete})
