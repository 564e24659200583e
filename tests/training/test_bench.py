"""The benchmark's section on training: it runs, and tells what it has measured."""

from dataclasses import replace

from benchmarks.training import RATIO_WITH_BFLOAT16, RATIO_WITHOUT, run
from colorize_training.config import OptimConfig


def test_both_loops_and_each_part_are_measured(tiny_config):
    """A ratio and its bar come out, whatever they are: times are not a test's business."""
    found = run(1, replace(tiny_config, optim=OptimConfig(batch=2)))
    rates = found["images_per_s"]
    assert found["ratio"] == rates["ours"] / rates["plain"]
    assert set(found["seconds"]) == {"decode", "augment", "forward", "backward and update"}
    assert min(found["seconds"]["decode"], found["seconds"]["augment"], found["seconds"]["forward"]) > 0
    ((value, relation, limit),) = found["bars"].values()
    assert (value, relation) == (found["ratio"], ">=")
    assert limit in (RATIO_WITH_BFLOAT16, RATIO_WITHOUT)
