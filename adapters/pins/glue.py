"""Glue's tables and partitions: a query reads what lies below the locations that they name."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from domain.references.pins import HeldUri


class GlueTables:
    """UriHolder on the Glue Data Catalog of one account and region."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.client_of("glue")

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port; an Iceberg table also names its current metadata file.

        Lake Formation leaves out what the caller may not describe, without an error (AWS Lake Formation, permissions).
        """
        for database in self._pages("get_databases", "DatabaseList"):
            for table in self._pages("get_tables", "TableList", DatabaseName=database["Name"]):
                yield from self._of_table(database["Name"], table)

    def _of_table(self, database: str, table: Mapping[str, Any]) -> Iterator[HeldUri]:
        name = f"{database}.{table['Name']}"
        yield from _location(f"Glue table {name}", table, f"set the location of {name} to the new folder")
        metadata = table.get("Parameters", {}).get("metadata_location")
        if metadata:
            yield HeldUri(f"Glue table {name}", metadata, f"register {name} with metadata of the new layout")
        if not table.get("PartitionKeys"):
            return
        found = self._pages(
            "get_partitions", "Partitions", DatabaseName=database, TableName=table["Name"], ExcludeColumnSchema=True
        )
        for partition in found:
            values = "/".join(partition.get("Values", ()))
            remedy = f"set the location of this partition of {name} to the new folder"
            yield from _location(f"Glue table {name}, partition {values}", partition, remedy)

    def _pages(self, method: str, field: str, **given: Any) -> Iterator[Mapping[str, Any]]:
        with translated(method, "the Glue Data Catalog"):
            for page in self._client.get_paginator(method).paginate(**given):
                yield from page.get(field, [])


def _location(holder: str, described: Mapping[str, Any], remedy: str) -> Iterator[HeldUri]:
    location = described.get("StorageDescriptor", {}).get("Location")
    if location:
        yield HeldUri(holder, location, remedy, is_folder=True)
