"""docs/operations: the text, the dashboard and the alert rules name metrics that the services have."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.client import get
from tests.processes import ROOT, Services

pytestmark = pytest.mark.live

OPERATIONS = ROOT / "docs" / "operations"
SERVICES = ("service1", "service2", "storage")
# What prometheus.yml adds to each metric.
ADDED = {"job", "service", "instance"}
ROW = re.compile(r"^\| `(statuslog_\w+)` \| (\w+) \|(.*?)\|(.*?)\| \S.* \|$", re.MULTILINE)


class Kind(NamedTuple):
    """What is told of a metric."""

    type: str
    labels: frozenset[str]
    services: frozenset[str]


@pytest.fixture(scope="module")
def exported(system: Services) -> dict[str, Kind]:
    """The metrics of the running services, by their names."""
    get(f"{system.service1}/status")  # so that each has something to tell
    types: dict[str, str] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    services: dict[str, set[str]] = defaultdict(set)
    for name in SERVICES:
        port = system.ports["metrics" if name == "service1" else name]
        get(f"http://127.0.0.1:{port}/metrics")  # the first one counts itself only at its end
        for family in text_string_to_metric_families(get(f"http://127.0.0.1:{port}/metrics").text):
            metric = family.name + ("_total" if family.type == "counter" else "")
            types[metric] = family.type
            services[metric].add(name)
            labels[metric].update(*(sample.labels.keys() - {"le"} for sample in family.samples))
    return {name: Kind(types[name], frozenset(labels[name]), frozenset(services[name])) for name in types}


def documented() -> dict[str, Kind]:
    """The rows of the table in metrics.md."""
    found = {}
    for name, kind, labels, services in ROW.findall((OPERATIONS / "metrics.md").read_text()):
        named = SERVICES if services.strip() == "all" else services.strip().split(", ")
        found[name] = Kind(kind, frozenset(re.findall(r"`(\w+)`", labels)), frozenset(named))
    return found


def test_every_metric_is_documented_as_it_is(exported: dict[str, Kind]):
    assert documented() == exported


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((OPERATIONS / "alerts.yml").read_text())["groups"]
    assert group.keys() == {"name", "rules"}
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    return dict(json.loads((OPERATIONS / "grafana-dashboard.json").read_text()))


def expressions() -> dict[str, str]:
    """Every expression, by where it is used."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in dashboard()["panels"]:
        found |= {f"{panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    found |= {note["name"]: note["expr"] for note in dashboard()["annotations"]["list"]}
    return {name: text.replace("$__rate_interval", "5m") for name, text in found.items()}


def selectors(text: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric in the expression and the labels that are asked of it; raises ValueError for what is none."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(text), visit)
    for selector in found:
        yield selector.name or "", {matcher.name for matcher in selector.matchers.matchers}


@pytest.mark.parametrize("name", expressions())
def test_every_expression_is_about_metrics_and_labels_that_exist(exported: dict[str, Kind], name: str):
    text, known = expressions()[name], ADDED | {"le"}
    asked = list(selectors(text))
    assert asked
    for metric, labels in asked:
        if metric == "up":  # Prometheus' own
            assert labels <= ADDED
            continue
        base = metric if metric in exported else re.sub(r"_(bucket|sum|count)$", "", metric)
        assert base in exported, metric
        assert metric == base or exported[base].type == "histogram"
        assert labels <= exported[base].labels | ADDED, metric
        known |= exported[base].labels
    for grouped in re.findall(r"\bby \((.*?)\)", text):
        assert {label.strip() for label in grouped.split(",")} <= known


def test_the_expressions_are_found():
    assert len(expressions()) > 25
    assert list(selectors('sum(rate(a_total{b="c"}[5m])) / d > e{f!="g"}')) == [
        ("a_total", {"b"}),
        ("d", set()),
        ("e", {"f"}),
    ]
    with pytest.raises(ValueError, match="expected type matrix"):
        list(selectors("rate(a_total)"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_how_bad_it_is(exported: dict[str, Kind], rule: dict[str, Any]):
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Statuslog([A-Z][a-z]+)+", rule["alert"])
    assert promql_parser.parse_duration(rule.get("for", "1m")).total_seconds() >= 60
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"].keys() == {"summary", "description"}
    known = ADDED.union(*(exported[metric].labels for metric, _ in selectors(rule["expr"]) if metric in exported))
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= known


def test_no_two_alerts_have_one_name_and_each_is_explained():
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) >= 8
    assert re.findall(r"^\| `(Statuslog\w+)` \|", (OPERATIONS / "metrics.md").read_text(), re.MULTILINE) == names


def test_the_dashboard_can_be_imported_anywhere():
    board = dashboard()
    assert board["uid"] == "statuslog"
    assert "id" not in board  # else it would replace another one
    assert [variable["type"] for variable in board["templating"]["list"]] == ["datasource"]
    assert "://" not in json.dumps(board)
    for panel in board["panels"]:
        assert {source["datasource"]["uid"] for source in [panel, *panel["targets"]]} == {"${datasource}"}
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_no_panel_lies_on_another():
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_legend_names_a_label_that_is_there(exported: dict[str, Kind]):
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            groups = re.findall(r"\bby \((.*?)\)", target["expr"])
            metrics = [metric for metric, _ in selectors(target["expr"].replace("$__rate_interval", "5m"))]
            known = {label.strip() for group in groups for label in group.split(",")}
            if not groups and not re.match(r"(sum|max|min)\(", target["expr"]):
                known = ADDED.union(*(exported[metric].labels for metric in metrics if metric in exported))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known, panel["title"]


def test_prometheus_is_led_to_the_three_services():
    config = yaml.safe_load((OPERATIONS / "prometheus.yml").read_text())
    assert all((OPERATIONS / file).exists() for file in config["rule_files"])
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "statuslog"  # which the alert about a service that is down asks for
    targets = {entry["labels"]["service"]: entry["targets"] for entry in job["static_configs"]}
    assert targets == {"service1": ["service1:8001"], "service2": ["service2:8000"], "storage": ["storage:8000"]}
    assert "METRICS_PORT=8001" in (ROOT / "service1" / "Dockerfile").read_text()


def test_compose_finds_what_its_prometheus_reads():
    compose = yaml.safe_load((OPERATIONS / "docker-compose.prometheus.yml").read_text())
    sources = [volume.split(":")[0] for volume in compose["services"]["prometheus"]["volumes"]]
    assert [source for source in sources if source.startswith("./") and not (ROOT / source).is_file()] == []
    main = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert set(compose["services"]["prometheus"]["networks"]) <= main["networks"].keys()
