"""Which keys S3 refuses."""

from adapters.standin.wire import Answer, s3_error

MAXIMUM_KEY_BYTES = 1024


def key_refusal(key: str) -> Answer | None:
    """Over 1,024 bytes of UTF-8, or ``..`` climbing above the start (S3 User Guide, object-keys).

    The second error's code is unverified: AWS documents the refusal, not its code.
    """
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > MAXIMUM_KEY_BYTES:
        return s3_error(
            "KeyTooLongError", "Your key is too long", 400, Size=str(size), MaxSizeAllowed=str(MAXIMUM_KEY_BYTES)
        )
    if ".." in key and _climbs(key):
        return s3_error("InvalidURI", "Couldn't parse the specified URI.", 400, URI=key)
    return None


def _climbs(key: str) -> bool:
    depth = 0
    for segment in key.split("/"):
        if segment == "..":
            depth -= 1
        elif segment not in {"", "."}:
            depth += 1
        if depth < 0:
            return True
    return False
