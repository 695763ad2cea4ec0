"""Secrets: there for the task that asks for them, and nowhere in what a run leaves."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard

TOKEN = "s3cr3t-T0ken/with&\"more'"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END KEY-----"
FRAME = b"\x28\xb5\x2f\xfd"
"""How a Zstandard frame begins."""

FLOW = """
    from flowkit import card, get_secret, secrets

    class Vault(FlowSpec):
        @secrets(sources=["env-file.vault.env"])
        @card
        @step
        def start(self):
            token, key = os.environ["TOKEN"], os.environ["KEY"]
            self.length = len(token)
            print("one", token, "two")
            print(token[:9], end="")
            print(token[9:])
            print(key, file=sys.stderr)
            print(repr(token), [token, key])
            current.card.append(__import__("flowkit.cards").cards.Markdown("it is " + token))
            self.next(self.end)

        @step
        def end(self):
            self.is_gone = "TOKEN" not in os.environ and "KEY" not in os.environ
"""


@pytest.fixture(autouse=True)
def vault(tmp_path: Path) -> Path:
    """Write the file that flows here read secrets from."""
    file = tmp_path / "vault.env"
    escaped = TOKEN.replace('"', '\\"')
    file.write_text(f"TOKEN=\"{escaped}\"\nKEY='{KEY}'\n")
    return file


def everything(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all bytes of all files below a folder, also those that are compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            at = data.find(FRAME)
            while at >= 0:
                with suppress(zstandard.ZstdError):  # bytes may look like a frame by chance
                    yield path, zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
                at = data.find(FRAME, at + 1)


def spellings(*secrets: str) -> set[bytes]:
    """Return how the lines of secrets may stand in what is kept."""
    return {
        text.encode()
        for secret in secrets
        for line in secret.splitlines()
        for text in (line, html.escape(line), json.dumps(line)[1:-1], repr(line)[1:-1])
    }


def assert_nowhere(home: Path, *secrets: str) -> None:
    kept = list(everything(home))
    assert len(kept) > 5
    found = [(path, text) for path, data in kept for text in spellings(*secrets) if text in data]
    assert not found


def logs_of(ran: Any, step: str = "start") -> str:
    task = ran.run[step].task
    return task.stdout + task.stderr


def test_a_step_has_its_secrets_and_nothing_that_is_kept_or_shown_has(
    any_lab: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = any_lab.run(FLOW)
    assert ran.status == "succeeded", ran.failure
    assert (ran.value("length"), ran.value("is_gone")) == (len(TOKEN), True)
    assert "one *** two\n***\n" in logs_of(ran)
    assert_nowhere(any_lab.home, TOKEN, KEY)
    shown = capfd.readouterr()
    everywhere = (shown.out + shown.err + repr(ran.facts)).encode()
    assert not [text for text in spellings(TOKEN, KEY) if text in everywhere]
    assert "TOKEN" not in os.environ


def test_what_subprocesses_print_is_masked(process_lab: Any) -> None:
    ran = process_lab.run("""
        from flowkit import secrets

        class Shells(FlowSpec):
            @secrets(sources=["env-file.vault.env"])
            @step
            def start(self):
                subprocess.run(["sh", "-c", 'echo "out $TOKEN"; echo "err $TOKEN" >&2'])
                os.write(1, os.environ["TOKEN"][:5].encode())
                os.write(1, os.environ["TOKEN"][5:].encode())
                subprocess.run(["env"])
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    assert ran.status == "succeeded"
    assert "out ***\n" in logs_of(ran)
    assert "err ***\n" in logs_of(ran)
    assert "TOKEN=***\n" in logs_of(ran)
    assert_nowhere(process_lab.home, TOKEN, KEY)


