"""Where the numbers of a training go besides the files of its run: TensorBoard, Weights & Biases, MLflow, Trackio.

``metrics.jsonl`` has every number, whoever else takes them. What is here decides nothing: not whether a stage is done,
not what is learned, and a tracker that fails stops no training.
"""

from solon.tracking.about import About, about
from solon.tracking.kinds import USUAL, MLflow, TensorBoard, Track, Tracker, Trackio, WandB
from solon.tracking.tracked import Tracked, tracked

__all__ = [
    "USUAL",
    "About",
    "MLflow",
    "TensorBoard",
    "Track",
    "Tracked",
    "Tracker",
    "Trackio",
    "WandB",
    "about",
    "tracked",
]
