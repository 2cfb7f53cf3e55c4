"""Wires the ports of the portal's functions."""

from adapters.aws.clients import AwsClients
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.local.clock import SystemClock
from adapters.portal.components import GreengrassComponentService
from adapters.portal.jobs import SageMakerJobService
from adapters.portal.object_streams import S3ObjectStreams
from adapters.portal.tables import DynamoDbTrainingBook, DynamoDbUseCaseBook
from adapters.portal.workplaces import StsWorkplaces
from adapters.s3.object_store import S3ObjectStore
from domain.portal.ports import PortalPorts, Workplace
from domain.portal.records import PortalTables
from handlers.bootstrap.process import Process


def portal_ports(process: Process, tables: PortalTables) -> PortalPorts:
    """The portal's tables and accounts, and the migration's manifest; nothing is sent yet."""
    clients, owners = process.clients, process.owners
    clock = SystemClock()

    def workplace(entered: AwsClients) -> Workplace:
        return Workplace(
            SageMakerJobService(entered),
            GreengrassComponentService(entered),
            S3ObjectStreams(entered, owners=owners),
        )

    return PortalPorts(
        trainings=DynamoDbTrainingBook(clients, tables),
        use_cases=DynamoDbUseCaseBook(clients, tables),
        workplaces=StsWorkplaces(clients, make=workplace, clock=clock),
        clock=clock,
        manifest=DynamoDbManifest(clients, process.table),
        store=S3ObjectStore(clients, owners=owners),
        stages=DynamoDbStageBook(clients, process.table),
    )
