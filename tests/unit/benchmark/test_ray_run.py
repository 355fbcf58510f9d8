"""The same result from a local Ray cluster; failures of single videos."""

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from colours import ColourTracker

from sam2s.benchmark import ray_run
from sam2s.benchmark.ray_run import run_on_ray
from sam2s.benchmark.run_benchmark import EvaluatedModel, Options, run_benchmark
from sam2s.errors import InputError
from sam2s.sharing.ray_actors import Cluster

ABOUT = {"name": "colour", "sha256": "0" * 64, "memory": {"rule": "none"}}
TIMED = ("fps", "object_fps", "provenance")
TWO = Cluster("auto", workers=2, gpus=0)


class Picky(ColourTracker):
    """Breaks in the first video it is given, which is the longer one, by an error or by ending its
    process."""

    def __init__(self, dies: bool) -> None:
        super().__init__()
        self.dies = dies

    def step(self, frame: Any, prompts: Any = None, prior: Any = None) -> Any:
        if self.resets == 1 and frame.index == 8:
            if self.dies:
                os._exit(3)
            raise InputError("this one is broken")
        return super().step(frame, prompts, prior)


def opened(log: Path) -> EvaluatedModel:
    with log.open("a") as file:
        file.write("opened\n")
    return EvaluatedModel(ColourTracker(), ABOUT)


def broken(dies: bool) -> EvaluatedModel:
    return EvaluatedModel(Picky(dies), ABOUT)


def failing() -> EvaluatedModel:
    raise InputError("no such weights")


def unlike() -> EvaluatedModel:
    return EvaluatedModel(ColourTracker(), {**ABOUT, "device": os.getpid()})


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    here = Path(__file__).parent
    paths = os.pathsep.join(
        [str(here), str(here.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level="error",
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


def scores(file: Path) -> dict[str, object]:
    return {key: value for key, value in json.loads(file.read_text()).items() if key not in TIMED}


# Ray leaves sockets and files to the garbage collector.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
class TestOnRay:
    def test_the_result_is_that_of_one_run_and_each_worker_opens_once(
        self, folder: Path, tmp_path: Path
    ) -> None:
        one, many = tmp_path / "one.json", tmp_path / "many.json"
        run_benchmark(
            folder, EvaluatedModel(ColourTracker(), ABOUT), Options(json=one, progress=False)
        )
        log = tmp_path / "opened"
        result = run_on_ray(folder, partial(opened, log), Options(json=many, progress=False), TWO)
        assert result.board().mean is not None
        assert scores(many) == scores(one)
        assert log.read_text() == "opened\n" * 2
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "many.json",
            "one.json",
            "opened",
        ]

    @pytest.mark.parametrize("dies", [False, True])
    def test_a_failed_video_is_named_and_the_others_are_kept(
        self, folder: Path, tmp_path: Path, dies: bool
    ) -> None:
        file = tmp_path / "results.json"
        options = Options(json=file, progress=False)
        with pytest.raises(InputError, match="of 2 videos failed") as error:
            run_on_ray(folder, partial(broken, dies), options, Cluster("auto", workers=1, gpus=0))
        assert "still: " in str(error.value)
        assert dies or "still: this one is broken" in str(error.value)
        assert not file.exists()
        run_on_ray(folder, partial(opened, tmp_path / "log"), options, TWO)
        assert file.exists()

    def test_a_model_that_cannot_be_opened(self, folder: Path) -> None:
        with pytest.raises(InputError, match="no such weights"):
            run_on_ray(folder, failing, Options(progress=False), TWO)

    def test_workers_must_be_alike(self, folder: Path) -> None:
        with pytest.raises(InputError, match="do not run alike"):
            run_on_ray(folder, unlike, Options(progress=False), TWO)


def test_without_ray_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"sam2s\[ray\]"):
        run_on_ray(folder, failing, Options(progress=False), TWO)


class FakeRay:
    """As much of Ray as is used, in this process: tasks run when asked for, and ``Dying`` takes its
    actor along."""

    class exceptions:
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            def __init__(self, cause: BaseException) -> None:
                super().__init__(str(cause))
                self.cause = cause

    def __init__(self, **resources: float) -> None:
        self.resources = resources
        self.hired: list[dict[str, float]] = []
        self.killed = 0
        self.closed = 0

    def is_initialized(self) -> bool:
        return False

    def init(self, **given: Any) -> None:
        if not self.resources:
            raise ConnectionError("nobody listens\non that port")

    def shutdown(self) -> None:
        self.closed += 1

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **given: float) -> Any:
        def bind(kind: Any) -> Any:
            def hire(*arguments: Any) -> FakeActor:
                self.hired.append(given)
                return FakeActor(self, partial(kind, *arguments))

            return type("Hire", (), {"remote": staticmethod(hire)})

        return bind

    def get(self, task: Any) -> Any:
        return [one() for one in task] if isinstance(task, list) else task()

    def kill(self, actor: Any) -> None:
        self.killed += 1

    def wait(self, tasks: list[Any]) -> tuple[list[Any], list[Any]]:
        return tasks[-1:], tasks[:-1]


