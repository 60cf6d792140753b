"""What `helm test` runs in a pod: the controller is ready, and the cluster takes a request (dry run: none is made)."""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REQUEST = {
    "apiVersion": "nvidia.com/v1beta1",
    "kind": "DynamoGraphDeploymentRequest",
    "metadata": {"name": "helm-test"},
    "spec": {"model": "Qwen/Qwen3-32B-FP8", "autoApply": False},
}


def call(path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 -- JSON is anything
    """The API server's answer to a GET, or to a POST of *body*; ends the test with its words if it refuses."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"https://{host}:{port}{path}", json.dumps(body).encode() if body else None, headers)
    trust = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    try:
        with urllib.request.urlopen(asked, context=trust) as answer:  # noqa: S310 -- the API server's own address
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"FAILED {path}: {json.load(error).get('message')}")


namespace, name = os.environ["RELEASE_NAMESPACE"], os.environ["DEPLOYMENT"]
status = call(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}").get("status", {})
if not status.get("readyReplicas"):
    sys.exit(f"FAILED: no ready replica of {namespace}/{name}: {json.dumps(status.get('conditions'))}")
sys.stdout.write(f"ready: {namespace}/{name}\n")

requests = f"/apis/nvidia.com/v1beta1/namespaces/{os.environ['REQUEST_NAMESPACE']}/dynamographdeploymentrequests"
call(f"{requests}?dryRun=All", REQUEST)
sys.stdout.write(f"taken: a request in {os.environ['REQUEST_NAMESPACE']}\n")
