"""What a transformation is: a pure function from a model to a model."""

from __future__ import annotations

from abc import ABC, abstractmethod

from finnmake.graph.model_wrapper import ModelWrapper


class Transformation(ABC):
    """Base of all transformations.

    A subclass states in its docstring what must be true of the model before and what is true after. The model it is
    given stays as it is. Equal models give equal results: no clock, no names, no order of a set.
    """

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