FAILING = """
    from flowkit import card, exit_hook, secrets

    def tell(run):
        print("the hook heard:", run["start"].task.exception)

    @exit_hook(on_error=[tell])
    class Fails(FlowSpec):
        @secrets(sources=["env-file.vault.env"])
        @card
        @step
        def start(self):
            try:
                {}[os.environ["KEY"]]
            except KeyError:
                raise ValueError("no entry for " + os.environ["TOKEN"])
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_failure_that_tells_a_secret_is_kept_and_shown_without_it(
    any_lab: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = any_lab.run(FAILING)
    assert ran.failure.message == "no entry for ***"
    assert "ValueError: no entry for ***" in ran.failure.traceback
    assert_nowhere(any_lab.home, TOKEN, KEY)
    shown = capfd.readouterr()
    everywhere = (shown.out + shown.err + repr(ran.facts)).encode()
    assert not [text for text in spellings(TOKEN, KEY) if text in everywhere]


def test_an_exception_whose_type_is_named_by_a_secret_is_kept_without_it(any_lab: Any) -> None:
    raising = 'raise ValueError("no entry for " + os.environ["TOKEN"])'
    named = 'raise type(os.environ["TOKEN"], (ValueError,), {})("no entry")'
    ran = any_lab.run(FAILING.replace(raising, named))
    assert (ran.failure.type_name, ran.failure.message) == ("***", "no entry")
    assert_nowhere(any_lab.home, TOKEN, KEY)


def test_a_failure_is_shown_by_commands_without_secrets(lab: Any) -> None:
    lab.write(FAILING)
    done = lab.cli("run", str(lab.file), "--with", "catch:var=failure")
    told = done.stdout + done.stderr + lab.cli("show", "Fails/1").stdout
    told += lab.cli("dump", "Fails/1/start/0").stdout
    assert "no entry for ***" in told
    assert not [text for text in spellings(TOKEN, KEY) if text in told.encode()]
    assert_nowhere(lab.home, TOKEN, KEY)


ONE_STEP = """
    from flowkit import card, get_secret, secrets

    class One(FlowSpec):
        @secrets({given})
        @step
        def start(self):
            {does}
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def one_step(given: str, does: str = "pass") -> str:
    return ONE_STEP.format(given=given, does=does)


def test_a_variable_that_is_set_is_not_replaced_unless_that_is_allowed(
    any_lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "theirs")
    given = 'sources=["env-file.vault.env"]'
    refused = any_lab.run(one_step(given))
    assert refused.failure.type_name == "SecretsRejected"
    assert "`TOKEN`" in refused.failure.message
    assert "allow_override=True" in (refused.failure.hint or "")
    does = 'self.length = len(os.environ["TOKEN"])'
    any_lab.write(one_step(f"{given}, allow_override=True", does), "overriding.py")
    ran = any_lab.run()
    assert ran.value("length") == len(TOKEN)
    assert os.environ["TOKEN"] == "theirs"


def test_two_sources_of_one_name_are_both_named(any_lab: Any, vault: Path) -> None:
    vault.with_name("other.env").write_text("TOKEN=another")
    ran = any_lab.run(one_step('sources=["env-file.vault.env", "env-file.other.env"]'))
    assert ran.failure.type_name == "SecretsRejected"
    for part in ("`TOKEN`", "`env-file.vault.env`", "`env-file.other.env`"):
        assert part in ran.failure.message
    assert_nowhere(any_lab.home, TOKEN)


@pytest.mark.parametrize(
    "does",
    [
        'self.it = os.environ["TOKEN"]',
        'self.it = {"deep": [("in", os.environ["TOKEN"])]}',
        'self.it = os.environ["TOKEN"].encode()',
        'self.it = Exception("no " + os.environ["TOKEN"])',
        'self.it = {"pin": os.environ["PIN"]}["pin"]',
    ],
)
def test_an_artifact_that_holds_a_secret_is_refused(lab: Any, vault: Path, does: str) -> None:
    vault.write_text(vault.read_text() + "PIN=7391\n")
    ran = lab.run(one_step('sources=["env-file.vault.env"]', does))
    assert ran.failure.type_name == "StepRaised"
    assert "`it`" in ran.failure.message
    assert_nowhere(lab.home, TOKEN)


INLINE = "inl1ne-v4lue-of-old"


def test_inline_values_are_not_kept_with_the_flow(any_lab: Any) -> None:
    ran = any_lab.run(f"""
        from flowkit import card, secrets

        class Inline(FlowSpec):
            @card
            @secrets(sources=[{{"type": "inline", "id": "x",
                                "options": {{"env_vars": {{"INNER": "{INLINE}"}}}}}}])
            @step
            def start(self):
                print(os.environ["INNER"])
                self.length = len(os.environ["INNER"])
                self.next(self.end)

            @card
            @step
            def end(self):
                raise ValueError("on purpose")
    """)
    assert ran.value("length", "start") == len(INLINE)
    assert logs_of(ran) == "***\n"
    assert_nowhere(any_lab.home, INLINE)
    assert "INNER" in any_lab.cli("graph", str(any_lab.file), "--json").stdout
    assert INLINE not in any_lab.cli("graph", str(any_lab.file), "--json").stdout


