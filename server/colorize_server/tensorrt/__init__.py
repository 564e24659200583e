"""TensorRT engines: precision, optimisation profiles, building, the card beside an engine, and the cache.

Nothing here is imported until a GPU backend, ``trt-build``, ``doctor`` or ``selftest`` asks for it.
"""
