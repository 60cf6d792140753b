"""Fields of a config.json, read with their meaning: a value of the right kind, or a refusal that names the field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from estimator.errors import InvalidModelConfig

_MOST = 2**40
"""Above any size that a config.json means, and small enough that products of three stay finite."""
_MOST_LAYERS = 4096


@dataclass(frozen=True, slots=True)
class Fields:
    """The configuration of the model called *name*."""

    name: str
    config: Mapping[str, Any]

    def has(self, *keys: str) -> bool:
        """Whether any of *keys* holds something."""
        return any(self.config.get(key) is not None for key in keys)

    def size(self, *keys: str, default: int | None = None) -> int:
        """The first of *keys* (synonyms, best known first) that holds something: a positive integer."""
        key, value = self._first(keys)
        if value is None and default is None:
            raise self.bad(keys[0], "is missing")
        return self._integer(key, default if value is None else value, least=1)

    def count(self, *keys: str) -> int:
        """As size, but 0 is an answer, and so is nothing."""
        key, value = self._first(keys)
        return 0 if value is None else self._integer(key, value, least=0)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A yes or a no."""
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self.bad(key, f"must be true or false, not {value!r}")
        return value

    def per_layer(self, key: str) -> Sequence[Any] | None:
        """A list that says something of every layer, or None where there is none."""
        value = self.config.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) < self.layers:
            raise self.bad(key, f"must list all {self.layers} layers")
        return value[: self.layers]

    def indices(self, key: str) -> frozenset[int] | None:
        """Numbers of layers, as a list or as the comma-separated text that some exporters write."""
        value = self.config.get(key)
        if value is None:
            return None
        listed = [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value
        try:
            return frozenset(int(one) for one in listed)
        except (TypeError, ValueError, OverflowError):
            raise self.bad(key, f"must list numbers of layers, not {value!r}") from None

    def within(self, key: str) -> "Fields":
        """The fields of the object that *key* holds."""
        value = self.config.get(key)
        if not isinstance(value, Mapping):
            raise self.bad(key, "must be an object")
        return Fields(self.name, value)

    @property
    def layers(self) -> int:
        """How many layers there are: counted, or as long as the pattern that lists them."""
        if not self.has(*_LAYERS):
            pattern = self.config.get("layers_block_type") or self.config.get("hybrid_override_pattern")
            found = len(pattern) if isinstance(pattern, list | str) else self.size(*_LAYERS)
        else:
            found = self.size(*_LAYERS)
        if found > _MOST_LAYERS:
            raise self.bad("num_hidden_layers", f"must be at most {_MOST_LAYERS}, not {found}")
        return found

    @property
    def hidden(self) -> int:
        """Elements of the residual stream."""
        return self.size("hidden_size", "n_embd", "d_model")

    def bad(self, key: str, problem: str) -> InvalidModelConfig:
        """The refusal of the field *key*."""
        return InvalidModelConfig(self.name, key, problem)

    def _first(self, keys: Sequence[str]) -> tuple[str, Any]:
        return next(((key, self.config[key]) for key in keys if self.config.get(key) is not None), (keys[0], None))

    def _integer(self, key: str, value: object, *, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _MOST:
            wanted = "a positive integer" if least else "a whole number"
            raise self.bad(key, f"must be {wanted}, not {value!r}")
        return value


_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
