"""DynamoDB: the manifest table and what shares it, its stream, the tables of references."""
