"""The one way from a request's dict to a DeploymentRequest."""

from dgdr_operator.request import DeploymentRequest


def read(body: object) -> DeploymentRequest:
    """The request that *body* (an object as JSON or YAML gives it) describes; milliseconds and MiB become SI here.

    Raises InvalidSpec with every problem found, and nothing else, whatever *body* is.
    """
    raise NotImplementedError
