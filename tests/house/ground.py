"""The ground the guards walk on: which files are ours, and what is in them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("operator/dgdr_operator", "estimator", "perf_db")
CODE = (*PACKAGES, "charts", "tests", "e2e", "benchmarks", "requirements")
NOT_OURS = {".git", ".venv", ".cache", "demo", "dist", "build", "shared", "__pycache__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The repository, as the guards see it."""

    root: Path

    def python(self, folders: tuple[str, ...] = CODE) -> list[Path]:
        """Every Python file of *folders*."""
        return sorted(path for folder in folders for path in self._under(self.root / folder) if path.suffix == ".py")

    def files(self) -> list[Path]:
        """Every file a reader of the repository may open; not what `make` or a tool left behind."""
        return sorted(self._under(self.root))

    def packages(self) -> tuple[str, ...]:
        """The folders that end up in the wheel."""
        return PACKAGES

    def name(self, path: Path) -> str:
        """How a message calls *path*."""
        return path.relative_to(self.root).as_posix()

    def _under(self, folder: Path) -> Iterator[Path]:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name in NOT_OURS or path.name.endswith(("_cache", ".egg-info")) or path.name == ".hypothesis":
                continue
            if path.is_dir():
                yield from self._under(path)
            else:
                yield path

    def trees(self, folders: tuple[str, ...] = CODE) -> Iterator[tuple[str, ast.Module]]:
        """Every Python file of *folders*, named and parsed."""
        for path in self.python(folders):
            yield self.name(path), ast.parse(path.read_text(), filename=str(path))
