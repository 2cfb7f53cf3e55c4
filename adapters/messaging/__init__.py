"""SQS, EventBridge and Lambda's event source mappings."""
