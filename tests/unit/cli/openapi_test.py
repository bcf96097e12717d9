# SPDX-License-Identifier: Apache-2.0
"""config/openapi.json is well-formed and strict, knows every error code, and describes every route the command line uses."""
import json
import os
import re
import subprocess
import unittest

from openapi import KEYWORDS, ROOT, Api

API = Api()


def schemas_in(node, where):
    """Every schema object below `node`, which is one."""
    yield node, where
    for name, child in node.get("properties", {}).items():
        yield from schemas_in(child, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from schemas_in(node[key], f"{where}.{key}")
    for index, child in enumerate(node.get("oneOf", [])):
        yield from schemas_in(child, f"{where}.oneOf{index}")


def all_schemas():
    for name, schema in API.document["components"]["schemas"].items():
        yield from schemas_in(schema, name)
    for method, path, operation in API.operations():
        if "requestBody" in operation:
            yield from schemas_in(API.body_schema(operation), f"{method} {path}")


class OpenApi(unittest.TestCase):
    def test_every_reference_leads_somewhere(self):
        for target in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(API.document))):
            API.resolve({"$ref": target})

    def test_every_component_is_used(self):
        text = json.dumps(API.document)
        # Results of operations are named in descriptions: an operation's result has the shape of its kind.
        for kind in ("schemas", "parameters", "responses"):
            for name in API.document["components"][kind]:
                used = f"#/components/{kind}/{name}" in text or re.search(rf"result is {name}\b", text)
                self.assertTrue(used, f"{kind}/{name}")

    def test_schemas_use_only_keywords_that_tests_check(self):
        for schema, where in all_schemas():
            self.assertLessEqual(set(schema), KEYWORDS, where)

    def test_every_object_is_closed(self):
        for schema, where in all_schemas():
            if schema.get("type") == "object":
                self.assertIn("additionalProperties", schema, where)
                self.assertNotEqual(schema["additionalProperties"], True, where)
                self.assertLessEqual(set(schema.get("required", [])), set(schema.get("properties", {})), where)

    def test_every_operation_declares_what_dispatch_needs(self):
        ids = set()
        for method, path, operation in API.operations():
            where = f"{method} {path}"
            self.assertRegex(operation["x-mcv-permission"], r"^[a-z]+\.[a-z-]+$", where)
            self.assertIn(operation["x-mcv-scope"], ("global", "vm", "some"), where)
            self.assertNotIn(operation["operationId"], ids)
            ids.add(operation["operationId"])
            self.assertEqual(operation["responses"]["default"], {"$ref": "#/components/responses/Problem"}, where)
            parameters = [API.resolve(parameter) for parameter in operation.get("parameters", [])]
            in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            self.assertEqual(in_path, set(re.findall(r"\{(\w+)\}", path)), where)
            if method == "GET":
                self.assertFalse(any(parameter["name"] == "dry_run" for parameter in parameters), where)

    def test_error_codes_are_those_of_the_table(self):
        table = (ROOT / "src" / "cluster" / "core" / "error_codes.def").read_text()
        codes = re.findall(r'^MCV_ERROR\(\w+,\s*"([^"]+)"', table, re.MULTILINE)
        self.assertEqual(sorted(API.document["components"]["schemas"]["ErrorCode"]["enum"]), sorted(codes))
        for method, path, operation in API.operations():
            self.assertLessEqual(set(operation.get("x-mcv-errors", [])), set(codes), f"{method} {path}")

    def test_the_daemon_has_these_routes_with_these_permissions(self):
        texts = dict(re.findall(r'^MCV_PERMISSION\((\w+),\s*"([^"]+)"', (ROOT / "src/cluster/access/permissions.def").read_text(), re.MULTILINE))
        table = set()
        for file in sorted((ROOT / "src" / "daemon" / "routes").glob("*_routes.cpp")):
            for method, path, permission, reach in re.findall(r'add\(router, node, "([A-Z]+)", "([^"]+)", Permission::(\w+), Reach::(\w+),', file.read_text()):
                table.add((method, path, texts[permission], "global" if reach == "cluster" else reach))
        self.assertEqual({(method, path, operation["x-mcv-permission"], operation["x-mcv-scope"]) for method, path, operation in API.operations()}, table)

    def test_every_route_of_the_command_line_is_described(self):
        routes = subprocess.run([os.environ["CLI_TABLE"], "routes"], check=True, capture_output=True, text=True).stdout.splitlines()
        described = {f"{method} {path}" for method, path, _ in API.operations()}
        self.assertGreater(len(routes), 20)
        self.assertLessEqual(set(routes), described)

    def test_every_described_route_has_a_command(self):
        routes = subprocess.run([os.environ["CLI_TABLE"], "routes"], check=True, capture_output=True, text=True).stdout.splitlines()
        self.assertEqual({f"{method} {path}" for method, path, _ in API.operations()} - set(routes), set())


if __name__ == "__main__":
    unittest.main()
