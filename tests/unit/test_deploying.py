"""Looking up orchestrators."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowkit import DeployedFlow, Deployer, UsageError

PLUGIN = """
class Deployed:
    def __init__(self, deployment):
        self.deployment = deployment

    def create(self, **options):
        return self.deployment, options


class Orchestra:
    def bind(self, deployment):
        return Deployed(deployment)


orchestra = Orchestra()
"""


def test_an_orchestrator_that_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError, match="no orchestrator named `argo-workflows` is installed"):
        Deployer("flow.py").argo_workflows(name="nightly")
    with pytest.raises(UsageError, match="`argo-workflows`"):
        DeployedFlow.from_deployment("nightly")
    with pytest.raises(UsageError, match="`step-functions`"):
        DeployedFlow.list_deployed_flows(impl="step-functions")
    with pytest.raises(UsageError, match="`airflow`"):
        DeployedFlow.get_triggered_run("nightly", "1", impl="airflow")


def test_an_installed_orchestrator_is_told_what_to_deploy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orchestral.py").write_text(PLUGIN)
    metadata = tmp_path / "orchestral-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: orchestral\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[flowkit.deployers]\nfull-orchestra = orchestral:orchestra\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    deployer = Deployer("flow.py", env={"A": "1"}, branch="test")
    deployment, options = deployer.full_orchestra(name="x").create(force=True)  # type: ignore[misc]
    assert deployment.flow_file == "flow.py"
    assert deployment.env == {"A": "1"}
    assert deployment.options == {"branch": "test", "name": "x"}
    assert options == {"force": True}


def test_private_names_are_no_orchestrators() -> None:
    assert not hasattr(Deployer("flow.py"), "_ipython_display_")
