"""Cards: one a decorator and task, and never at a task's cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flowkit import get_cards
from flowkit.runner import RunOptions
from flowkit.store import collect, verify_store

if TYPE_CHECKING:
    from conftest import Lab, Ran

    from flowkit.cards import Card

TOP = "from flowkit import card\nfrom flowkit.cards import *\n"


def one_step(decorators: str, body: str = "pass", more: str = "") -> str:
    def indented(text: str, by: int) -> str:
        return "\n".join(" " * by + line for line in text.strip().splitlines())

    head = "class Shown(FlowSpec):\n    rate: float = Parameter(default=0.5, help='a rate')\n"
    method = "    @step(start=True, end=True)\n    def only(self):\n"
    return f"{TOP}{more}\n{head}{indented(decorators, 4)}\n{method}{indented(body, 8)}\n"


MORE = """        self.next(self.last)

    @step(end=True)
    def last(self): ...
"""


def cards_of(ran: Ran, step: str = "only") -> list[Card]:
    assert ran.status == "succeeded", ran.end
    return list(get_cards(ran.run[step].task))


def test_a_default_card_tells_all_about_a_task(any_lab: Lab) -> None:
    body = "self.answer = 42\nself.note = '<script>alert(1)</script>'"
    (card,) = cards_of(any_lab.run(one_step("@card", body)))
    html = card.get()
    assert (card.type, card.id) == ("default", None)
    for part in ("Parameters", "a rate", "0.5", "Graph", "<svg", "answer", "42", "Code"):
        assert part in html
    assert "self.answer" in html.replace("</span>", "").replace('<span class="n">', "")
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html


def test_a_step_fills_its_cards(any_lab: Lab) -> None:
    body = """
current.card.append(Markdown("# For the editable one"))
current.card["two"].extend([ValueBox("Score", 0.5), "plain text"])
current.card["two"].append(ProgressBar(max=4, label="Epochs"), id="bar")
current.card["two"].components["bar"].update(3)
current.card["one"].append(1)
current.card["one"].clear()
"""
    decorators = '@card(type="blank", id="one")\n@card(type="blank", id="two")\n@card'
    one, two, rest = cards_of(any_lab.run(one_step(decorators, body)))
    assert [(card.type, card.id) for card in (one, two, rest)] == [
        ("blank", "one"),
        ("blank", "two"),
        ("default", None),
    ]
    assert "For the editable one" in rest.get()
    assert "3 of 4" in two.get()
    assert "plain text" in two.get()
    assert '<div class="component">' not in one.get()


def test_customize_chooses_the_card_that_is_edited(lab: Lab) -> None:
    decorators = '@card\n@card(type="blank", id="mine", customize=True)'
    default, mine = cards_of(lab.run(one_step(decorators, 'current.card.append("here")')))
    assert ">here<" in mine.get()
    assert '<div class="component">' not in default.get()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("raise ValueError('it broke')", "it broke"),
        ("time.sleep(600)", "longer than 1 s"),
        ("os._exit(3)", "its process died"),
        ("return 7", "returned a int"),
    ],
)
def test_a_card_that_cannot_be_made_harms_no_task(any_lab: Lab, template: str, said: str) -> None:
    more = f"class Mine(MetaflowCard):\n    def render(self, task):\n        {template}\n"
    kind = f"{any_lab.write('').stem}:Mine"
    ran = any_lab.run(one_step(f'@card(type="{kind}", timeout=1)', "self.x = 1", more))
    (card,) = cards_of(ran)
    assert card.type == "error"
    assert said in card.get()
    assert any(said in line for line in ran.printed)
    assert ran.value("x", step="only") == 1


def test_an_error_card_is_kept_only_if_it_is_wanted(lab: Lab) -> None:
    ran = lab.run(one_step('@card(type="no_such_card", save_errors=False)'))
    assert cards_of(ran) == []
    assert any("no card of type `no_such_card`" in line for line in ran.printed)


def test_objects_of_any_kind_do_not_break_user_code(any_lab: Lab) -> None:
    more = (
        "class Odd:\n"
        "    def __repr__(self):\n        raise ValueError('no text')\n"
        "class Part(CardComponent):\n"
        "    def render(self):\n        raise RuntimeError('no part')\n"
    )
    body = """
for one in (Odd(), Part(), lambda: 1, b"\\xff", float("nan"), {1: Odd()}, Image(3), Image("/no")):
    current.card.append(one)
