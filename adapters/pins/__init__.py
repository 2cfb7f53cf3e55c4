"""What cannot be edited and holds old URIs: Greengrass components, SageMaker models."""
