"""python -m openapi [--check]: write the services' openapi.json, or only ask whether they are what would be written."""

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TITLES = {
    "service1": "The status of the host, and the log. Text is the default; JSON comes with `Accept: application/json`.",
    "service2": "The status of the host, for service1.",
    "storage": "The log, for the services on the internal network.",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        load(Path(folder))
        old = [name for name in TITLES if not write(name, check)]
    if old:
        sys.exit(f"not what the code says: openapi.json of {', '.join(old)}; ./manage_all.sh schema writes them")


def load(folder: Path) -> None:
    """The code of all services, with `folder` for what its settings make."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "openapi.settings", "DATA_DIR": str(folder), "DJANGO_SECRET_KEY": "none"}
    sys.path[:0] = [str(ROOT / name) for name in TITLES]
    import django

    django.setup()
    import openapi.operations  # noqa: F401


def write(name: str, check: bool) -> bool:
    """Write the document of the service, unless `check`; False if it is not current."""
    file = ROOT / name / name / "openapi.json"
    text = json.dumps(document(name), indent=2, ensure_ascii=False) + "\n"
    if not check:
        file.write_text(text)
    return file.exists() and file.read_text() == text


def document(name: str) -> dict[str, Any]:
    """The valid document of one service; a warning is an error."""
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.validation import validate_schema

    from openapi.parts import TOKENS
    from statuslog import access

    schema: dict[str, Any] = SchemaGenerator(urlconf=f"{name}.urls").get_schema(public=True)
    if GENERATOR_STATS:
        GENERATOR_STATS.emit_summary()
        sys.exit(1)
    schema["info"] |= {"title": f"statuslog {name}", "description": TITLES[name]}
    for operation in schema["paths"].get("/log", {}).values():
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["security"] = [{}] if path in access.OPEN else [{}, *({name: []} for name in TOKENS)]
    schema["components"] = {"schemas": dict(sorted(parts_of(schema["paths"]).items())), "securitySchemes": TOKENS}
    validate_schema(schema)
    return schema


def parts_of(value: Any) -> dict[str, Any]:
    """The named schemas that `value` refers to, and those that they refer to."""
    from openapi.parts import SCHEMAS

    found: dict[str, Any] = {}
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(value)):
        found |= {name: SCHEMAS[name], **parts_of(SCHEMAS[name])}
    return found


if __name__ == "__main__":
    main()
