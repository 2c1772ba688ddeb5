"""The dashboard asks for metrics that jobs record, and shows all of them."""

import json
import re

from infra_files import DASHBOARD

from galaxy_models.cluster.metrics import JOB_METRICS, OUTPUT_LABEL

SHOWN = json.loads(DASHBOARD.read_text())
QUERIES = [target["expr"] for panel in SHOWN["panels"] for target in panel["targets"]]
LABELS = {metric.prometheus_name: metric.label for metric in JOB_METRICS}


def test_its_queries_name_the_metrics_that_exist_and_all_of_them() -> None:
    named = {name for query in QUERIES for name in re.findall(r"ray_\w+", query)}
    assert named == set(LABELS)


def test_its_queries_group_by_labels_that_these_metrics_have() -> None:
    for query in QUERIES:
        (name, *_) = re.findall(r"ray_\w+", query)
        for labels in re.findall(r"by \(([^)]+)\)", query):
            assert set(labels.split(", ")) <= {OUTPUT_LABEL, LABELS[name]}


def test_every_panel_asks_the_prometheus_that_is_chosen_for_the_job_that_is() -> None:
    for panel in SHOWN["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
    assert all('output=~"$output"' in query for query in QUERIES)
    variables = [variable["name"] for variable in SHOWN["templating"]["list"]]
    assert variables == ["datasource", "output"]
