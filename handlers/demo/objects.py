"""The objects of the demo's producers: the portal's legacy layouts, with keys as awkward as real ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from domain.protocol.parts import MIB

LARGE_BYTES = 11 * MIB + 123
"""Above the demo's multipart threshold: three parts of the minimum size that S3 allows."""

AWKWARD_NAMES = (
    "with space.bin",
    "plus+sign.bin",
    "percent%.bin",
    "encoded%2Fslash.bin",
    "hash#mark.bin",
    "file?versionId=x",
    'quote\'s "double".bin',
    "new\nline.bin",
    "tab\tand\x01control.bin",
    "emoji-🏭.bin",
    "combining-e\u0301.bin",
    "composed-\u00e9.bin",
    "back\\slash.bin",
    "ampersand&less<more>.bin",
    "semi;colon=equals.bin",
    "trailing space ",
    "~tilde!star*.bin",
)


@dataclass(frozen=True, slots=True)
class ProducedObject:
    """One object as its producer writes it; the bytes are ``content``, or follow from ``seed`` and ``size``."""

    size: int
    seed: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    cache_control: str | None = None
    in_parts: bool = False
    content: bytes | None = None

    def body(self) -> bytes:
        """The bytes."""
        if self.content is not None:
            return self.content
        block = sha256(str(self.seed).encode()).digest() * 128
        return (block * (self.size // len(block) + 1))[: self.size]


def object_of(content: bytes, *, content_type: str = "application/gzip") -> ProducedObject:
    """An object of which the bytes are given."""
    return ProducedObject(len(content), 0, content_type=content_type, content=content)


def new_object(random: Random, *, large: bool = False) -> ProducedObject:
    """An object with unique bytes, metadata, tags and headers."""
    seed = random.getrandbits(64)
    return ProducedObject(
        size=LARGE_BYTES if large else random.choice((0, 1, 17, 900, 1024, 2048, 5000)),
        seed=seed,
        metadata={"line": f"line-{seed % 7}", "note": "a b+c%20"} if seed % 3 else {},
        tags={"cost center": "vision + co", "line": str(seed % 7)} if seed % 4 == 0 else {},
        content_type=random.choice(("application/gzip", "image/jpeg", "application/octet-stream")),
        cache_control="max-age=60" if seed % 5 == 0 else None,
        in_parts=large,
    )


def legacy_keys(random: Random, count: int) -> Iterator[str]:
    """``count`` different keys in the portal's legacy layouts, the awkward ones first."""
    yield from _awkward_keys()
    given = len(list(_awkward_keys()))
    for number in range(max(0, count - given)):
        job = f"cookie-{20251211000000 + number}"
        uuid12 = f"{random.getrandbits(48):012x}"
        yield random.choice(
            (
                f"datasets//training-output/{job}/output/model.tar.gz",
                f"datasets/line-{number % 9}/training-output/{job}/output/model.tar.gz",
                f"training-output/{job}/checkpoints/step-{number}.ckpt",
                f"datasets//compilation-output/{job}/model-jetson-xavier.tar.gz",
                f"datasets//compilation-output/{job}/model-x86_64_cpu.tar.gz",
                f"datasets/compilation-output/cookie-arm64-cpu-{20251211000000 + number}/output/model.tar.gz",
                f"model_artifacts/model-{uuid12}/{uuid12}_greengrass_model_component.zip",
                f"datasets/batch-{number % 13}/image {number}.jpg",
                f"datasets/raw/line-{number % 5}/already-{number}.png",
            )
        )


def _awkward_keys() -> Iterator[str]:
    for name in AWKWARD_NAMES:
        yield f"datasets//training-output/awkward/output/{name}"
    yield "datasets//training-output/long/" + "n" * (1_024 - len("datasets//training-output/long/"))
    yield "/training-output/leading-slash/output/model.tar.gz"
    yield "notes/no rule maps this.txt"
