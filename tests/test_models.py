"""Models as data: what type checkers, serialisers, notebooks and tables make of runs, steps and their parts."""

from __future__ import annotations

import inspect
import typing

import attrs
import pytest

import facade
from openai_thread_runs_api import models
from openai_thread_runs_api.model_base import Model

MODELS = [cls for _, cls in inspect.getmembers(models, inspect.isclass) if issubclass(cls, Model)]


class TestTypes:
    """The declared types, when a program asks for them."""

    @pytest.mark.parametrize("model", MODELS, ids=lambda cls: cls.__name__)
    def test_type_hints(self, model: type[Model]) -> None:
        """`typing.get_type_hints` gives a type for each field of each model, and for nothing else."""
        assert list(typing.get_type_hints(model)) == [field.name for field in attrs.fields(model)]

    def test_resolve_types(self) -> None:
        """`attrs.resolve_types` puts the types into `attrs.fields`."""
        attrs.resolve_types(facade.Run)
        fields = attrs.fields(facade.Run)
        assert fields.created_at.type is int
        assert "completed" in typing.get_args(fields.status.type)
        assert fields.usage.type == models.RunCompletionUsage | None

    def test_declared_types_are_the_specs(self) -> None:
        """No union has the general model in it: with it, no comparison of `type_` would narrow."""
        for model in MODELS:
            assert "UnknownObject" not in str(typing.get_type_hints(model))
