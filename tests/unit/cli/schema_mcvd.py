# SPDX-License-Identifier: Apache-2.0
"""A socket that answers whatever the API describes, with the smallest document that its schema allows.

For commands of which only the request matters: that it is made, and that its body is as described.
"""
import re

from fake_mcvd import API, CONNECT_STRING, Answer, FakeMcvd, operation

# Tried in this order where a schema has a pattern.
WORDS = ("x1", "A-17", "vm1-0", "52:54:00:00:00:01", "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555@41", "a" * 64, "10.77.0.11", "/srv/x", CONNECT_STRING)
# Without it nothing further would be asked.
WANTED = {"suitable": True}


def smallest(schema):
    schema = API.resolve(schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema:
        alternatives = [API.resolve(one) for one in schema["oneOf"]]
        return None if {"type": "null"} in alternatives else smallest(alternatives[-1])  # the first one is a plan's
    if "type" not in schema:
        return None
    types = schema["type"]
    kind = types if isinstance(types, str) else ("null" if "null" in types else types[0])
    if kind == "object":
        return {key: WANTED[key] if key in WANTED else smallest(schema["properties"][key]) for key in schema.get("required", [])}
    if kind == "array":
        return [smallest(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        fitting = (word for word in WORDS if re.search(schema.get("pattern", ""), word) and len(word) >= schema.get("minLength", 0))
        return next(fitting)
    return {"boolean": False, "null": None, "integer": schema.get("minimum", 0), "number": schema.get("minimum", 0)}[kind]


class SchemaMcvd(FakeMcvd):
    def __init__(self, path):
        super().__init__(path, {})

    @staticmethod
    def beside_the_plan(described):
        """What the answer to a dry run needs besides: most have the plan alone."""
        schema = described["responses"]["200"]["content"]["application/json"]["schema"]
        return {} if not API.errors(schema, {"plan": []}) else smallest(schema)

    def next_answer(self, method, target):
        found = API.find(method, target)
        if found is None:
            return super().next_answer(method, target)  # noted as a violation already
        template, described = found
        if template.endswith("/events"):
            return Answer(events=[operation("succeeded", result={"volumes": []})])
        if "101" in described["responses"]:
            return Answer(raw=b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\n")
        if "dry_run=true" in target:
            # A route that knows no dry run would act: that is for the test to see.
            known = any(API.resolve(parameter)["name"] == "dry_run" for parameter in described.get("parameters", []))
            if not known:
                self.violations.append(f"{method} {template} knows no dry run")
            return Answer(body={**self.beside_the_plan(described), "plan": []})
        body = self.requests[-1][2] or {}
        status = "202" if "202" in described["responses"] and not body.get("check_only") else "200"
        return Answer(int(status), smallest(described["responses"][status]["content"]["application/json"]["schema"]))
