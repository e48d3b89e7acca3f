"""Progress bars in the terminal."""

from collections.abc import Iterable, Iterator

from torch import Tensor
from tqdm import tqdm


class Bars:
    """One progress bar at a time."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Show how far a stage is."""
        if stage != self._stage or self._bar is None:
            self._close()
            self._bar, self._stage = tqdm(desc=stage, total=total), stage
        self._bar.update(done - self._bar.n)

    def report_chunks(
        self, chunks: Iterable[Tensor], frames: int, stage: str = "Decoding"
    ) -> Iterator[Tensor]:
        """Chunks (f, 3, H, W) of all frames, reported while they are read."""
        done = 0
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            self.report(stage, done, frames)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
