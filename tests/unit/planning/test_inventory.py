"""What is believed of an inventory's manifest, and what is refused."""

import json

import pytest

from domain.errors import InputError
from domain.planning.inventory import column_name, read_inventory_manifest

MANIFEST = {
    "sourceBucket": "src",
    "destinationBucket": "arn:aws:s3:::dst",
    "version": "2016-11-30",
    "creationTimestamp": "1514944800000",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag, IsMultipartUploaded",
    "files": [{"key": "p/data/1.csv.gz", "size": 7, "MD5checksum": "ABC"}],
}


def test_columns_have_one_spelling_whatever_the_format() -> None:
    """CSV's, ORC's and Parquet's schema texts of one report name the same columns."""
    csv = read_inventory_manifest(json.dumps(MANIFEST), name="m")
    orc = {"fileFormat": "ORC", "fileSchema": "struct<bucket:string,key:string,is_latest:boolean,e_tag:string>"}
    parquet = {
        "fileFormat": "Parquet",
        "fileSchema": "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); "
        "optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); optional int64 size; }",
    }
    assert csv.columns[:2] + csv.columns[-2:] == ("bucket", "key", "e_tag", "is_multipart_uploaded")
    assert ("is_latest" in csv.columns, csv.has_encoded_keys, csv.created_at) == (True, True, 1514944800.0)
    assert (csv.destination_bucket, csv.files[0].md5) == ("dst", "abc")
    read = read_inventory_manifest(json.dumps(MANIFEST | orc), name="m")
    assert read.columns == ("bucket", "key", "is_latest", "e_tag")
    assert not read.has_encoded_keys
    other = read_inventory_manifest(json.dumps(MANIFEST | parquet), name="m")
    assert other.columns == ("bucket", "key", "last_modified_date", "size")
    assert column_name(" ETag") == "e_tag"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fileFormat": "Avro"}, "'Avro' is not one of CSV, ORC, Parquet"),
        ({"files": []}, "lists no data files"),
        ({"fileSchema": "Bucket, Size"}, "no column 'key'"),
        ({"fileSchema": "Bucket, Key, Size, Key"}, "names the column 'key' twice"),
        ({"files": [{"key": "a"}]}, "'size' is missing"),
        ({"files": [{"key": "a", "size": "many", "MD5checksum": ""}]}, "not a valid inventory manifest"),
        ({"files": 7}, "not a valid inventory manifest"),
        ({"creationTimestamp": None}, "not a valid inventory manifest"),
    ],
)
def test_a_wrong_manifest_is_named(changes: dict[str, object], says: str) -> None:
    """One sentence with the file's name and what is wrong."""
    with pytest.raises(InputError, match=r"^m\.json") as caught:
        read_inventory_manifest(json.dumps(MANIFEST | changes), name="m.json")
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_what_is_no_json_object_is_no_manifest(text: str) -> None:
    """Whatever it is, the answer is a sentence."""
    with pytest.raises(InputError, match=r"^m is not a valid inventory manifest"):
        read_inventory_manifest(text, name="m")
