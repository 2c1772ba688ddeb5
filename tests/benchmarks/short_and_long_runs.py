"""Rates without start-up: a short run and a long one, and the quotient of differences.

Knows neither what is run nor what it is called.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from contest import num_cpus, say

Name = TypeVar("Name", bound=str)

SHORT_RUN_IMAGES_PER_CPU = 128  # four batches: every process has met the network
FIRST_GUESS = 8  # times the short run
MAX_GROWTH = 10.0  # of the long run, from one guess to the next
SPARE = 1.15  # images above what the last guess's rate asks for


@dataclass
class Result:
    """One contestant's runs."""

    short_images: int
    long_images: int = 0
    short_s: list[float] = field(default_factory=list)
    long_s: list[float] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Images/s of each round, start-up taken off."""
        images = self.long_images - self.short_images
        spans = zip(self.short_s, self.long_s, strict=True)
        # A long run no longer than a short one is noise: no rate at all.
        return [images / (long - short) for short, long in spans if long > short]

    def rate(self) -> float:
        """Median of ``rates``; NaN without any."""
        rates = self.rates()
        return statistics.median(rates) if rates else float("nan")

    def rate_with_start_up(self) -> float:
        """Images/s of the long runs as people time them, median."""
        return self.long_images / statistics.median(self.long_s)

    def start_up_s(self) -> float:
        """What no image accounts for: command to exit, less the images' time."""
        return statistics.median(self.short_s) - self.short_images / self.rate()


def measure(
    run: Callable[[Name, int], float],
    names: Sequence[Name],
    rounds: int,
    seconds: float,
) -> dict[Name, Result]:
    """Take the contestants through all rounds, in turn.

    Args:
        run: seconds of a contestant for a number of images.
        names: contestants.
        rounds: how often each one runs.
        seconds: least difference between the runs of the first round.
    """
    results = {name: Result(SHORT_RUN_IMAGES_PER_CPU * num_cpus()) for name in names}
    for turn in range(rounds):
        for name, result in results.items():
            result.short_s.append(run(name, result.short_images))
            if turn == 0:
                find_long_run(result, partial(run, name), seconds)
            else:
                result.long_s.append(run(name, result.long_images))
            say(
                f"round {turn + 1} {name}: {result.short_images} images in "
                f"{result.short_s[-1]:.1f} s, {result.long_images} in "
                f"{result.long_s[-1]:.1f} s"
            )
    return results


def find_long_run(result: Result, run: Callable[[int], float], seconds: float) -> None:
    """Grow the long run until it takes so many seconds more than the short one.

    A short run that took no less than a long one was disturbed, and is run again: else
    the long one would grow until its images made up for that.
    """
    images = FIRST_GUESS * result.short_images
    while True:
        long_s = run(images)
        if long_s <= result.short_s[0]:
            again_s = run(result.short_images)
            result.short_s[0] = min(result.short_s[0], again_s)
        span_s = long_s - result.short_s[0]
        if span_s >= seconds:
            break
        growth = SPARE * seconds / span_s if span_s > 0 else MAX_GROWTH
        images = math.ceil(images * min(growth, MAX_GROWTH))
    result.long_images = images
    result.long_s.append(long_s)
