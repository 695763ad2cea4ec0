"""How good is what was found? Only here the gold standard is looked at."""

import io

import numpy as np
import pyarrow
from matplotlib.figure import Figure
from source import Gold


def rate(found: set[tuple[str, str]], gold: Gold) -> tuple[float, float]:
    """Return precision and recall; of pairs that nobody has judged nothing is known."""
    judged = found if gold.judged is None else found & gold.judged
    right = len(judged & gold.same)
    return right / max(len(judged), 1), right / len(gold.same)


def trace(scored: pyarrow.Table, gold: Gold) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall of the pairs from each score up, from the highest score down."""
    scored = scored.sort_by([("bits", "descending")])
    pairs = list(zip(scored["a"].to_pylist(), scored["b"].to_pylist(), strict=True))
    known = np.array([gold.judged is None or pair in gold.judged for pair in pairs])
    same = np.array([pair in gold.same for pair in pairs])[known]
    bits = scored["bits"].to_numpy()[known]
    right = np.cumsum(same)
    # Pairs with the same score are found together: only after the last of them is a threshold.
    last = np.flatnonzero(np.append(np.diff(bits) != 0, True))
    return right[last] / (last + 1), right[last] / len(gold.same)


def draw(curve: tuple[np.ndarray, np.ndarray], chosen: tuple[float, float], title: str) -> bytes:
    """Draw precision over recall, and what was chosen, as a PNG file."""
    precision, recall = curve
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="recall", ylabel="precision", xlim=(0.8, 1.005), ylim=(0.8, 1.005), title=title
    )
    axes.plot(recall, precision, drawstyle="steps-pre")
    axes.plot(chosen[1], chosen[0], "o", label=f"{chosen[0]:.4f} / {chosen[1]:.4f}")
    axes.legend(title="precision / recall", loc="lower left")
    axes.grid(alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
