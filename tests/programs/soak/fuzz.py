"""Fuzz: mutated requests with a fixed seed, and requests that the OpenAPI document itself calls for."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .coverage_of import measured
from .mutations import Fuzzed, Maker
from .target import Target, eventually, exchange, running

SEED = 7
THREADS = 3
LONGEST_S = 5.0
"""An answer that takes longer counts as a hang."""
DOCUMENTED_503 = frozenset(
    ("queue_full", "starting", "stopping", "model_unavailable", "out_of_memory", "deadline_exceeded", "disk_full")
)
"""Codes of 503 that are no sign of a crash; `inference_failed` would be one."""


@dataclass
class Tally:
    """What came back."""

    sent: int = 0
    decoded: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slow: list[int] = field(default_factory=list)
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, fuzzed: Fuzzed, received: bytes | None, elapsed_s: float) -> None:
        """Count one request, and note what must not be."""
        is_slow = not fuzzed.close_early and (received is None or elapsed_s > LONGEST_S)
        fault = "" if fuzzed.close_early or received is None else wrong_with(received)
        status = (
            "closed early" if fuzzed.close_early else (received or b"none none").split(b" ", 2)[1].decode("latin-1")
        )
        with self.lock:
            self.sent += 1
            self.decoded += fuzzed.reaches_decoders
            self.statuses[status] += 1
            if not fuzzed.close_early:
                self.slowest_s = max(self.slowest_s, elapsed_s)
            if is_slow:
                self.slow.append(number)
            if fault:
                self.faults.append(f"request {number} ({fuzzed.kind}): {fault}")


def wrong_with(received: bytes) -> str:
    """Return what must not be about an answer, or nothing."""
    if not received:
        return ""
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return f"not HTTP: {received[:80]!r}"
    status = int(words[1])
    if status == 503:
        code = json.loads(body)["code"]
        return "" if code in DOCUMENTED_503 else f"503 {code}"
    if status >= 500:
        return f"{status} {body[:200]!r}"
    if status >= 400 and body and set(json.loads(body)) != {"code", "message", "hint"}:
        return f"an error that is not JSON: {body[:80]!r}"
    return ""


def run(*, requests: int, least_requests: int, examples: int, budget_s: float) -> dict[str, Any]:
    """Fuzz a daemon.

    Args:
        requests: mutated requests to send.
        examples: requests to make from the OpenAPI document.
        budget_s: stop sending after so long.
        least_requests: fewer than so many sent in that time are a failure.
    """
    with measured() as coverage:
        with running(server=coverage.command, environment=coverage.environment) as target:
            result = _fuzz(target, requests, budget_s)
            result["openapi"] = _from_document(target, examples)
            result["restarts"] = _restarts(target)
        result["coverage"] = coverage.report()
    result["problems"] = _problems(result, least_requests)
    return result


def _fuzz(target: Target, requests: int, budget_s: float) -> dict[str, Any]:
    maker = Maker(target.port, target.token)
    end = time.monotonic() + budget_s

    def send(number: int) -> None:
        if time.monotonic() > end:
            return
        fuzzed = maker.make(SEED, number)
        began = time.monotonic()
        received = exchange(target.port, fuzzed.data, 4 * LONGEST_S, close_early=fuzzed.close_early)
        tally.add(number, fuzzed, received, time.monotonic() - began)

    tally = Tally()
    # Long enough that every decoder, profile reader and error path has been loaded once: those are no leak.
    warm_up = max(300, requests // 20)
    before_bytes = 0
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(send, range(warm_up)):
            pass
        before_bytes = _settled(target)
        for _ in pool.map(send, range(warm_up, requests)):
            pass
    after_bytes = _settled(target)
    hangs = [number for number in tally.slow if _hangs(target, maker.make(SEED, number))]
    return {
        "requests": tally.sent,
        "requests_per_s": tally.sent / (time.monotonic() - began),
        "reached_decoders": tally.decoded,
        "statuses": dict(sorted(tally.statuses.items())),
        "faults": tally.faults,
        "slowest_s": tally.slowest_s,
        "slow": len(tally.slow),
        "hangs": hangs,
        "memory_before_bytes": before_bytes,
        "memory_after_bytes": after_bytes,
    }


def _hangs(target: Target, fuzzed: Fuzzed) -> bool:
    """Whether a request that was slow is slow by itself, and not because the machine had other things to do."""
    for _ in range(3):
        began = time.monotonic()
        if exchange(target.port, fuzzed.data, LONGEST_S) is not None and time.monotonic() - began < LONGEST_S:
            return False
    return True


def _settled(target: Target) -> int:
    """Return the memory in use once nothing is under way."""
    eventually(lambda: target.health()["queue"] == {"length": 0, "running": 0, "limit": 16}, 30)
    time.sleep(1.5)
    return target.pss_bytes()


def _restarts(target: Target) -> int:
    return target.log().count("the inference process (")


def _from_document(target: Target, examples: int) -> dict[str, Any]:
    """Send what the document calls for, made by schemathesis, and compare each answer with the document."""
    import schemathesis

    document = json.loads(target.ask("GET", "/v1/openapi.json").body)
    del document["paths"]["/v1/shutdown"]  # does what it says
    sent: dict[str, int] = {}
    failures: list[str] = []
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        sent[operation.label] = _send_examples(target, operation, examples, failures)
    return {"sent": sent, "failures": sorted(set(failures))}


def _send_examples(target: Target, operation: Any, examples: int, failures: list[str]) -> int:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    documented = operation.definition.raw["responses"]
    count = 0

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        nonlocal count
        count += 1
        answer = case.call(
            base_url=f"http://127.0.0.1:{target.port}", headers={"X-Colorize-Token": target.token}, timeout=30
        )
        if str(answer.status_code) not in documented:
            failures.append(f"{operation.label}: {answer.status_code} {answer.text[:100]} is not documented")
        elif answer.status_code >= 500 and answer.json()["code"] not in DOCUMENTED_503:
            failures.append(f"{operation.label}: {answer.status_code} {answer.json()['code']}")

    send()
    return count


def _problems(result: dict[str, Any], least_requests: int) -> list[str]:
    problems = list(result["faults"][:20]) + result["openapi"]["failures"]
    problems += [f"request {number} hangs" for number in result["hangs"]]
    if result["requests"] < least_requests:
        problems.append(f"only {result['requests']} requests were sent in the time there was, not {least_requests}")
    if result["reached_decoders"] < 0.3 * result["requests"]:
        problems.append("fewer than 30 % of the requests reached the decoders")
    if result["restarts"]:
        problems.append(f"the inference process had to be replaced {result['restarts']} times")
    if result["memory_after_bytes"] > 1.1 * result["memory_before_bytes"]:
        problems.append("memory did not come back within 10 %")
    if result["coverage"]["percent"] < 85:
        problems.append(f"only {result['coverage']['percent']:.0f} % of the wire and decode modules were reached")
    return problems
