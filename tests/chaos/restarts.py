"""A campaign on SeaweedFS, a server that we did not write, which is ended and started again in the middle."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

from adapters.aws.clients import AwsClients
from adapters.demo.producers_bucket import S3ProducersBucket
from adapters.demo.provisioning import create_bucket
from domain.keys import Location
from domain.objects import ObjectState
from domain.queues import MessageQueue
from handlers.bootstrap import bootstrap
from handlers.bootstrap.process import Process
from handlers.config.rules_file import load_rules
from handlers.demo.actors import Auditor, Producers
from handlers.demo.checker import ProducersBook
from handlers.demo.wiring import demo_world, make_live
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.chaos.campaign import Figures, Say, Size, come_to_an_end, settle, storm, write_all
from tests.chaos.crew import Crew, Tormentor
from tests.chaos.on_call import somebody_on_call
from tests.chaos.proxy import FaultProxy
from tests.servers import REGION, SeaweedFs, Server

BUCKET = "restarted"
RULES = f"""
version: 1
migration: restarts
source: {{bucket: {BUCKET}}}
target: {{bucket: {BUCKET}}}
rules:
  - {{name: move, from: "old/{{rest...}}", to: "new/{{rest...}}"}}
"""


class NoticedBucket:
    """An owner's bucket whose server sends no events: a row is enqueued after each write.

    A delete cannot be told from a row, so these owners never delete.
    """

    def __init__(self, bucket: S3ProducersBucket, queue: MessageQueue) -> None:
        self._bucket = bucket
        self._queue = queue

    def put_object(  # noqa: D102  # see ProducersBucket
        self,
        location: Location,
        *,
        body: bytes,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
        content_type: str,
        cache_control: str | None = None,
        in_parts: bool = False,
    ) -> None:
        self._bucket.put_object(
            location,
            body=body,
            metadata=metadata,
            tags=tags,
            content_type=content_type,
            cache_control=cache_control,
            in_parts=in_parts,
        )
        (message,) = encode_backfill([BackfillRow(key=location.key)], migration="restarts", bucket=location.bucket)
        self._queue.send_messages([message])

    def delete_object(self, location: Location) -> None:  # noqa: D102  # see the class
        raise NotImplementedError(location.uri)

    def read_object(self, location: Location) -> tuple[bytes, ObjectState] | None:  # noqa: D102  # see ProducersBucket
        return self._bucket.read_object(location)


class Writers(Producers):
    """Producers that only write; one that meets a server on its way down writes again, since it cannot know."""

    def _delete(self, key: str) -> None:
        self._write(key, Random(key))


def _clients(server: Server) -> AwsClients:
    return AwsClients(
        endpoint_url=server.endpoint_url,
        region=REGION,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
    )


def run_on_seaweedfs(size: Size, say: Say) -> Figures:  # noqa: PLR0915  # one story, told in order
    """Objects on SeaweedFS behind the proxy, queues and table on the stand-in; owners rest during restarts."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="keyshift-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        rules_file = folder / "rules.yaml"
        rules_file.write_text(RULES, encoding="utf-8")
        weed = SeaweedFs(str(folder))
        proxy = FaultProxy(weed.server.endpoint_url, seed=size.seed)
        with (
            demo_world(load_rules(rules_file), rules_file) as stage,
            somebody_on_call(stage.settings) as on_call,
        ):
            make_live(Process(stage.settings).clients, stage.settings.table)
            keys = {"AWS_ACCESS_KEY_ID": weed.server.access_key, "AWS_SECRET_ACCESS_KEY": weed.server.secret_key}
            os.environ.update(keys)
            dependencies = bootstrap(Process(stage.settings), function="chaos")
            clients = _clients(weed.server)
            bucket = NoticedBucket(S3ProducersBucket(clients), dependencies.backfill_queue)
            crew = Crew({**stage.environment, **keys, "AWS_ENDPOINT_URL_S3": proxy.endpoint_url}, folder, size.workers)
            auditor, ledger = Auditor(stage.audit_queue), ProducersBook()
            tormentor = Tormentor(crew, seed=size.seed, pause=size.torment_pause)
            legacy = [f"old/part {number % 7}/{number}+é.bin" for number in range(size.objects)]
            try:
                auditor.start()
                rounds = size.outages + 1
                with storm(proxy, size, say):
                    for number in range(rounds):
                        with weed.running():
                            if number == 0:
                                create_bucket(clients, BUCKET)
                                crew.fill()
                                tormentor.start()
                            begun = time.monotonic()
                            mine = legacy[number::rounds]
                            dice = Random(f"{size.seed}/{number}")
                            write_all(bucket, BUCKET, mine, large=set(mine[:1]), book=ledger, random=dice)
                            owners = Writers(bucket, BUCKET, ledger, pause=0.1)
                            owners.start(mine[1:], threads=2, seed=size.seed + number)
                            time.sleep(max(5.0, size.storm_seconds / rounds - (time.monotonic() - begun)))
                            owners.stop()
                            figures.wrong += [repr(error) for error in owners.failures]
                        say(f"SeaweedFS was ended while {len(crew.processes)} workers used it")
                        figures.deeds["restarts"] += number > 0
                    tormentor.stop()
                say("the storm is over")
                with weed.running():
                    figures.wrong += come_to_an_end(dependencies, auditor, size, figures)
                    settle(figures, stage, ledger, dependencies.ports.manifest, bucket=bucket)
            finally:
                tormentor.stop()
                crew.stop()
                auditor.stop()
                proxy.close()
            figures.wrong += [*crew.fallen(), *(repr(error) for error in (*auditor.failures, *on_call.failures))]
            figures.deeds += tormentor.deeds + proxy.happened + Counter({"breaker resumed": on_call.resumed})
            figures.audit_events = len(auditor.event_ids)
    return figures
