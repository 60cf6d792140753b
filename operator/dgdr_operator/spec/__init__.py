"""Reads a DynamoGraphDeploymentRequest of either version, or says everything that is wrong with it."""

from dgdr_operator.spec.read import read

__all__ = ["read"]
