"""Checks of all nodes of a cluster: the same question to each, and their answers merged."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.launching.doctor.database import compare_clocks
from orchestrator.launching.doctor.node import NodeAnswer, NodeQuestion, inspect_node
from orchestrator.launching.doctor.results_of_checks import CheckResult
from orchestrator.launching.doctor.versions import compare_versions
from workers.errors import first_line

ANSWER_SECONDS = 120.0
"""Time limit for an answer; starting a process on the node takes most of it."""

_LISTED = 3


def check_nodes(question: NodeQuestion, here: Mapping[str, str], *, seconds: float = ANSWER_SECONDS) -> list[CheckResult]:
    """Ask every node of the cluster that this process has joined; `here` are the driver's versions."""
    import ray

    nodes = _named(node for node in ray.nodes() if node["Alive"])
    lines = dict(_ask(question, here, nodes, seconds))
    return [_room(nodes.values()), *merge_results(lines)]


def _named(nodes: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the nodes by their hosts' names; those of one host with digits of their ids, too."""
    found = sorted(nodes, key=lambda node: (node["NodeManagerHostname"], node["NodeID"]))
    hosts = Counter(node["NodeManagerHostname"] for node in found)
    return {
        node["NodeManagerHostname"] + (f" ({node['NodeID'][:8]})" if hosts[node["NodeManagerHostname"]] > 1 else ""): node for node in found
    }


def _room(nodes: Iterable[dict[str, Any]]) -> CheckResult:
    listed = list(nodes)
    cpus, gpus = (sum(node["Resources"].get(name, 0) for node in listed) for name in ("CPU", "GPU"))
    found = f"{len(listed)} node{'s' * (len(listed) != 1)} with {cpus:g} CPUs and {gpus:g} GPUs"
    if not cpus:
        return CheckResult(
            "warning", "cluster", f"{found}: no job fits now", "add nodes; of a cluster that grows, launch with --wait-for-nodes"
        )
    return CheckResult("ok", "cluster", found)


def _ask(
    question: NodeQuestion, here: Mapping[str, str], nodes: Mapping[str, Any], seconds: float
) -> Iterator[tuple[str, list[CheckResult]]]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote(inspect_node)
    waiting: dict[Any, str] = {}
    for name, node in nodes.items():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = remote.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        waiting[task.remote(question.of_node(node["Resources"].get("GPU", 0.0)))] = name
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        answered, _ = ray.wait(list(waiting), num_returns=1, timeout=left)
        now = time.time()
        for reference in answered:
            yield waiting.pop(reference), _lines_of(reference, here, now)
    for reference, name in waiting.items():
        ray.cancel(reference, force=True)
        advice = "check that the machine is up and has memory and processes left (`ray status`, its raylet.out)"
        yield name, [CheckResult("wrong", "node", f"no answer within {seconds:g} s", advice)]


def _lines_of(reference: Any, here: Mapping[str, str], now: float) -> list[CheckResult]:
    import ray

    try:
        answer: NodeAnswer = ray.get(reference)
    except Exception as error:  # that of the node, which may have another robustsweep, none at all, or have died
        reason = first_line(getattr(error, "cause", None) or error)
        return [
            CheckResult(
                "wrong", "node", f"cannot be asked: {reason}", "install the same robustsweep on all nodes, and see that they are up"
            )
        ]
    return [*compare_versions(here, answer.versions), *answer.lines, *compare_clocks(answer.clock, now, whose="its clock")]


def merge_results(lines: Mapping[str, Iterable[CheckResult]]) -> list[CheckResult]:
    """Merge the lines of all nodes: equal ones are shown once; of a check that is ok, only a few different lines are listed."""
    by_line: defaultdict[CheckResult, list[str]] = defaultdict(list)
    for name, found in lines.items():
        for line in found:
            by_line[line].append(name)
    shown: defaultdict[CheckResult, dict[str, None]] = defaultdict(dict)  # of each line the nodes' names, in order and once
    kinds = Counter(line.what for line in by_line if line.status == "ok")
    for line, names in by_line.items():
        differ = line.status == "ok" and kinds[line.what] > _LISTED
        shown[CheckResult("ok", line.what, "no problem found") if differ else line].update(dict.fromkeys(names))
    order = list(dict.fromkeys(line.what for line in by_line))
    return [
        replace(line, found=f"{_on(list(names), len(lines))}: {line.found}")
        for line, names in sorted(shown.items(), key=lambda item: order.index(item[0].what))
    ]


def _on(names: list[str], total: int) -> str:
    """Name the nodes in few words."""
    if len(names) == total:
        return f"all {total} nodes" if total > 1 else f"node {names[0]}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED + 1 else ""
    listed = ", ".join(names[:_LISTED] if more else names)
    return f"{len(names)} of {total} nodes ({listed}{more})"
