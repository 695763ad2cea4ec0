"""Reading the configs and parameters of a flow from its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowkit.flow.config_field import ConfigField
from flowkit.flow.configs import ResolvedConfig
from flowkit.flow.late import Configs, LateFailed
from flowkit.flow.members import Member
from flowkit.flow.parameter_field import ParameterField, folded
from flowkit.flow.source import Sources
from flowkit.graph import ConfigDescription, Fault, ParameterDescription, Place


class ValuesReader:
    """Describes what a run is given; `faults` are what is wrong with the declarations.

    `place` tells where a member is declared.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        place: Callable[[str], Place | None],
        sources: Sources,
    ) -> None:
        self._members, self._place, self._sources = members, place, sources
        self.faults: list[Fault] = []

    def configs(self, resolved: Mapping[str, ResolvedConfig]) -> tuple[ConfigDescription, ...]:
        """Describe the configs, with the values that they have."""
        described, taken = [], dict[str, str]()
        for attribute, member in self._members.items():
            if not isinstance(member.value, ConfigField):
                continue
            config, place = member.value.__flowkit_config__, self._place(attribute)
            first = taken.setdefault(folded(config.name), attribute)
            self._check_single("config", config.name, attribute, first, config.attribute)
            self.faults += config.faults(place)
            found = resolved.get(attribute)
            described.append(config.describe(found.json if found else None))
        return tuple(described)

    def parameters(self, configs: Configs) -> tuple[ParameterDescription, ...]:
        """Describe the parameters, after computing defaults of configs."""
        described, taken = [], dict[str, str]()
        for attribute, member in self._members.items():
            parameter = member.value
            if not isinstance(parameter, ParameterField):
                continue
            first = taken.setdefault(folded(parameter.name), attribute)
            self._check_single("parameter", parameter.name, attribute, first, parameter.attribute)
            self._settle(parameter, configs)
            faults = parameter.faults(self._place(attribute))
            self.faults += faults
            if not any(fault.rule == "parameter-type" for fault in faults):
                described.append(parameter.describe(attribute))
        return tuple(described)

    def _check_single(self, kind: str, name: str, attribute: str, first: str, own: str) -> None:
        """Note two attributes of one name, or one object under two attributes."""
        if first == attribute and own == attribute:
            return
        declares = kind.capitalize()
        self.faults.append(
            Fault(
                f"{kind}-twice",
                f"`{first if first != attribute else own}` and `{attribute}` "
                f"are both the {kind} `{name}`",
                f"give each its own {declares} and its own name",
                place=self._place(attribute),
            )
        )

    def _settle(self, parameter: ParameterField, configs: Configs) -> None:
        try:
            parameter.settle(configs)
        except LateFailed as error:
            self.faults.append(
                Fault(
                    "config-expression",
                    f"{error.message} (parameter `{parameter.name}`)",
                    error.hint or "",
                    place=self._sources.place(error.file, error.line),
                )
            )


def kind_of_value(member: object) -> str | None:
    """Say whether a member is a parameter or a config; None for all else."""
    if isinstance(member, ParameterField):
        return "parameter"
    return "config" if isinstance(member, ConfigField) else None
