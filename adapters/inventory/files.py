"""An inventory's files, local or in S3: each is checked by its MD5 before it is read, and ORC becomes Parquet."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import md5
from pathlib import Path, PurePosixPath

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.inventory.orc_conversion import write_as_parquet
from adapters.s3.requests import ABSENT
from domain.errors import InputError
from domain.planning.inventory import Inventory, InventoryFile, read_inventory_manifest

_CHUNK = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalInventory:
    """An inventory whose data files are on this machine, in the manifest's order."""

    inventory: Inventory
    paths: Mapping[str, Path]


@contextmanager
def opened_inventory(
    place: str, clients: AwsClients | None, *, only: str | None = None, folder: Path | None = None
) -> Iterator[LocalInventory]:
    """The inventory whose ``manifest.json`` is at ``place`` (a path or an s3:// URI), every file verified.

    ``only`` is the key of the one data file to fetch, or empty for the manifest alone. Raises InputError naming
    the file that is missing, truncated or altered.
    """
    local = None if place.startswith("s3://") else _local(Path(place), only)
    if local is not None and local.inventory.file_format != "ORC":
        yield local
        return
    temporary = Path(tempfile.mkdtemp(prefix="keyshift-inventory-", dir=folder))
    try:
        yield _readable(local or _downloaded(place, clients, temporary, only), temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _readable(local: LocalInventory, folder: Path) -> LocalInventory:
    """The same inventory in a format whose reader survives damaged files; copies in ``folder`` are replaced."""
    if local.inventory.file_format != "ORC":
        return local
    paths = {}
    for number, (key, path) in enumerate(local.paths.items()):
        paths[key] = folder / f"{number}.parquet" / path.name
        paths[key].parent.mkdir()
        write_as_parquet(path, paths[key])
        if path.is_relative_to(folder):
            path.unlink()
    return LocalInventory(replace(local.inventory, file_format="Parquet"), paths)


def _wanted(inventory: Inventory, only: str | None) -> list[InventoryFile]:
    return [file for file in inventory.files if only is None or file.key == only]


def _local(path: Path, only: str | None) -> LocalInventory:
    manifest = path / "manifest.json" if path.is_dir() else path
    inventory = _verified_manifest(manifest, str(manifest))
    paths = {}
    for one in _wanted(inventory, only):
        paths[one.key] = _find(one, manifest.parent)
        _verify(one, paths[one.key])
    return LocalInventory(inventory, paths)


def _verified_manifest(manifest: Path, name: str) -> Inventory:
    try:
        text = manifest.read_bytes()
        checksum = manifest.with_name("manifest.checksum").read_text().strip().lower()
    except OSError as error:
        hint = "; S3 writes manifest.checksum last, without it the report is not complete" if manifest.exists() else ""
        raise InputError(f"{name} cannot be read: {error.strerror} ({error.filename}){hint}") from error
    if md5(text, usedforsecurity=False).hexdigest() != checksum:
        raise InputError(f"{name} does not match its manifest.checksum: fetch both again")
    try:
        return read_inventory_manifest(text.decode(), name=name)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8") from error


def _find(one: InventoryFile, beside: Path) -> Path:
    """The path of a data file: in S3's layout, or beside the manifest."""
    name = PurePosixPath(one.key).name
    for candidate in (beside / name, beside / "data" / name, beside.parent / "data" / name):
        if candidate.is_file():
            return candidate
    raise InputError(f"the inventory's data file {one.key} is missing: expected {beside.parent / 'data' / name}")


def _verify(one: InventoryFile, path: Path) -> None:
    size = path.stat().st_size
    if size != one.size:
        raise InputError(f"{path} has {size} bytes, the manifest says {one.size}: it is truncated or altered")
    digest = _digest(path)
    if digest != one.md5:
        raise InputError(f"{path} has the MD5 {digest}, the manifest says {one.md5}: fetch it again")


def content_file(path: Path) -> InventoryFile:
    """A file of this machine as a manifest would name it."""
    return InventoryFile(path.name, path.stat().st_size, _digest(path))


def _digest(path: Path) -> str:
    digest = md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _downloaded(place: str, clients: AwsClients | None, folder: Path, only: str | None) -> LocalInventory:
    if clients is None:
        raise InputError(f"{place}: no AWS access is configured")
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not bucket or not PurePosixPath(key).name:
        raise InputError(f"{place} names no object: write s3://BUCKET/PREFIX/DATE/manifest.json")
    for name in ("manifest.json", "manifest.checksum"):
        _download(clients, bucket, str(PurePosixPath(key).with_name(name)), folder / name)
    inventory = _verified_manifest(folder / "manifest.json", place)
    paths = {}
    for number, one in enumerate(_wanted(inventory, only)):
        paths[one.key] = path = folder / f"{number}-{PurePosixPath(one.key).name}"
        _download(clients, inventory.destination_bucket, one.key, path)
        _verify(one, path)
    return LocalInventory(inventory, paths)


def _download(clients: AwsClients, bucket: str, key: str, path: Path) -> None:
    with translated("GetObject", f"s3://{bucket}/{key}"), path.open("wb") as file:
        try:
            answer = clients.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) not in ABSENT:
                raise
            raise InputError(f"s3://{bucket}/{key} is not there: give the manifest.json of a whole report") from error
        shutil.copyfileobj(answer["Body"], file, _CHUNK)
