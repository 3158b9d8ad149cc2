"""What the documents cannot say, told to schemathesis: which values go together (`SCHEMATHESIS_HOOKS`).

OpenAPI describes each parameter by itself. No check is touched: only requests that the API's text rules out are not
taken for valid ones, and what it rules out is tested by hand in tests/contract.
"""

import re
from typing import Any

import schemathesis
from schemathesis import GenerationMode

LARGEST_PAGE = 1000
LATER = re.compile(r"^(20[2-9]\d|2[1-9]\d\d|[3-9]\d{3})")  # a year after 2019


@schemathesis.hook
def map_case(context: Any, case: schemathesis.Case) -> schemathesis.Case:
    """A request that is meant to be valid, made so; and none whose answer has no end."""
    if case.query:
        case.query.pop("follow", None)  # tests/live/test_follow.py
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE and case.path == "/log":
        query: dict[str, Any] = case.query or {}
        query.pop("cursor", None)  # only the `next` of a page has one
        if "tail" in query:  # goes without these
            query.pop("limit", None)
            query.pop("order", None)
        case.body = _in_time(case.body)
        if query.get("format") == "json":  # a page has an end
            for name in {"limit", "tail"} & set(query):
                query[name] = min(max(int(query[name]), 1), LARGEST_PAGE)
    return case


def _in_time(body: Any) -> Any:
    """The same body, no record of which has a time that has not come yet."""
    if isinstance(body, list):
        return [_in_time(item) for item in body]
    if isinstance(body, dict):
        return {name: LATER.sub("2000", value) if name == "timestamp" else value for name, value in body.items()}
    return body


@schemathesis.hook
def filter_case(context: Any, case: schemathesis.Case) -> bool:
    """An empty list is wrong, but with a Log-Fence it sets the fence, and later requests then depend on that."""
    return case.body != []
