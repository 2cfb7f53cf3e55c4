"""The platforms that a model is compiled for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """A compilation target, in the portal's words."""

    JETSON_XAVIER = "jetson-xavier"
    X86_64_CPU = "x86_64-cpu"
    X86_64_CUDA = "x86_64-cuda"
    ARM64_CPU = "arm64-cpu"


@dataclass(frozen=True, slots=True)
class Platform:
    """What a target is to SageMaker Neo and to Greengrass.

    ``short`` is the target in a compilation job's name; ``architecture`` is Greengrass's word, the others are
    SageMaker's (TargetPlatformArch, TargetPlatformAccelerator). ``compiler_options`` is JSON text.
    """

    short: str
    arch: str
    architecture: str
    local_server: str
    accelerator: str | None = None
    compiler_options: str | None = None


_ARM, _AMD = "aws.edgeml.dda.LocalServer.arm64", "aws.edgeml.dda.LocalServer.amd64"
_JETSON_OPTIONS = (
    '{"cuda-ver": "10.2", "gpu-code": "sm_72", "trt-ver": "8.2.1", "max-workspace-size": "2147483648", '
    '"precision-mode": "fp16", "jetson-platform": "xavier"}'
)
_CUDA_OPTIONS = (
    '{"cuda-ver": "10.2", "gpu-code": "sm_75", "trt-ver": "8.2.1", "max-workspace-size": "2147483648", '
    '"precision-mode": "fp16"}'
)
PLATFORMS: Mapping[Target, Platform] = {
    Target.JETSON_XAVIER: Platform("jetson", "ARM64", "aarch64", _ARM, "NVIDIA", _JETSON_OPTIONS),
    Target.X86_64_CPU: Platform("x86cpu", "X86_64", "amd64", _AMD),
    Target.X86_64_CUDA: Platform("x86cuda", "X86_64", "amd64", _AMD, "NVIDIA", _CUDA_OPTIONS),
    Target.ARM64_CPU: Platform("arm64cpu", "ARM64", "aarch64", _ARM),
}
