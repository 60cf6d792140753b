"""From a DynamoGraphDeploymentRequest to a DynamoGraphDeployment: one journey, and two doorways into it."""

__version__ = "0.1.0"  # the one place: the distribution takes its version from here
