"""What users write, and how it is read.

`spec`: FlowSpec and what its objects do in a step. `decorators`: step and the policies.
`parameters`, `include_file`: values given when a run starts. `config_field`, `configs`: values
known before decorators count; `late`: what stands for them. `secret_sources`: where secrets are.
`choosing`: the flow that is meant. `reading`: class to description; `mentions`: what its code sets
and reads. `current_task`: facts about the running task. `task_state`, `inputs`, `merge`, `caught`,
`gangs`: what a step works with while it runs.
"""

from flowkit.flow.backends import BACKENDS
from flowkit.flow.caught import (
    CaughtFailure,
    FailureHandledByCatch,
    MetaflowExceptionWrapper,
)
from flowkit.flow.choosing import choose_flow, find_flows
from flowkit.flow.config_field import Config, configs_of
from flowkit.flow.config_value import ConfigValue, config_json, read_config_json
from flowkit.flow.configs import ConfigsRejected, ResolvedConfig, resolve_configs, values_of
from flowkit.flow.current_task import Current, CurrentTask, current
from flowkit.flow.decorators import (
    batch,
    card,
    catch,
    concurrency,
    conda,
    environment,
    kubernetes,
    memo,
    parallel,
    pypi,
    resources,
    retry,
    secrets,
    step,
    timeout,
)
from flowkit.flow.drafting import draft_flow
from flowkit.flow.drafts import FlowDraft
from flowkit.flow.flow_decorators import (
    conda_base,
    exit_functions,
    exit_hook,
    project,
    pypi_base,
    schedule,
    trigger,
    trigger_on_finish,
)
from flowkit.flow.gangs import Parallel, written_size
from flowkit.flow.include_file import IncludeFile
from flowkit.flow.inputs import Inputs
from flowkit.flow.late import config_expr
from flowkit.flow.marks import Applied, MarkFault, StepMark
from flowkit.flow.mentions import artifact_names
from flowkit.flow.merge import (
    MergeFailed,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
)
from flowkit.flow.mutators import FlowMutator, MutableFlow, MutableStep, StepMutator
from flowkit.flow.parameters import (
    JSONType,
    Parameter,
    ParameterContext,
    bind_parameters,
    constants_of,
    convert_parameters,
    default_parameters,
)
from flowkit.flow.parsers import (
    conda_environment_yml_parser,
    pyproject_toml_parser,
    requirements_txt_parser,
    yaml_parser,
)
from flowkit.flow.reading import describe_flow
from flowkit.flow.scope import is_of_project
from flowkit.flow.secret_sources import INLINE, read_source
from flowkit.flow.source import module_file
from flowkit.flow.spec import FlowSpec, assigned, has_gone_on, importing, open_flow
from flowkit.flow.task_state import TaskState, Transition
from flowkit.flow.triggers import Triggers
from flowkit.flow.user_decorators import (
    USER_SKIP_STEP,
    UserStepDecorator,
    user_step_decorator,
)
from flowkit.flow.with_specs import apply_with

__all__ = [
    "BACKENDS",
    "INLINE",
    "USER_SKIP_STEP",
    "Applied",
    "CaughtFailure",
    "Config",
    "ConfigValue",
    "ConfigsRejected",
    "Current",
    "CurrentTask",
    "FailureHandledByCatch",
    "FlowDraft",
    "FlowMutator",
    "FlowSpec",
    "IncludeFile",
    "Inputs",
    "JSONType",
    "MarkFault",
    "MergeFailed",
    "MetaflowExceptionWrapper",
    "MissingInMergeArtifactsException",
    "MutableFlow",
    "MutableStep",
    "Parallel",
    "Parameter",
    "ParameterContext",
    "ResolvedConfig",
    "StepMark",
    "StepMutator",
    "TaskState",
    "Transition",
    "Triggers",
    "UnhandledInMergeArtifactsException",
    "UserStepDecorator",
    "apply_with",
    "artifact_names",
    "assigned",
    "batch",
    "bind_parameters",
    "card",
    "catch",
    "choose_flow",
    "concurrency",
    "conda",
    "conda_base",
    "conda_environment_yml_parser",
    "config_expr",
    "config_json",
    "configs_of",
    "constants_of",
    "convert_parameters",
    "current",
    "default_parameters",
    "describe_flow",
    "draft_flow",
    "environment",
    "exit_functions",
    "exit_hook",
    "find_flows",
    "has_gone_on",
    "importing",
    "is_of_project",
    "kubernetes",
    "memo",
    "module_file",
    "open_flow",
    "parallel",
    "project",
    "pypi",
    "pypi_base",
    "pyproject_toml_parser",
    "read_config_json",
    "read_source",
    "requirements_txt_parser",
    "resolve_configs",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
    "values_of",
    "written_size",
    "yaml_parser",
]
