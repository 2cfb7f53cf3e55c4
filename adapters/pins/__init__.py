"""Published things that cannot be edited and have old URIs: Greengrass components, SageMaker models."""