current.card["no such"].append(1)
current.card.components["no such"].update(2)
"""
    (card,) = cards_of(any_lab.run(one_step('@card(type="blank")', body, more)))
    assert card.type == "blank"
    assert "Part could not be shown" in card.get()
    assert "nan" in card.get()


def test_a_step_without_a_card_may_append_and_is_told_once(any_lab: Lab) -> None:
    body = "for n in range(3):\n    current.card.append(n)\n    current.card['x'].append(n)"
    ran = any_lab.run(one_step("", body))
    assert cards_of(ran) == []
    assert sum("has no `@card`" in line for line in ran.printed) == 1


def test_a_failed_attempt_has_a_card_too_and_each_attempt_its_own(lab: Lab) -> None:
    body = "assert current.retry_count, 'the first one fails'"
    ran = lab.run(one_step("@retry(times=1, minutes_between_retries=0)\n@card", body))
    first, second = ran.run["only"].task.attempts
    assert "the first one fails" in get_cards(first)[0].get()
    assert "What was raised" not in get_cards(second)[0].get()


def test_a_viewer_sees_a_card_while_its_step_runs(any_lab: Lab) -> None:
    body = """
from flowkit import get_cards
current.card.append(Markdown("so far"))
current.card.refresh({"epoch": 1})
while not (found := list(get_cards(current.task))):
    time.sleep(0.01)
self.seen, self.data = found[0].get(), found[0].get_data()
self.is_live = found[0].is_live
current.card.append(Markdown("and more"))
current.card.refresh({"epoch": 2})
"""
    ran = any_lab.run(one_step('@card(type="blank", refresh_interval=60)', body))
    (card,) = cards_of(ran)
    assert "so far" in ran.value("seen", step="only")
    assert ran.value("data", step="only") == {"epoch": 1}
    assert ran.value("is_live", step="only")
    assert "and more" in card.get()
    assert card.get_data() == {"epoch": 2}
    assert not card.is_live
    assert not list((any_lab.home / "live").rglob("*.card-*"))


def test_what_a_dead_process_has_shown_of_its_card_is_kept(process_lab: Lab) -> None:
    body = """
from flowkit import get_cards
current.card.append(Markdown("last words"))
current.card.refresh()
while not get_cards(current.task):
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ran = process_lab.run(one_step('@card(type="blank")', body))
    (card,) = get_cards(ran.run["only"].task)
    assert ran.status == "failed"
    assert "last words" in card.get()
    assert not card.is_live


def test_with_card_adds_one_to_steps_that_have_none(lab: Lab) -> None:
    lab.write(
        TOP + "class Two(FlowSpec):\n"
        "    @card(type='blank')\n    @step\n    def start(self):\n        self.next(self.end)\n"
        "    @step\n    def end(self):\n        pass\n"
    )
    ran = lab.run(options=RunOptions(with_specs=("card",)))
    assert [card.type for card in cards_of(ran, "start")] == ["blank"]
    assert [card.type for card in cards_of(ran, "end")] == ["default"]


def test_a_clone_has_the_cards_of_its_origin(lab: Lab) -> None:
    flow = (
        TOP + "class Again(FlowSpec):\n"
        "    @card\n    @step\n    def start(self):\n        self.next(self.end)\n"
        "    @step\n    def end(self):\n        {}\n"
    )
    lab.run(flow.format("raise ValueError"))
    lab.write(flow.format("pass"))
    ran = lab.resume()
    (card,) = cards_of(ran, "start")
    assert "Again/1/start/0" in card.get()
    assert list(get_cards(ran.run["start"].task, follow_resumed=False)) == []


def test_cards_go_with_their_run_and_stay_through_a_collection(lab: Lab) -> None:
    ran = lab.run(one_step("@card", "self.x = 1"))
    store, run = lab.workspace.store, ran.run.row.run
    collect(store, grace_s=0)
    assert len(cards_of(ran)) == 1
    assert list(verify_store(store)) == []
    keys = [key for key in store.storage.list("runs") if "/cards/" in key]
    assert len(keys) == 1
    store.delete_run(run)
    assert not [key for key in store.storage.list("runs") if "/cards/" in key]


