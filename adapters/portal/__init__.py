"""What the portal asks of SageMaker, Greengrass, STS, S3 and DynamoDB."""
