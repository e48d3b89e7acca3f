"""`convert` and `info`, and a video of what they made."""

from pathlib import Path

import pytest
from helpers.cli_media import (
    BRIEF,
    DRIVING_FRAMES,
    Animate,
    Media,
    read_error,
    request_of,
    same_frames,
    watch,
)
from helpers.tiny import TINY

from actalker_core.cli import main
from actalker_core.models.actalker.checkpoint import summarize

pytestmark = pytest.mark.usefixtures("quick_models")


def test_convert_info_generate(
    release_folder: Path,
    media: Media,
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    convert_tiny: None,
) -> None:
    model = tmp_path / "models" / "tiny.safetensors"
    convert = ["convert", str(release_folder), "--out", str(model)]
    assert main([*convert, "--dtype", "fp16"]) == 0
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    numbers = summarize(model).parameters
    assert [f for f in (*numbers, "F16", "12.5 fps", "128 px") if f not in text] == []
    assert f"{sum(numbers.values()):,}" in text
    assert main(request_of(media, out, "audio driving", "--model", str(model))) == 0
    assert len(watch(out).images) == DRIVING_FRAMES


def test_converted_weights_are_the_ones_used(animate: Animate, checkpoint: Path) -> None:
    video = animate("driving", *BRIEF, "--model", str(checkpoint))
    assert not same_frames(video, animate("driving", *BRIEF))


def test_svd_may_be_named_when_converting(
    release_folder: Path,
    single_svd: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    convert_tiny: None,
) -> None:
    (release_folder / "svd").rename(tmp_path / "elsewhere")
    request = ["convert", str(release_folder), "--out", str(tmp_path / "model")]
    assert "--svd" in read_error(request, caplog)
    assert main([*request, "--svd", str(single_svd)]) == 0
    assert summarize(tmp_path / "model").config == TINY


def test_release_of_other_sizes_is_refused(
    release_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = read_error(["convert", str(release_folder), "--out", str(tmp_path / "model")], caplog)
    assert "unet-1.pth" in message
    assert not (tmp_path / "model").exists()


def test_info_of_something_else_is_an_error(media: Media, caplog: pytest.LogCaptureFixture) -> None:
    assert "portrait.png" in read_error(["info", media["portrait.png"]], caplog)
