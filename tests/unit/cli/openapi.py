# SPDX-License-Identifier: Apache-2.0
"""config/openapi.json as tests read it: lookup of routes, and as much of JSON Schema as the file uses."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
TYPES = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}
KEYWORDS = {
    "$ref", "type", "description", "properties", "required", "additionalProperties", "items", "enum", "const", "oneOf", "pattern", "minLength", "maxLength",
    "minimum", "maximum", "minItems", "maxItems", "minProperties",
}


class Api:
    def __init__(self, path=ROOT / "config" / "openapi.json"):
        self.document = json.loads(path.read_text())

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def operations(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def find(self, method, target):
        """(template, operation) of a request target, or None."""
        path = target.split("?")[0]
        for known_method, template, operation in self.operations():
            pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in template.split("/"))
            if known_method == method and re.fullmatch(pattern, path):
                return template, operation
        return None

    def body_schema(self, operation):
        body = operation.get("requestBody")
        return body and self.resolve(body)["content"]["application/json"]["schema"]

    def errors(self, schema, value, where="$"):
        """What is wrong with `value`, as texts."""
        schema = self.resolve(schema)
        found = []
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(is_type(value, name) for name in types):
            return [f"{where}: {value!r} is not {' or '.join(types)}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is none of {schema['enum']}")
        if "const" in schema and value != schema["const"]:
            found.append(f"{where}: {value!r} is not {schema['const']!r}")
        if "oneOf" in schema:
            fits = [one for one in schema["oneOf"] if not self.errors(one, value, where)]
            if len(fits) != 1:
                found.append(f"{where}: fits {len(fits)} of {len(schema['oneOf'])} alternatives")
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                found.append(f"{where}: {value!r} does not match {schema['pattern']}")
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                found.append(f"{where}: has {len(value)} characters")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                found.append(f"{where}: {value} is out of range")
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                found.append(f"{where}: has {len(value)} items")
            for index, item in enumerate(value):
                found += self.errors(schema.get("items", {}), item, f"{where}[{index}]")
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            if len(value) < schema.get("minProperties", 0):
                found.append(f"{where}: is empty")
            found += [f"{where}: lacks {key}" for key in schema.get("required", []) if key not in value]
            extra = schema.get("additionalProperties", True)
            for key, item in value.items():
                if key in properties:
                    found += self.errors(properties[key], item, f"{where}.{key}")
                elif extra is False:
                    found.append(f"{where}: does not know {key}")
                elif isinstance(extra, dict):
                    found += self.errors(extra, item, f"{where}.{key}")
        return found


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])
