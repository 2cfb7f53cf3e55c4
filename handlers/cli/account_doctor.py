"""``keyshift doctor``: what copies for another account need."""

from collections.abc import Iterator

from domain.errors import AccessDeniedError, RefusedRequestError
from domain.kms_keys import account_of, region_of
from domain.lifecycle.inspection import Inspector
from domain.rules.compiled import CompiledRules
from handlers.cli.finding import Finding

_KEYS, _ACL = "KMS keys", "ACL"
_GRANT = "write `acl: bucket-owner-full-control` into the rules file"
_OK = ("ok", "")


def key_findings(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    """Each pair of the rules file's map, and the keys of the first sources that copies could not or should not have."""
    for old, new in rules.kms_keys.pairs.items():
        yield Finding("ok", _KEYS, f"copies of objects under {old} get {new}")
    for key in sorted(inspector.kms_keys(rules.source_bucket, rules.source_prefix)):
        if rules.kms_keys.copy_key(key) is None:
            yield _unmapped(rules, key, inspector)


def _unmapped(rules: CompiledRules, key: str, inspector: Inspector) -> Finding:
    remedy = f'name the key of their copies in the rules file: encryption: {{map: {{"{key}": "ARN OF A KEY"}}}}'
    region = rules.target.region
    if region is not None and region_of(key) not in ("", region):
        return Finding("fail", _KEYS, f"sources are under {key}, and S3 refuses it in the target's region: {remedy}")
    owner = rules.target.expected_owner or account_of_arn(inspector.identity())
    if account_of(key) not in ("", owner):
        text = f"sources are under {key}, and readers in the target's account {owner} may not be allowed to use it"
        return Finding("warn", _KEYS, f"{text}: {remedy}")
    return Finding("ok", _KEYS, f"sources are under {key}, and so will their copies be")


def ownership_findings(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    """Whether the target bucket's account controls the copies."""
    own = account_of_arn(inspector.identity())
    is_own = inspector.is_of_account(rules.target_bucket, own)
    try:
        ownership = inspector.ownership(rules.target_bucket)
    except (AccessDeniedError, RefusedRequestError) as error:  # also a server that does not know the setting
        yield Finding("warn", _ACL, f"{error}; or ask its account whether ACLs are enabled there, and then {_GRANT}")
        return
    if ownership == "BucketOwnerEnforced" or is_own:
        level, hint = (
            ("warn", ": `acl` in the rules file changes nothing, remove it") if rules.grants_full_control else _OK
        )
        yield Finding(level, _ACL, f"the bucket's account owns every copy ({ownership}){hint}")
    elif not rules.grants_full_control:
        text = f"copies would belong to account {own} ({ownership}), and the bucket's account could not read them"
        yield Finding("warn", _ACL, f"{text}: {_GRANT}, or set BucketOwnerEnforced on the bucket")
    elif ownership == "BucketOwnerPreferred":
        yield Finding("ok", _ACL, f"the bucket's account will own every copy, by its ACL ({ownership})")
    else:
        yield Finding(
            "ok", _ACL, f"the bucket's account gets full control of every copy of account {own} ({ownership})"
        )


def account_of_arn(identity: str) -> str:
    """The account in the ARN of the credentials."""
    return identity.split(":")[4]
