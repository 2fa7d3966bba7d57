"""One figure of a run, beside what it must hold."""

from dataclasses import dataclass
from typing import Self

from tests.benchmarks.measure import MB, Cost


@dataclass(frozen=True)
class Row:
    """A figure, its unit, the most it may be (None: told for comparison only) and what it was made of."""

    title: str
    figure: float
    unit: str
    most: float | None = None
    made_of: str = ""

    @classmethod
    def ratio(cls, title: str, ours: Cost, baseline: Cost, most: float | None = None) -> Self:
        """Compare CPU."""
        return cls(title, ours.cpu / baseline.cpu, "x", most, f"{ours.cpu:.3f} s / {baseline.cpu:.3f} s")

    @classmethod
    def memory(cls, title: str, ours: Cost, most: int | None = None) -> Self:
        """Tell the memory over idle; `most` in bytes."""
        return cls(title, ours.memory / MB, "MB", most / MB if most else None)

    def __str__(self) -> str:
        figure = f"{self.figure:.2f} {self.unit}"
        if self.most is None:
            return f"{self.title:<66}{figure:>10}  {'':<22}{self.made_of}".rstrip()
        verdict = "holds" if self.figure <= self.most else "NOT MET"
        wanted = f"<= {self.most:g} {self.unit}: {verdict}"
        return f"{self.title:<66}{figure:>10}  {wanted:<22}{self.made_of}".rstrip()
