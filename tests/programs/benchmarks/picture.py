"""The picture path on 24 megapixels through HTTP, against OpenCV's RGB -> Lab -> RGB, on an answer that is checked."""

import statistics
import time
from typing import Any

import cv2
import numpy as np
from colorize_server.color.rgb import SRGB
from colorize_server.model import load_model, shipped_model_path
from colorize_server.picture.photograph import Photograph, profile_by_name

from benchmarks.bilinear import bilinear_chroma
from benchmarks.daemon import running_daemon

HEIGHT, WIDTH = 4000, 6000
ROUNDS = 5
REACH = 10
"""Pixels beside an edge that are looked at: one pixel of the network at its default size."""


def patches(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a 24-megapixel grey picture, its strokes, and the colour that each pixel should get.

    Flat patches at least 15 L* apart under grain of 3 L*; the strokes fill each patch but for a margin, so that what
    happens at its edges is the work of the picture path.

    Returns:
        (H, W) uint8 grey, (H, W, 4) uint8 strokes, (2, H, W) float32 a*b*.
    """
    rng = np.random.default_rng(seed)
    small = (HEIGHT // 8, WIDTH // 8)
    points = rng.uniform(0, 1, (60, 2)) * small
    y, x = np.mgrid[: small[0], : small[1]]
    nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(-1).astype(np.uint8)
    patch = cv2.resize(nearest, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    light = rng.permutation(np.tile(np.arange(25, 90, 15), 12)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, 60)
    chroma = 22 * np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    grain = rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32) * 3
    table = SRGB.encoded_from_lab(np.stack([np.linspace(0, 100, 1001), np.zeros(1001), np.zeros(1001)], -1))[:, 0]
    index = np.rint(np.clip(light[patch] + grain, 0, 100) * 10).astype(np.int16)
    grey = np.rint(table * 255).astype(np.uint8)[index]
    colours = SRGB.encoded_from_lab(np.concatenate([np.full((60, 1), 60), chroma.T], axis=1))
    strokes = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    strokes[..., :3] = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)[patch]
    strokes[..., 3] = 255 * ~near_edges(patch, REACH + REACH // 2)
    return grey, strokes, chroma[:, patch]


def near_edges(patch: np.ndarray, reach: int) -> np.ndarray:
    """Return which pixels lie within `reach` of another patch, (H, W) bool."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(patch, kernel) != cv2.erode(patch, kernel)


def lab_planes(answer: np.ndarray) -> np.ndarray:
    """Return L*a*b* of an 8-bit sRGB picture, (3, H, W) float32, converted in strips."""
    planes = np.empty((3, HEIGHT, WIDTH), np.float32)
    for start in range(0, HEIGHT, 250):
        planes[:, start : start + 250] = np.moveaxis(SRGB.lab_from_encoded(answer[start : start + 250] / 255), -1, 0)
    return planes


def run() -> dict[str, Any]:
    """Time the exchange and OpenCV in turn, check the answers, return medians and bars."""
    model = load_model(shipped_model_path())
    grey, strokes, truth = patches(1)
    other = grey[:, ::-1].copy()
    buffer = bytearray(HEIGHT * WIDTH * 3)
    beyond, opencv, network, whole = [], [], [], []
    as_float = np.repeat((grey / np.float32(255))[..., None], 3, axis=-1)
    answers: list[np.ndarray] = []
    query = {"width": WIDTH, "height": HEIGHT, "channels": 1, "output": "layer"}
    with running_daemon() as daemon:

        def exchange(body: memoryview, **more: str) -> dict[str, float]:
            _, headers = daemon.colorize(body, memoryview(buffer), **query, **more)
            if headers["X-Colorize-Model-Sha256"] != model.sha256:
                raise RuntimeError("the answer was not made by the shipped model")
            parts = (part.strip().split(";dur=") for part in headers["Server-Timing"].split(","))
            return {name: float(ms) for name, ms in parts}

        for i in range(ROUNDS):
            began = time.perf_counter()
            timing = exchange(memoryview((grey, other)[i % 2]).cast("B"))
            took = 1000 * (time.perf_counter() - began)
            network.append(timing["network"])
            whole.append(took)
            beyond.append(took - network[-1])
            if i < 2:
                answers.append(np.frombuffer(bytes(buffer), np.uint8).reshape(HEIGHT, WIDTH, 3))
            began = time.perf_counter()
            cv2.cvtColor(cv2.cvtColor(as_float, cv2.COLOR_RGB2Lab), cv2.COLOR_Lab2RGB)
            opencv.append(1000 * (time.perf_counter() - began))
        exchange(memoryview(grey.tobytes() + strokes.tobytes()), hints="rgba8")
        hinted = lab_planes(np.frombuffer(bytes(buffer), np.uint8).reshape(HEIGHT, WIDTH, 3))
    if np.array_equal(answers[0], answers[1]):
        raise RuntimeError("two pictures got the same answer")
    photograph = Photograph(grey[..., None], profile_by_name("srgb", 1))
    lightness = photograph.lightness(0, HEIGHT)
    plain = lab_planes(answers[0])
    error = np.abs(plain[0] - lightness)
    ring = near_edges(truth[0], REACH)
    bilinear = bilinear_chroma(photograph, strokes, model)
    bleeding = [float(np.abs(c - truth).mean(0)[ring].mean()) for c in (bilinear, hinted[1:])]
    return {
        "whole_ms": [round(t) for t in whole],
        "network_ms": [round(t) for t in network],
        "opencv_rgb_lab_rgb_ms": [round(t) for t in opencv],
        "mean_chroma_of_the_answer": float(np.hypot(*plain[1:]).mean()),
        "a*b*_error_near_edges_bilinear_ours": [round(b, 2) for b in bleeding],
        "bars": {
            "24 MP through HTTP, beyond the network / OpenCV RGB-Lab-RGB": [
                statistics.median(b / c for b, c in zip(beyond, opencv, strict=True)),
                "<=",
                4,
            ],
            "mean |dL*| of that answer": [float(error.mean()), "<=", 0.12],
            "99.9th percentile of |dL*|": [float(np.percentile(error, 99.9)), "<=", 0.35],
            "max |dL*|": [float(error.max()), "<=", 0.6],
            "max |dL*| with saturated strokes": [float(np.abs(hinted[0] - lightness).max()), "<=", 0.6],
            "a*b* error near edges under grain, bilinear / ours": [bleeding[0] / bleeding[1], ">=", 1.8],
        },
    }
