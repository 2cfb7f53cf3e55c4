"""Holders of the URI of an object that moves: references, which can be rewritten, and pins, which cannot."""

from dataclasses import dataclass

from domain.keys import Location


@dataclass(frozen=True, slots=True)
class Reference:
    """One place that holds ``uri``, the URI of ``source`` (a legacy object) in its old form.

    ``holder`` names the item or manifest object (``table training-jobs training_id=…``, ``s3://…/a.manifest``),
    ``path`` the place in it (``compilation_jobs[0].compiled_model_s3``, ``line 17 source-ref``).
    """

    holder: str
    path: str
    uri: str
    source: Location


@dataclass(frozen=True, slots=True)
class Pin:
    """A holder that cannot be edited (a published component, a SageMaker model); its ``source`` must stay where it is.

    ``remedy`` names what must be republished first.
    """

    holder: str
    uri: str
    source: Location
    remedy: str
