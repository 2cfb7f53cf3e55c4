"""Names of SageMaker jobs and of deployments: within SageMaker's rules, whatever the model is called."""

import re
from datetime import UTC, datetime
from hashlib import sha256

from domain.portal.layout import LONGEST_JOB
from domain.portal.targets import PLATFORMS, Target

_DIGEST = 8
_NAMELESS = "model"


def digest_of(*texts: str) -> str:
    """One digest (hexadecimal SHA-256) of several texts, in which their borders count."""
    return sha256("\0".join(f"{len(text)}:{text}" for text in texts).encode("utf-8", "surrogatepass")).hexdigest()


def safe_name(name: str, longest: int) -> str:
    """A model's name in A-Z, a-z, 0-9 and single hyphens; ``model`` where nothing of it can stay."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or _NAMELESS
    return words[:longest].strip("-") or _NAMELESS


def training_job_name(model_name: str, *, now: float, training_id: str) -> str:
    """``{model}-{digest}-{date}-{time}``; the digest of name and training keeps two requests of a second apart.

    Use cases of one account share SageMaker's names, and their users choose their keys: the training's id tells them
    apart, a key alone does not.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return _joined(model_name, f"{digest_of(model_name, training_id)[:_DIGEST]}-{moment}")


def compilation_job_name(model_name: str, target: Target, *, now: float, training_id: str, token: str) -> str:
    """``{model}-{digest}-{target}-{time}``: the target in its short form, so that the rules know it by the name."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S")
    digest = digest_of(model_name, training_id, target.value, token)[:_DIGEST]
    return _joined(model_name, f"{digest}-{PLATFORMS[target].short}-{moment}")


def deployment_name(training_id: str, target: Target, token: str) -> str:
    """``model-{12 hexadecimal digits}``, the same for the same request."""
    return f"model-{digest_of(training_id, target.value, token)[:12]}"


def training_id_of(use_case_id: str, user_id: str, token: str) -> str:
    """The id of the record that a request with this token makes, in the form of a UUID."""
    digest = digest_of("training", use_case_id, user_id, token)
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def _joined(model_name: str, tail: str) -> str:
    return f"{safe_name(model_name, LONGEST_JOB - len(tail) - 1)}-{tail}"
