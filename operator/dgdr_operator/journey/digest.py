"""One hash over everything a plan depends on: equal hashes, equal plans."""

import hashlib
import json
from dataclasses import asdict, replace

from dgdr_operator.inventory import Inventory
from dgdr_operator.request import DeploymentRequest, Identity
from dgdr_operator.settings import Settings


def input_hash(request: DeploymentRequest, inventory: Inventory | None, data_version: str, settings: Settings) -> str:
    """SHA-256 in hexadecimal; cheap, so it can be asked before planning.

    uid and generation are left out: a request deleted and written again asks the same question.
    """
    asked = asdict(request)
    asked["identity"] = {"name": request.identity.name, "namespace": request.identity.namespace}
    parts = {
        "request": asked,
        "inventory": inventory.hash if inventory else None,
        "data": data_version,
        "settings": asdict(settings),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def question_hash(
    request: DeploymentRequest, inventory: Inventory | None, data_version: str, settings: Settings
) -> str:
    """The same over everything but names: equal hashes, equal solutions."""
    nobody = replace(request, identity=Identity(name=""))
    return input_hash(nobody, inventory, data_version, settings)