def test_a_command_line_gives_sources_and_no_values(lab: Any) -> None:
    lab.write("""
        class Bare(FlowSpec):
            @step
            def start(self):
                self.length = len(os.environ["TOKEN"])
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    done = lab.cli("run", str(lab.file), "--with", "secrets:sources=env-file.vault.env")
    assert done.returncode == 0, done.stderr
    listed = 'secrets:sources=["env-file.vault.env"]'
    assert lab.cli("run", str(lab.file), "--with", listed).returncode == 0
    assert_nowhere(lab.home, TOKEN)
    inline = f'{{"type": "inline", "options": {{"env_vars": {{"TOKEN": "{INLINE}"}}}}}}'
    for value in (f"[{inline}]", f"[{inline}", f'{{"token": "{INLINE}"}}', f'["{INLINE}", 7]'):
        refused = lab.cli("run", str(lab.file), "--with", f"secrets:sources={value}")
        assert refused.returncode == 2, value
        assert INLINE not in refused.stdout + refused.stderr
    assert_nowhere(lab.home, INLINE)


def test_get_secret_returns_what_is_masked_from_then_on(any_lab: Any) -> None:
    ran = any_lab.run("""
        from flowkit import get_secret

        class Asks(FlowSpec):
            @step
            def start(self):
                found = get_secret("env-file.vault.env")
                print(found)
                self.names = sorted(found)
                self.is_set = "TOKEN" in os.environ
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    assert (ran.value("names"), ran.value("is_set")) == (["KEY", "TOKEN"], False)
    assert_nowhere(any_lab.home, TOKEN, KEY)


def test_what_a_secret_is_makes_nothing_stale_but_where_it_is_does(lab: Any, vault: Path) -> None:
    flow = """
        from flowkit import secrets

        class Again(FlowSpec):
            @secrets(sources=["env-file.vault.env"])
            @memo
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    lab.run(flow)
    vault.write_text("TOKEN=renewed-token")
    assert "start/0" in lab.run(flow).cloned
    vault.with_name("moved.env").write_text("TOKEN=moved-token")
    assert "start/0" not in lab.run(flow.replace("vault.env", "moved.env")).cloned
    assert "where its `@secrets` are kept" in lab.cli("explain", "Again/3/start").stdout


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("env-file.absent.env", "absent.env` cannot be read: No such file"),
        ("command.sh -c 'echo pr1nted-$((40+2)); exit 7'", "ended with exit code 7"),
        ("command.no-such-program", "cannot be started"),
        ("env-fil.vault.env", "no provider of secrets `env-fil`"),
        ("vault", "names no provider"),
    ],
)
def test_secrets_that_cannot_be_fetched_say_why_and_end_the_run(
    lab: Any, source: str, told: str
) -> None:
    ran = lab.run(one_step(f"sources=[{source!r}]"))
    assert ran.failure.type_name == "SecretsUnavailable"
    assert ran.failure.exit_code == 4
    assert told in ran.failure.message
    assert ran.failure.hint
    assert_nowhere(lab.home, "pr1nted-42")


def test_sources_without_a_provider_ask_the_one_that_is_set(any_lab: Any) -> None:
    any_lab.having(secrets_provider="env-file")
    does = 'self.length = len(os.environ["TOKEN"])'
    # A name with a dot would name a provider before it.
    (any_lab.folder / "vault").write_text((any_lab.folder / "vault.env").read_text())
    ran = any_lab.run(one_step('sources=["vault"]', does))
    assert ran.value("length") == len(TOKEN)


PROVIDER = """
class Keeper:
    def fetch(self, id, *, options, role):
        if id == "broken":
            raise OSError(f"cannot log in with {options['with']}")
        return {f"{id.upper()}_{role}": "k3pt-elsewhere-" + options["with"]}
"""


def test_a_provider_of_an_installed_package_is_asked(lab: Any) -> None:
    (lab.folder / "keeper.py").write_text(PROVIDER)
    metadata = lab.folder / "keeper-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: keeper\nVersion: 1.0\n")
    points = "[flowkit.secrets_providers]\nkeeper = keeper:Keeper\n"
    (metadata / "entry_points.txt").write_text(points)
    path = os.pathsep.join([str(lab.folder), lab.environ()["PYTHONPATH"]])
    source = '{"type": "keeper", "id": "db", "options": {"with": "care"}}'
    does = 'print(os.environ["DB_reader"]); self.length = len(os.environ["DB_reader"])'
    lab.write(one_step(f'sources=[{source}], role="reader"', does))
    done = lab.cli("run", str(lab.file), env=lab.environ(PYTHONPATH=path))
    assert done.returncode == 0, done.stderr
    assert lab.latest("One")["start"].task.data.length == len("k3pt-elsewhere-care")
    assert_nowhere(lab.home, "k3pt-elsewhere-care")
    lab.write(one_step(f"sources=[{source.replace('db', 'broken')}]"))
    failed = lab.cli("run", str(lab.file), env=lab.environ(PYTHONPATH=path))
    assert failed.returncode == 4
    assert "raised OSError at" in failed.stderr
    assert "cannot log in" not in failed.stderr
