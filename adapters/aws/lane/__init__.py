"""The lean lane: hot calls signed, sent and read with little else; the unusual is botocore's (docs/design/lane.md)."""
