"""Load: many clients at once; every accepted request gets the right bytes, every refused one a time to come back."""

import asyncio
import random
import threading
import time
from collections import Counter
from typing import Any

import aiohttp

from .target import Target, running

SIZES = ((16, 16), (40, 30), (64, 64), (120, 90), (200, 150), (400, 300))
"""Pixels; small ones are more frequent."""
WEIGHTS = (6, 6, 5, 4, 2, 1)
MOST_GROWTH_BYTES = 200e6
"""Pictures that wait, 64 connections, and what the allocators keep of them."""
WARM_UP_ROUNDS = 3
ATTEMPT_TIMEOUT_S = 120.0
IMPATIENT_EVERY = 4
"""Each fourth client comes back sooner than it was told; the others must not suffer from it."""


class _Load:
    """One run."""

    def __init__(self, target: Target, clients: int, accepted_each: int) -> None:
        self._target = target
        self._accepted_each = accepted_each
        rng = random.Random(11)
        self._pictures = {size: rng.randbytes(size[0] * size[1]) for size in SIZES}
        for _ in range(WARM_UP_ROUNDS):
            self._expected = {size: target.colorize(self._pictures[size], *size).body for size in SIZES}
        self._clients = clients
        self.accepted = Counter[int]()
        self.accepted_at_least_s = Counter[int]()
        self.statuses = Counter[int]()
        self.latencies_s: list[float] = []
        self.problems: list[str] = []

    async def run(self, least_s: float, most_s: float) -> float:
        """Load the daemon; returns how long it took."""
        began = time.monotonic()
        self._least_end, self._end = began + least_s, began + most_s
        timeout = aiohttp.ClientTimeout(ATTEMPT_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await asyncio.gather(*(self._client(session, number) for number in range(self._clients)))
        return time.monotonic() - began

    def _is_over(self, number: int) -> bool:
        now = time.monotonic()
        return now > self._end or (now > self._least_end and self.accepted[number] >= self._accepted_each)

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        rng = random.Random(number)
        headers = {
            "X-Colorize-Token": self._target.token,
            "X-Colorize-Client": f"soak/{number}",
            "Content-Type": "application/octet-stream",
        }
        while not self._is_over(number):
            size = rng.choices(SIZES, WEIGHTS)[0]
            url = f"http://127.0.0.1:{self._target.port}/v1/colorize?width={size[0]}&height={size[1]}&channels=1"
            began = time.monotonic()
            try:
                async with session.post(url, data=self._pictures[size], headers=headers) as answer:
                    body = await answer.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                self.problems.append(f"client {number}: {error!r}")
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.accepted[number] += 1
                self.accepted_at_least_s[number] += time.monotonic() <= self._least_end
                self.latencies_s.append(time.monotonic() - began)
                if body != self._expected[size]:
                    self.problems.append(f"client {number}: a picture of {size} came back wrong")
            elif answer.status == 503 and answer.headers.get("Retry-After", "").isdigit():
                wait_s = float(answer.headers["Retry-After"])
                await asyncio.sleep(rng.uniform(0.05, wait_s / 2) if number % IMPATIENT_EVERY == 0 else wait_s)
            else:
                self.problems.append(f"client {number}: {answer.status} {body[:100]!r} {dict(answer.headers)}")


def run(*, clients: int, least_s: float, most_s: float, accepted_each: int) -> dict[str, Any]:
    """Load a daemon.

    Args:
        clients: clients at once.
        least_s: how long at least.
        most_s: how long at most, if some client still lacks accepted requests.
        accepted_each: accepted requests that each client is to get.
    """
    with running() as target:
        load = _Load(target, clients, accepted_each)
        before_bytes = target.pss_bytes()
        peak_bytes = [before_bytes]
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(0.5):
                peak_bytes.append(target.pss_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            took_s = asyncio.run(load.run(least_s, most_s))
        finally:
            is_over.set()
            watcher.join()
        time.sleep(1.5)
        after_bytes = target.pss_bytes()
        is_quiet = target.health()["queue"] == {"length": 0, "running": 0, "limit": 16}
    latencies = sorted(load.latencies_s)
    shares = [load.accepted[number] for number in range(clients)]
    early_shares = [load.accepted_at_least_s[number] for number in range(clients)]
    fewest = min(shares)
    problems = load.problems[:20]
    if fewest < accepted_each:
        problems.append(f"a client had only {fewest} of {accepted_each} requests accepted in {took_s:.0f} s")
    if not load.statuses[503]:
        problems.append("nobody was turned away: this was no load")
    if not is_quiet:
        problems.append("work was left over")
    if max(peak_bytes) > before_bytes + MOST_GROWTH_BYTES:
        problems.append("memory was not bounded")
    if after_bytes > 1.25 * before_bytes:
        problems.append("memory did not come back")
    return {
        "clients": clients,
        "took_s": took_s,
        "accepted": sum(load.accepted.values()),
        "fewest_of_a_client": fewest,
        "most_of_a_client": max(shares),
        f"of_a_client_in_{least_s:g}_s": f"{min(early_shares)} to {max(early_shares)}",
        "statuses": {str(status): count for status, count in sorted(load.statuses.items())},
        "p50_s": _percentile(latencies, 0.5),
        "p99_s": _percentile(latencies, 0.99),
        "memory_before_bytes": before_bytes,
        "memory_peak_bytes": max(peak_bytes),
        "memory_after_bytes": after_bytes,
        "problems": problems,
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
