"""Models as the portal's SageMaker jobs write them, small."""

import io
import json
import tarfile
from collections.abc import Mapping

_STAGE = {"input_shape": [1, 3, 480, 640]}
TRAINED: Mapping[str, bytes] = {
    "config.yaml": b"dataset:\n  image_width: 640\n  image_height: 480\n",
    "mochi.json": json.dumps({"stages": [_STAGE]}).encode(),
    "export_artifacts/manifest.json": json.dumps(
        {"model_graph": {"stages": [{"type": "classifier", **_STAGE}]}}
    ).encode(),
    "export_artifacts/network.pt": b"weights" * 100,
}
COMPILED: Mapping[str, bytes] = {"compiled.so": b"code" * 50, "compiled_model.json": b"{}"}


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    """An archive of files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def trained_model(mark: str) -> bytes:
    """A trained model with unique weights, and so with unique bytes."""
    return tar_gz({**TRAINED, "export_artifacts/network.pt": f"weights of {mark}".encode() * 40})


def compiled_model(mark: str) -> bytes:
    """A compiled model with code of its own."""
    return tar_gz({**COMPILED, "compiled.so": f"code of {mark}".encode() * 40})
