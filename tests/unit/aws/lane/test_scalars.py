"""Dates are read as botocore reads them."""

from typing import Any

import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.lane.scalars import read_timestamp

TEXTS = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")


@given(value=TEXTS | st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='seconds')}Z"))
def test_a_date_of_a_listing_is_read_as_botocore_reads_it(value: str) -> None:
    """To the millisecond, in UTC."""
    found = read_timestamp(value)
    assert found == parse_timestamp(value)
    assert found.utcoffset() == parse_timestamp(value).utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        0,
        1761031680,
        1761031680.25,
        "1761031680",
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "2026-10-21",
        "2026-10-21T07:28:00+02:00",
    ],
)
def test_any_other_date_is_botocores(value: Any) -> None:
    """Numbers, dates of headers, and other zones."""
    assert read_timestamp(value) == parse_timestamp(value)


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-41T00:00:00Z"])
def test_what_is_not_a_date_is_refused_as_botocore_refuses_it(value: str) -> None:
    """A ValueError, which botocore knows."""
    with pytest.raises(ValueError, match=r"Invalid timestamp|month must be"):
        parse_timestamp(value)
    with pytest.raises(ValueError, match=r"Invalid timestamp|month must be"):
        read_timestamp(value)


def test_clients_read_dates_that_way() -> None:
    """The parser of a client's answers has it."""
    from adapters.aws.clients import AwsClients

    clients = AwsClients(region="us-east-1", access_key_id="a", secret_access_key="b")
    client: Any = clients.s3
    parser = client._endpoint._response_parser_factory.create_parser("rest-xml")
    assert parser._timestamp_parser is read_timestamp
