# SPDX-License-Identifier: Apache-2.0
"""What `hvctl ... -o json` prints on real nodes is what config/openapi.json says: the same bodies as the API's."""

import json
import sys

from .lab import TOP

sys.path.insert(0, str(TOP / "tests" / "unit" / "cli"))
from openapi import Api  # noqa: E402

API = Api()
# The longest that fits; None stands for one name.
LOOKS = {
    ("info",): "/v1/info",
    ("node", "list"): "/v1/nodes",
    ("vm", "list"): "/v1/vms",
    ("vm", "info", None): "/v1/vms/{name}",
    ("drbd", "list"): "/v1/drbd",
    ("storage", "list"): "/v1/storage",
    ("storage", "list-snapshots"): "/v1/snapshots",
    ("storage", "list-quarantined"): "/v1/quarantine",
    ("network", "list"): "/v1/networks",
    ("op", "list"): "/v1/operations",
    ("op", "show", None): "/v1/operations/{id}",
    ("cluster", "diverged"): "/v1/cluster/diverged",
    ("verify", "--history"): "/v1/verify/history",
}


def schema_of(words, answer):
    """The schema that `answer` must have, None where a command has a body of its own."""
    words = [word for word in words if word not in ("-o", "json", "--json")]
    if "--dry-run" in words:
        return {"$ref": "#/components/schemas/Plan"}
    if set(answer) == {"operation"}:
        return {"type": "object", "properties": {"operation": {"$ref": "#/components/schemas/Operation"}}}
    for look, path in LOOKS.items():
        if len(words) == len(look) and all(want in (None, have) for want, have in zip(look, words)):
            return API.document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return None


def check(words, answer):
    """Raises AssertionError with what is wrong."""
    schema = schema_of(list(words), answer) if isinstance(answer, dict) else None
    wrong = API.errors(schema, answer) if schema else []
    assert not wrong, f"hvctl {' '.join(words)} -o json: {'; '.join(wrong[:5])}: {json.dumps(answer)[:2000]}"
    return answer
