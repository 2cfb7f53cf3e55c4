"""DynamoDB: the manifest table and the other items in it, its stream, the tables of references."""