def test_the_command_line_lists_and_saves_cards(lab: Lab) -> None:
    decorators = '@card(type="blank", id="a")\n@card(type="blank", id="b")'
    cards = cards_of(lab.run(one_step(decorators, 'current.card["b"].append("text of b")')))
    listed = json.loads(lab.cli("card", "list", "Shown/1/only/0", "--as-json").stdout)
    assert listed == {
        "pathspec": "Shown/1/only/0",
        "cards": [
            {"hash": one.hash, "id": one.id, "type": "blank", "filename": one.filename}
            for one in cards
        ],
    }
    file = lab.folder / "b.html"
    assert lab.cli("card", "get", "Shown/1/only", str(file), "--id", "b").returncode == 0
    assert file.read_text() == cards[1].get()
    assert lab.cli("card", "get", "Shown/1/only", "--hash", cards[0].hash[:10]).stdout == (
        cards[0].get()
    )
    assert lab.cli("card", "get", "Shown/1/only").returncode == 2
    assert lab.cli("card", "get", "Shown/1/only", "--id", "c").returncode == 2


def test_a_flow_script_names_steps_of_its_latest_run(lab: Lab) -> None:
    lab.run(one_step("@card"))
    lab.file.write_text(lab.file.read_text() + "\nif __name__ == '__main__':\n    Shown()\n")
    done = lab.python(str(lab.file), "card", "get", "only")
    assert done.stdout.startswith("<!DOCTYPE html>"), done.stderr


def test_options_of_card_are_checked_with_the_flow(lab: Lab) -> None:
    lab.write(one_step("@card(timeout=0)\n@card(options=3)\n@card(colour=1)"))
    done = lab.cli("check", str(lab.file))
    assert done.returncode == 3
    assert "`timeout` of `@card` is 0" in done.stderr
    assert "`options` of `@card` is a dict" in done.stderr
    assert "`@card` has no option `colour`" in done.stderr


def test_of_equal_cards_either_is_meant(lab: Lab) -> None:
    ran = lab.run(one_step("@card(type='blank', id='a')\n@card(type='blank', id='b')"))
    one, two = cards_of(ran)
    assert one.hash == two.hash
    done = lab.cli("card", "get", ran.run["only"].task.pathspec)
    assert (done.returncode, done.stdout) == (0, one.get())


def test_card_is_created_of_a_task_that_has_ended(lab: Lab) -> None:
    ran = lab.run(one_step("@card(type='blank', id='a')", "self.answer = 42"))
    task = ran.run["only"].task.pathspec
    done = lab.cli("card", "create", task, "--id", "later")
    assert done.returncode == 0, done.stderr
    first, later = get_cards(ran.run["only"].task)
    assert (first.id, later.id, later.type) == ("a", "later", "default")
    assert later.hash == done.stdout.strip()
    assert "answer" in later.get()
    assert "42" in later.get()
    assert list(verify_store(lab.workspace.store)) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--type", "nonsense"], "there is no card of type `nonsense`"),
        (["--options", "[1]"], "`--options [1]` is no JSON object"),
        (["--options", "[" * 50_000], "is no JSON object"),
        (["--type", "json:loads"], "`json:loads` is no card"),
    ],
)
def test_card_that_cannot_be_created_is_told_and_not_kept(
    lab: Lab, words: list[str], message: str
) -> None:
    ran = lab.run(one_step(""))
    done = lab.cli("card", "create", ran.run["only"].task.pathspec, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(get_cards(ran.run["only"].task)) == []


def test_card_whose_template_fails_is_told_and_not_kept(lab: Lab) -> None:
    ran = lab.run(one_step(""))
    (lab.folder / "broken.py").write_text(
        "from flowkit.cards import CardTemplate\n\n"
        "class Broken(CardTemplate):\n"
        "    type = 'broken'\n"
        "    def render(self, task):\n"
        "        raise ValueError('no card')\n"
    )
    path = f"{lab.environ()['PYTHONPATH']}:{lab.folder}"
    words = ("card", "create", ran.run["only"].task.pathspec, "--type", "broken:Broken")
    done = lab.cli(*words, env=lab.environ(PYTHONPATH=path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "the card could not be made: ValueError: no card" in done.stderr
    assert list(get_cards(ran.run["only"].task)) == []


def test_card_of_a_clone_or_of_several_tasks_is_not_created(lab: Lab) -> None:
    first = lab.run(one_step("").replace("@step(start=True, end=True)", "@step(start=True)") + MORE)
    again = lab.resume(step="last")
    clone = again.run["only"].task
    done = lab.cli("card", "create", clone.pathspec)
    assert "is a clone" in done.stderr
    assert f"`{first.run.pathspec}/only/0`" in done.stderr
    assert "names 2 tasks" in lab.cli("card", "create", first.run.pathspec).stderr
