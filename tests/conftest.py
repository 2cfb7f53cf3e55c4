"""Fixtures that every suite may use."""

from tests.servers import moto_endpoint, seaweedfs, standin, standin_process

__all__ = ["moto_endpoint", "seaweedfs", "standin", "standin_process"]