class Dying(BaseException):
    pass


class FakeActor:
    def __init__(self, ray: FakeRay, make: Any) -> None:
        self.ray, self.make, self.made, self.dead = ray, make, None, False

    def __getattr__(self, name: str) -> Any:
        return type(
            "Method", (), {"remote": lambda _, *arguments: partial(self.call, name, arguments)}
        )()

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        assert not self.dead
        try:
            self.made = self.made or self.make()
            return getattr(self.made, name)(*arguments)
        except Dying:
            self.dead = True
            raise self.ray.exceptions.RayError("the actor died") from None
        except Exception as error:
            raise self.ray.exceptions.RayTaskError(error) from error


class Frail(ColourTracker):
    """Breaks in its first video, which is the longest, 'still'."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def step(self, frame: Any, prompts: Any = None, prior: Any = None) -> Any:
        if self.resets == 1 and frame.index == 8:
            raise self.error
        return super().step(frame, prompts, prior)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay(CPU=9.0)
    monkeypatch.setattr(ray_run, "import_ray", lambda: ray)
    return ray


def test_videos_are_shared_out(folder: Path, tmp_path: Path, fake: FakeRay) -> None:
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    run_benchmark(folder, EvaluatedModel(ColourTracker(), ABOUT), Options(json=one, progress=False))
    run_on_ray(
        folder, partial(opened, tmp_path / "log"), Options(json=many, progress=False), Cluster()
    )
    assert scores(many) == scores(one)
    assert (tmp_path / "log").read_text() == "opened\n" * 2
    assert fake.hired == [{"num_gpus": 0.0, "num_cpus": 1}] * 2
    assert fake.killed == 2
    assert fake.closed == 1


@pytest.mark.parametrize(
    ("resources", "cluster", "hired"),
    [
        ({"CPU": 64.0, "GPU": 1.0}, Cluster(), [{"num_gpus": 1.0, "num_cpus": 1}]),
        ({"CPU": 64.0, "GPU": 8.0}, Cluster(), [{"num_gpus": 1.0, "num_cpus": 1}] * 2),
        (
            {"CPU": 64.0, "GPU": 8.0},
            Cluster(workers=1, gpus=0.5),
            [{"num_gpus": 0.5, "num_cpus": 1}],
        ),
        ({"CPU": 2.0}, Cluster(), [{"num_gpus": 0.0, "num_cpus": 1}]),
    ],
)
def test_there_are_as_many_workers_as_fit(
    folder: Path,
    tmp_path: Path,
    fake: FakeRay,
    resources: dict[str, float],
    cluster: Cluster,
    hired: list[object],
) -> None:
    fake.resources = resources
    run_on_ray(folder, partial(opened, tmp_path / "log"), Options(progress=False), cluster)
    assert fake.hired == hired


@pytest.mark.parametrize(
    ("error", "reason", "hired"),
    [
        (InputError("this one is broken"), "still: this one is broken", 1),
        (RuntimeError("on purpose\nmore"), "still: RuntimeError: on purpose", 1),
        (Dying(), "still: RayError: the actor died", 2),
    ],
)
def test_a_failure_is_told_of_and_the_others_go_on(
    folder: Path, tmp_path: Path, fake: FakeRay, error: BaseException, reason: str, hired: int
) -> None:
    file = tmp_path / "results.json"
    options = Options(json=file, progress=False)
    frail = [EvaluatedModel(Frail(error), ABOUT)]  # the first worker; its successor is sound
    one = Cluster(workers=1)
    with pytest.raises(InputError, match="1 of 2 videos failed") as caught:
        run_on_ray(
            folder,
            lambda: frail.pop() if frail else EvaluatedModel(ColourTracker(), ABOUT),
            options,
            one,
        )
    assert reason in str(caught.value)
    assert "same command" in str(caught.value)
    assert len(fake.hired) == fake.killed == hired
    assert not file.exists()
    sound = ColourTracker()
    run_on_ray(folder, lambda: EvaluatedModel(sound, ABOUT), options, one)
    assert sound.resets == 1
    assert file.exists()


def test_a_model_that_does_not_open_ends_the_run(folder: Path, fake: FakeRay) -> None:
    with pytest.raises(InputError, match="no such weights"):
        run_on_ray(folder, failing, Options(progress=False), Cluster())
    abouts = iter([ABOUT, {**ABOUT, "device": "cuda"}])
    with pytest.raises(InputError, match="do not run alike"):
        run_on_ray(
            folder,
            lambda: EvaluatedModel(ColourTracker(), next(abouts)),
            Options(progress=False),
            TWO,
        )
    assert fake.closed == 2


def test_a_cluster_that_is_not_there(folder: Path, fake: FakeRay) -> None:
    fake.resources = {}
    with pytest.raises(InputError, match=r"--ray nowhere:1: no Ray cluster .*nobody listens"):
        run_on_ray(folder, failing, Options(progress=False), Cluster("nowhere:1"))
