"""`fitcli ablate`: the paper's tables on the user's own videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stages
from fitcli.cli.training.extra import needs_training_extra
from fitcli.outputs import HTML, MARKDOWN, claim, make_folder

if TYPE_CHECKING:
    from fitcli.training.evaluation.ablation import Plan

TABLES, PAGE = "ablation.md", "ablation.html"


def _listed(given: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise typer.BadParameter(f"{', '.join(wrong) or 'nothing'} is no {what}: choose from {', '.join(known)}.")
    return names


def _reductions(given: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in given.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(2 <= number <= 16 for number in numbers):
        raise typer.BadParameter(f"{given!r}: write numbers from 2 to 16, as 2,8,16.")
    return numbers


def ablate(
    data: Annotated[
        Path,
        typer.Argument(parser=options.given_path, metavar="DATA", help="Folder of train|val|test/<exercise>/*.mp4."),
    ],
    train_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- TRAIN OPTIONS", help="After --: options of `fitcli train videos`."),
    ] = None,
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            parser=options.given_path,
            metavar="DIR",
            help="Folder for the runs and the tables; finished runs in it are kept.",
        ),
    ] = Path("ablation"),
    table: Annotated[
        str, typer.Option(metavar="LIST", help="Which tables.")
    ] = "pretrained,x3d,slowfast,reduction,transfer,ensemble",
    networks: Annotated[
        str, typer.Option(metavar="SLOWFAST,X3D", help="The two of pretrained, transfer and ensemble.")
    ] = "slowfast_r50,x3d_m",
    x3d: Annotated[str, typer.Option("--x3d", metavar="LIST", help="What table x3d compares.")] = "x3d_xs,x3d_s,x3d_m",
    slowfast: Annotated[
        str, typer.Option(metavar="LIST", help="What table slowfast compares.")
    ] = "slowfast_r18,slowfast_r50,slowfast_r101",
    reductions: Annotated[
        str, typer.Option(metavar="LIST", help="What table reduction compares, 2 to 16.")
    ] = "2,4,6,8,10,12,14,16",
    pretrained: Annotated[
        str,
        typer.Option(
            parser=options.given_name,
            metavar="kinetics|none|FILE",
            help="What runs start from where a table does not say.",
        ),
    ] = "kinetics",
    cache: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path, metavar="DIR", help="Folder for decoded frames; default: your cache folder."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    device: options.OnDevice = options.Device.auto,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and stop.")] = False,
) -> None:
    """Train what the paper's tables compare, each network once, and write the tables with confidence intervals."""
    needs_training_extra()
    from fitcli.network.spec import RGB_NETWORKS
    from fitcli.training.evaluation import ablation

    both = _listed(networks, tuple(RGB_NETWORKS), "network")
    if len(both) != 2:
        raise typer.BadParameter("--networks takes two: the SlowFast and the X3D of the ensemble.")
    plan = ablation.Plan(
        tables=_listed(table, ablation.TABLES, "table"),
        networks=(both[0], both[1]),
        x3d=_listed(x3d, tuple(RGB_NETWORKS), "network"),
        slowfast=_listed(slowfast, tuple(RGB_NETWORKS), "network"),
        reductions=_reductions(reductions),
        pretrained=pretrained,
    )
    given = list(train_options or ())
    taken = [option for option in given if option.partition("=")[0] in ablation.PLANNED]
    if taken:
        raise typer.BadParameter(f"{', '.join(taken)} is set by the tables themselves.")
    runs = plan.runs()
    if dry_run:
        for run in runs:
            typer.echo(run.name)
        return
    _perform(plan, data, to, given, cache, device.value, overwrite)


def _perform(
    plan: Plan, data: Path, to: Path, given: list[str], cache: Path | None, device: str, overwrite: bool
) -> None:
    from fitcli.training.evaluation import ablation
    from fitcli.training.evaluation import ablation_page as pages
    from fitcli.training.evaluation.score_videos import readable, score_videos
    from fitcli.training.rgb.videos import list_videos

    folder = list_videos(data)
    ablation.held_out(folder)
    make_folder(to)
    # Tables of an earlier run with this folder are brought up to date; other files of these names are not.
    ours = overwrite or (to / ablation.PLAN_FILE).exists()
    tables, page = (claim(to / name, format, overwrite=ours) for name, format in ((TABLES, MARKDOWN), (PAGE, HTML)))
    ablation.claim(to, plan, given)
    passed = [*(("--cache", str(cache)) if cache else ()), "--device", device, *given]
    faults: dict[str, str] = {}
    runs = plan.runs()
    for number, run in enumerate(runs, 1):
        finished = run.checkpoint(to).exists()
        note(f"[{number}/{len(runs)}] {run.name}{': done already' if finished else ''}")
        fault = ablation.perform(run, data, to, passed)
        if fault:
            faults[run.name] = fault
            note(f"{run.name} failed: {fault} Its log: {to / run.name / ablation.OUTPUT_FILE}", style="red")
    with stages(shown=True) as on_stage:
        for run in [run for run in runs if run.name not in faults][:1]:
            folder = readable(folder, run.checkpoint(to), cache, lambda share: on_stage("decoding test videos", share))
        videos = ablation.held_out(folder)
        done = ablation.report(
            plan,
            to,
            folder,
            given,
            faults,
            lambda checkpoint: score_videos(
                checkpoint,
                videos,
                cache,
                device=device,
                on_progress=lambda share: on_stage(f"scoring {checkpoint.parent.name}", share),
            ),
        )
    tables.write_text(pages.markdown(done))
    page.write_text(pages.html(done))
    note(f"Tables: {tables.path} and {page.path}")
    raise typer.Exit(1 if done.faults else 0)
