"""What a transformation is: a pure function from a model to a model."""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any

from finnmake.graph.model_wrapper import ModelWrapper


class _RemembersArguments(ABCMeta):
    """Makes objects that know what they were made with."""

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        made = super().__call__(*arguments, **keywords)
        object.__setattr__(made, "_made_with", (arguments, keywords))
        return made


class Transformation(metaclass=_RemembersArguments):
    """Base of all transformations.

    A subclass states in its docstring what must be true of the model before and what is true after. The model it is
    given stays as it is. Equal models give equal results: no clock, no names, no order of a set.
    """

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The constructor's arguments by name, those with their default left out: what the key of a build has of it."""
        positional, keywords = self._made_with
        bound = inspect.signature(type(self).__init__).bind(self, *positional, **keywords)
        return dict(list(bound.arguments.items())[1:])

    _made_with: tuple[tuple[Any, ...], Mapping[str, Any]]

    @abstractmethod
    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """The transformed model.

        Raises:
            ModelError: where a precondition does not hold, or the model cannot be made exact.
        """


class Rewrite(Transformation):
    """Base of transformations that change a copy of the model in place."""

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """A copy, rewritten."""
        result = model.copy()
        self.rewrite(result)
        return result

    @abstractmethod
    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
