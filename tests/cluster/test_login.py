"""A pod finds the API server by its address, whether or not names resolve."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from dgdr_operator.controller import doorbell


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> kopf.ConnectionInfo:
    """A mounted service account, as kopf reads it."""
    found = kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="a token")  # noqa: S106 -- of no cluster

    def mounted(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 -- whatever kopf passes to a login
        return found

    monkeypatch.setattr(kopf, "login_with_service_account", mounted)
    return found


@pytest.mark.parametrize(
    ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pod_calls_the_address_it_was_given(
    host: str, server: str, account: kopf.ConnectionInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    found = doorbell.login_as_pod()

    assert found is not None
    assert (found.server, found.token) == (server, account.token)


def test_outside_of_a_pod_nobody_logs_in_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: None)

    assert doorbell.login_as_pod() is None
