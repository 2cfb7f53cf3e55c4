"""A Lambda function on the stand-in, with event source mappings of queues of its own."""

import io
import zipfile

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_queue
from tests.servers import new_name


def new_function(clients: AwsClients, *enabled: bool) -> tuple[str, list[str]]:
    """Its name, and the id of one mapping for each of ``enabled``."""
    name = new_name("function")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "def handler(event, context):\n    return {}\n")
    clients.functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    arns = [create_queue(clients, new_name("q")).arn for _ in enabled]
    made = [
        clients.functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, Enabled=is_enabled)
        for arn, is_enabled in zip(arns, enabled, strict=True)
    ]
    return name, [one["UUID"] for one in made]
