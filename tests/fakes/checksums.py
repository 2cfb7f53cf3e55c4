"""Checksums as S3 keeps them: of the whole object, or composed of its parts' checksums."""

import zlib
from base64 import b64encode
from hashlib import sha256

from domain.objects import ObjectState

CRC32, CRC64NVME, SHA256 = "CRC32", "CRC64NVME", "SHA256"


def algorithm_of(state: ObjectState) -> str:
    """The algorithm of the object's checksum."""
    return next(iter(state.checksums), CRC32)


def algorithm_of_upload(seen: ObjectState) -> str:
    """What an upload that copies this object asks for (upload_description): only CRCs can be of the whole object."""
    algorithm = algorithm_of(seen)
    return algorithm if algorithm in (CRC32, CRC64NVME) and (seen.full_checksums or not seen.checksums) else CRC64NVME


def checksum_of(algorithm: str, body: bytes, part_sizes: list[int] | None) -> str:
    """The checksum as HEAD shows it; SHA256 of an object of parts is composed of theirs."""
    if algorithm == CRC32:
        return b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    if algorithm == CRC64NVME:
        return b64encode(sha256(body).digest()[:8]).decode()  # in the place of the CRC, which Python does not have
    if part_sizes is None:
        return b64encode(sha256(body).digest()).decode()
    starts = [sum(part_sizes[:index]) for index in range(len(part_sizes))]
    parts = (sha256(body[start : start + size]).digest() for start, size in zip(starts, part_sizes, strict=True))
    return f"{b64encode(sha256(b''.join(parts)).digest()).decode()}-{len(part_sizes)}"
