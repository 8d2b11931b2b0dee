"""What the cmdlet functions give, by their parameters, as type checkers see it: checked by `make check`, never run."""

from typing import assert_type

import facade


def runs(thread: str, run: facade.Run, all: bool) -> None:  # noqa: A002  # the cmdlets' own word
    """An id gives one run, `all` a walk, nothing a page; what is not known gives either."""
    assert_type(facade.get_thread_run(thread, "run_1", order="desc", timeout_sec=5), facade.Run)
    assert_type(facade.get_thread_run(thread, limit=5, api_key="sk-x"), facade.Page[facade.Run])
    assert_type(facade.get_thread_run([thread], all=True), facade.Walk[facade.Run])
    assert_type(facade.get_thread_run(run, all=all), facade.Walk[facade.Run] | facade.Page[facade.Run])
    facade.get_thread_run(thread, "run_1", limit=5)  # type: ignore[call-overload]  # pyright: ignore


def steps(run: facade.Run, all: bool) -> None:  # noqa: A002
    """So it is for steps, with the step's id by position or by name."""
    assert_type(facade.get_thread_run_step("run_1", "thread_1", "step_1", include="x"), facade.RunStep)
    assert_type(facade.get_thread_run_step(run, step_id="step_1"), facade.RunStep)
    assert_type(facade.get_thread_run_step(run, limit=5, include=["x"]), facade.Page[facade.RunStep])
    walk = facade.get_thread_run_step(facade.get_thread_run("thread_1", all=True), all=True)
    assert_type(walk, facade.Walk[facade.RunStep])
    assert_type(facade.get_thread_run_step(run, all=all), facade.Walk[facade.RunStep] | facade.Page[facade.RunStep])
    facade.get_thread_run_step(run, step_id="step_1", all=True)  # type: ignore[call-overload]  # pyright: ignore


def messages(thread: str, step: facade.RunStep, all: bool) -> None:  # noqa: A002
    """And for messages, which the step that made one names as well."""
    assert_type(facade.get_thread_message(thread, "msg_1"), facade.Message)
    assert_type(facade.get_thread_message(step, step), facade.Message)
    assert_type(facade.get_thread_message(thread, all=all), facade.Walk[facade.Message] | facade.Page[facade.Message])
    assert_type(facade.get_thread_message(thread, run_id="run_1", limit=5), facade.Page[facade.Message])
    assert_type(facade.get_thread_message([thread], all=True), facade.Walk[facade.Message])


def life(run: facade.Run) -> None:
    """Starting and answering give a stream where one is asked for, stopping a run where `pass_thru` is."""
    assert_type(facade.start_thread_run("thread_1", "asst_1", message="Hello", model="m"), facade.Run)
    assert_type(facade.start_thread_run(assistant_id="asst_1", stream=True), facade.RunStream)
    facade.start_thread_run("thread_1", "asst_1", modell="m")  # type: ignore[call-overload]  # pyright: ignore
    assert_type(facade.submit_tool_output(run, tool_output={"call_1": 3}), facade.Run)
    assert_type(facade.submit_tool_output("run_1", "thread_1", tool_output=[], stream=True), facade.RunStream)
    facade.submit_tool_output(run)  # type: ignore[call-overload]  # pyright: ignore
    assert_type(facade.wait_thread_run(run, status_for_exit="queued", deadline_sec=5), facade.Run)
    assert_type(facade.stop_thread_run(run, pass_thru=True, wait=True), facade.Run)
    assert_type(facade.stop_thread_run(run, force=True), None)
