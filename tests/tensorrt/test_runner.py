"""The TensorRT runner's logic on a driver and a library in numpy."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from colorize_server.errors import BackendError, CancelledError, DeviceLostError, ModelError, OutOfMemoryError
from colorize_server.model import Model
from colorize_server.tensorrt.backend import TensorRtBackend
from colorize_server.tensorrt.flavours import CLASSIC, Flavour, KernelCache
from colorize_server.tensorrt.profile import Shape
from colorize_server.tensorrt.runner import MAX_LANES, EngineRunner
from fake_tensorrt import SCRATCH_BYTES_PER_PIXEL, FakeDriver, FakeLibrary, expected
from tensorrt_rig import backend_on

LARGEST_PIXELS = 4 * 128 * 512
BUFFER_BYTES = LARGEST_PIXELS * (1 + 3 + 2 + 1) * 4


def runner_on(model: Model, driver: FakeDriver, library: FakeLibrary | None = None, **other: Any) -> EngineRunner:
    library = library or FakeLibrary(driver)
    flavour: Flavour = replace(CLASSIC, **other)
    return EngineRunner(model, flavour, library, b"engine", driver, KernelCache(None))


def picture(height: int, width: int, batch: int = 1, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    luminance = rng.uniform(-1, 1, (batch, 1, height, width)).astype(np.float32)
    hints = rng.uniform(0, 1, (batch, 3, height, width)).astype(np.float32)
    return luminance, hints


def assert_right(runner: Any, *inputs: Any) -> None:
    for got, want in zip(runner.run(*inputs), expected(*inputs), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_every_shape_that_a_profile_takes_is_computed_right(tiny: Model) -> None:
    runner = runner_on(tiny, FakeDriver())
    for seed, shape in enumerate([(64, 64), (64, 512), (512, 64), (128, 96), (96, 128), (128, 512), (64, 64)]):
        for _ in range(3):
            assert_right(runner, *picture(*shape, seed=seed))


def test_pictures_standing_up_take_the_second_profile(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver)
    runner = runner_on(tiny, driver, library)
    assert [p.largest.width for p in runner.profiles] == [512, 128]
    chosen = [runner._choose_profile(Shape(1, *s)) for s in ((128, 512), (64, 96), (512, 128), (96, 64), (128, 64))]
    assert chosen == [0, 0, 1, 1, 1]


def test_a_shape_outside_every_profile_names_the_command(tiny: Model) -> None:
    runner = runner_on(tiny, FakeDriver())
    with pytest.raises(BackendError, match=r"64 to 128 pixels.*trt-build --flavour tensorrt --sizes 256"):
        runner.run(*picture(256, 512))


def test_the_first_run_warms_up_the_second_is_recorded_and_the_third_replayed(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver)
    runner = runner_on(tiny, driver, library)
    inputs = picture(64, 96)
    assert_right(runner, *inputs)
    assert (driver.captures, driver.launches) == (0, 0)
    assert_right(runner, *inputs)
    assert (driver.captures, driver.launches) == (1, 1)
    assert_right(runner, *picture(64, 96, seed=5))
    assert (driver.captures, driver.launches) == (1, 2)
    assert library.engine is not None
    assert library.engine.executions == 2  # the warm-up and the recording; a replay needs none


def test_each_recorded_shape_has_a_context_of_its_own(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver)
    runner = runner_on(tiny, driver, library)
    for _ in range(3):
        for shape in ((128, 512), (64, 96), (64, 128)):
            assert_right(runner, *picture(*shape))
    assert library.engine is not None
    assert library.engine.contexts == 3
    assert runner.state.graphs == 3


def test_buffers_are_sized_by_the_profile_and_used_again(tiny: Model) -> None:
    driver = FakeDriver()
    runner = runner_on(tiny, driver)
    runner.run(*picture(128, 512))
    used, allocations = driver.used_bytes, driver.allocations
    assert used == BUFFER_BYTES + 128 * 512 * SCRATCH_BYTES_PER_PIXEL
    for width in range(64, 513, 64):
        runner.run(*picture(64, width))
    assert (driver.used_bytes, driver.allocations) == (used, allocations)


def test_a_larger_scratch_memory_drops_what_was_recorded_with_the_old_one(tiny: Model) -> None:
    driver = FakeDriver()
    runner = runner_on(tiny, driver)
    for _ in range(3):
        runner.run(*picture(64, 64))
    assert driver.graphs_live == 1
    assert_right(runner, *picture(128, 512))
    assert driver.graphs_live == 0
    for _ in range(3):  # its recording would read memory that is gone
        assert_right(runner, *picture(64, 64))
    assert driver.graphs_live == 1


def test_work_that_cannot_be_recorded_runs_all_the_same(tiny: Model) -> None:
    driver = FakeDriver(can_capture=False)
    runner = runner_on(tiny, driver)
    for _ in range(4):
        assert_right(runner, *picture(64, 64))
    assert driver.captures == 1  # tried once for the shape


def test_only_so_many_shapes_are_kept(tiny: Model) -> None:
    driver = FakeDriver()
    runner = runner_on(tiny, driver)
    runner.run(*picture(128, 512))
    for width in range(64, 64 + 8 * (MAX_LANES + 4), 8):
        for _ in range(2):
            runner.run(*picture(64, width))
    assert runner.state.lanes == MAX_LANES
    assert driver.graphs_live == runner.state.graphs <= MAX_LANES


def test_a_runtime_that_records_by_itself_is_left_to_it(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver)
    runner = runner_on(tiny, driver, library, captures_graphs=True)
    for _ in range(3):
        for shape in ((64, 96), (64, 128), (96, 64)):
            assert_right(runner, *picture(*shape))
    assert driver.captures == 0
    assert library.engine is not None
    assert library.engine.contexts == 2  # one for each profile


def test_answers_are_the_callers_to_keep(tiny: Model) -> None:
    runner = runner_on(tiny, FakeDriver())
    first = picture(64, 64, seed=1)
    chroma, _ = runner.run(*first)
    runner.run(*picture(64, 64, seed=2))
    np.testing.assert_allclose(chroma, expected(*first)[0], atol=1e-6)


def test_a_batch_larger_than_the_profile_is_run_in_parts(tiny: Model) -> None:
    assert_right(runner_on(tiny, FakeDriver()), *picture(64, 64, batch=9))


def test_out_of_memory_makes_the_batch_smaller(tiny: Model) -> None:
    # Room for the buffers of one picture of the largest size, and for its scratch memory, not for four.
    driver = FakeDriver(memory_bytes=BUFFER_BYTES // 4 + 128 * 512 * SCRATCH_BYTES_PER_PIXEL + 4096)
    runner = runner_on(tiny, driver)
    assert_right(runner, *picture(128, 512, batch=4))
    assert runner.state.largest_batch == 1
    assert_right(runner, *picture(128, 512, batch=2))
    runner.close()
    assert driver.used_bytes == driver.pinned_live == 0


def test_larger_buffers_drop_what_was_recorded_with_the_old_ones(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(
        driver, profiles=[((1, 64, 64), (1, 64, 512), (1, 64, 512)), ((1, 128, 64), (1, 128, 64), (1, 512, 128))]
    )
    runner = runner_on(tiny, driver, library)
    for _ in range(3):
        assert_right(runner, *picture(64, 512))
    assert_right(runner, *picture(128, 64))  # less scratch memory, but a profile of larger pictures
    assert driver.graphs_live == 0
    for _ in range(3):
        assert_right(runner, *picture(64, 512))


def test_kernels_are_saved_after_each_new_shape(tiny: Model) -> None:
    saves: list[int] = []
    kernels = KernelCache(None)
    kernels.save = lambda: saves.append(1)  # type: ignore[method-assign]
    driver = FakeDriver()
    flavour: Flavour = replace(CLASSIC, captures_graphs=True)
    runner = EngineRunner(tiny, flavour, FakeLibrary(driver), b"engine", driver, kernels)
    for width in (96, 96, 128, 128, 96):
        runner.run(*picture(64, width))
    assert len(saves) == 3


def test_what_earlier_shapes_hold_is_freed_before_giving_up(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(
        driver,
        profiles=[((1, 64, 64), (1, 64, 64), (1, 64, 64)), ((1, 128, 128), (1, 128, 128), (1, 128, 512))],
    )
    runner = runner_on(tiny, driver, library)
    runner.run(*picture(64, 64))
    # Now the larger profile fits only if what the smaller one holds goes first.
    driver.memory_bytes = 128 * 512 * (7 * 4 + SCRATCH_BYTES_PER_PIXEL)
    assert_right(runner, *picture(128, 512))


def test_a_picture_that_is_too_large_alone_is_a_clear_error_and_the_next_one_works(tiny: Model) -> None:
    driver = FakeDriver(memory_bytes=BUFFER_BYTES // 4 + 64 * 64 * SCRATCH_BYTES_PER_PIXEL)
    runner = runner_on(tiny, driver)
    with pytest.raises(OutOfMemoryError, match="Fake GPU has not enough memory left for 512 x 128") as caught:
        runner.run(*picture(128, 512))
    assert caught.value.status == 503
    assert driver.used_bytes == 0
    assert_right(runner, *picture(64, 64))


def test_a_context_that_finds_no_memory_counts_as_out_of_memory(tiny: Model) -> None:
    driver = FakeDriver()
    runner = runner_on(tiny, driver, FakeLibrary(driver, has_no_contexts=True))
    with pytest.raises(OutOfMemoryError):
        runner.run(*picture(64, 64))
    assert driver.used_bytes == driver.pinned_live == 0


def test_a_refusal_by_tensorrt_carries_its_last_words(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver)
    runner = runner_on(tiny, driver, library)
    assert library.engine is not None
    library.engine.refusal = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"
    with pytest.raises(DeviceLostError, match=r"TensorRT failed on Fake GPU.*illegal memory access"):
        runner.run(*picture(64, 64))


def test_an_engine_of_another_gpu_names_the_command(tiny: Model) -> None:
    driver = FakeDriver()
    with pytest.raises(BackendError, match=r"incompatible device.*trt-build --flavour tensorrt --force"):
        runner_on(tiny, driver, FakeLibrary(driver, is_foreign=True))


@pytest.mark.parametrize("broken", [{"outputs": ("chroma",)}, {"dtype": "half"}, {"outputs": ("chroma", "ab")}])
def test_an_engine_that_breaks_the_contract_is_refused(tiny: Model, broken: dict[str, Any]) -> None:
    driver = FakeDriver()
    with pytest.raises(ModelError):
        runner_on(tiny, driver, FakeLibrary(driver, **broken))


def test_closing_gives_everything_back(tiny: Model) -> None:
    driver = FakeDriver()
    runner = runner_on(tiny, driver)
    for shape in ((64, 64), (128, 64)):
        for _ in range(3):
            runner.run(*picture(*shape))
    runner.close()
    assert driver.used_bytes == driver.graphs_live == driver.pinned_live == 0


def test_one_thread_owns_the_gpu(tiny: Model) -> None:
    backend, made = backend_on(tiny)
    results: list[Any] = []
    inputs = picture(64, 64)
    others = [threading.Thread(target=lambda: results.append(backend.run(*inputs))) for _ in range(3)]
    for thread in others:
        thread.start()
        thread.join()
    assert len(results) == 3
    assert made["driver"].thread not in (threading.get_ident(), *(t.ident for t in others))
    assert made["device"] == 3
    backend.close()
    assert made["driver"].closed
    assert made["driver"].used_bytes == 0


def test_the_backend_tells_what_it_is(tiny: Model) -> None:
    backend, _ = backend_on(tiny)
    assert (backend.name, backend.device) == ("tensorrt", "Fake GPU")
    assert backend.reason == "TensorRT 10.13.0 on Fake GPU. Note."
    backend.close()


def test_a_cancelled_run_ends_as_cancelled_and_the_next_one_is_untouched(tiny: Model) -> None:
    backend, made = backend_on(tiny)
    inputs = picture(64, 64)
    synchronize = made["driver"].synchronize

    def cancel_meanwhile() -> None:
        backend.cancel()
        synchronize()

    made["driver"].synchronize = cancel_meanwhile
    with pytest.raises(CancelledError):
        backend.run(*inputs)
    made["driver"].synchronize = synchronize
    backend.cancel()  # nothing runs: without effect
    assert_right(backend, *inputs)
    backend.close()


def test_a_lost_gpu_is_not_used_again(tiny: Model) -> None:
    backend, made = backend_on(tiny)
    made["driver"].fails_with = "unspecified launch failure"
    for _ in range(2):
        with pytest.raises(DeviceLostError, match="unspecified launch failure"):
            backend.run(*picture(64, 64))
        made["driver"].fails_with = None
    backend.close()
    assert made["driver"].closed


def test_a_gpu_is_let_go_when_the_engine_does_not_fit(tiny: Model) -> None:
    driver = FakeDriver()
    library = FakeLibrary(driver, is_foreign=True)
    with pytest.raises(BackendError):
        TensorRtBackend(tiny, CLASSIC, library, b"engine", KernelCache(None), lambda device: driver, 0)
    assert driver.closed
