"""Ray Data: `map_batches` over an actor for each two cores, which runs transformers.

Ray Data starts its actors with the first batch: loading the model is a part of its seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocol import Caption, serve  # type: ignore[import-not-found]


class Captioner:
    """The actor: transformers, loaded once."""

    def __init__(self, request: dict[str, Any]) -> None:
        from transformers_peer import load as load_transformers  # type: ignore[import-not-found]

        self.caption = load_transformers(request)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"index": batch["index"], "text": self.caption(batch["image"].tolist())}


def load(request: dict[str, Any]) -> Caption:
    import ray

    here = str(Path(__file__).resolve().parent)
    ray.init(include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": here}})
    cores = int(ray.cluster_resources()["CPU"])

    def caption(images: list[str]) -> list[str]:
        rows = [{"index": index, "image": image} for index, image in enumerate(images)]
        captioned = ray.data.from_items(rows).map_batches(
            Captioner,
            fn_constructor_args=[request],
            batch_size=request["batch"],
            concurrency=max(1, cores // 2),
            num_cpus=min(cores, 2),
        )
        return [row["text"] for row in sorted(captioned.take_all(), key=lambda row: row["index"])]

    return caption


if __name__ == "__main__":
    serve(load)
