"""Wires the world of the demo's portal: its tables beside the migration, and the two simulated services."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.demo import provisioning
from adapters.dynamodb.references import DynamoDbReferences
from adapters.messaging.queue import SqsMessageQueue
from domain.keys import Location
from domain.portal.layout import Layout
from domain.portal.records import PortalTables, UseCase
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.portal import portal_ports
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import resolver_of
from handlers.demo.checker import ProducersBucket
from handlers.demo.cloud import PlayedComponents, PlayedJobs
from handlers.demo.cloud_http import Cloud, running_cloud
from handlers.demo.portal.setup import PortalSetup
from handlers.demo.wiring import demo_world

JOBS_VISIBILITY_SECONDS = 6
ALGORITHM = "arn:aws:sagemaker:us-east-1:865070037744:algorithm/lfv-public"
ROLE = "arn:aws:iam::000000000000:role/SageMakerExecution"


@contextmanager
def portal_demo(rules: CompiledRules, rules_file: Path, *, use_case_id: str) -> Iterator[PortalSetup]:
    """The demo's stand-in with a bucket that keeps versions, as cleanup needs it, and the whole portal.

    This process's environment becomes that of the portal's functions.
    """
    with demo_world(rules, rules_file, versioned=True) as demo:
        process = Process(demo.settings, rules=rules)
        clients = process.clients
        names = PortalTables("training-jobs", "models", "use-cases", "user-roles")
        use_case = UseCase(use_case_id, rules.source_bucket, ROLE)
        provisioning.create_portal_tables(clients, names)
        provisioning.write_use_case(clients, names, use_case)
        jobs = provisioning.create_queue(clients, "keyshift-jobs", visibility=JOBS_VISIBILITY_SECONDS, max_receives=100)
        account = clients.sts.get_caller_identity()["Account"]
        components = PlayedComponents(account, read=lambda uri: bytes_at(demo.producers_bucket, uri))
        cloud = Cloud(components, PlayedJobs(account))
        with running_cloud(cloud) as url:
            os.environ.update(
                {
                    **demo.environment,
                    "AWS_ENDPOINT_URL_SAGEMAKER": url,
                    "AWS_ENDPOINT_URL_GREENGRASSV2": url,
                    "KEYSHIFT_PORTAL_TRAINING_TABLE": names.trainings,
                    "KEYSHIFT_PORTAL_MODELS_TABLE": names.models,
                    "KEYSHIFT_PORTAL_USE_CASES_TABLE": names.use_cases,
                    "KEYSHIFT_PORTAL_USER_ROLES_TABLE": names.user_roles,
                    "KEYSHIFT_PORTAL_ALGORITHM_ARN": ALGORITHM,
                }
            )
            yield PortalSetup(
                demo=demo,
                names=names,
                use_case=use_case,
                tables=DynamoDbReferences(clients, demo.settings.table),
                ports=portal_ports(process, names),
                layout=Layout(rules.target_bucket, rules.target_prefix),
                resolver=lambda: resolver_of(process),
                jobs_queue=SqsMessageQueue(clients, jobs.url),
                cloud=cloud,
            )


def bytes_at(bucket: ProducersBucket, uri: str) -> bytes | None:
    """The bytes at an ``s3://`` URI."""
    name, _, key = uri.removeprefix("s3://").partition("/")
    found = bucket.read_object(Location(name, key))
    return None if found is None else found[0]
