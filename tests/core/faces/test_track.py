"""A face is followed through a clip."""

import logging
import re
import time
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.faces import HEIGHT, WIDTH, Script, face_at, greys
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Face, Track, track, track_face
from actalker_core.faces.face import SearchDepth


def lefts(track: Track) -> list[float]:
    return track.boxes[:, 0].tolist()


def test_a_face_seen_in_every_frame_is_kept_as_found(caplog: pytest.LogCaptureFixture) -> None:
    faces = [face_at(10 + 2 * i) for i in range(5)]
    with caplog.at_level(logging.DEBUG):
        track = track_face(Script({i: [face] for i, face in enumerate(faces)}), greys(5))
    assert len(track) == 5
    assert track.gaps == []
    assert track.size == (HEIGHT, WIDTH)
    assert np.array_equal(track.boxes, [face.box for face in faces])
    assert np.array_equal(track.landmarks, [face.landmarks for face in faces])
    assert np.allclose(track.confidence, 0.9)
    assert not caplog.records


def test_a_track_is_a_list_of_faces() -> None:
    track = track_face(Script({0: [face_at(10)], 2: [face_at(14)]}), greys(3))
    assert [face.box for face in track.faces] == [face_at(x).box for x in (10, 12, 14)]
    assert [face.confidence for face in track.faces] == pytest.approx([0.9, 0, 0.9])
    assert np.array_equal(track.faces[2].landmarks, face_at(14).landmarks)


def test_missed_frames_are_filled_from_their_neighbours() -> None:
    track = track_face(Script({2: [face_at(10)], 6: [face_at(18, 24)]}), greys(9))
    assert track.gaps == [0, 1, 3, 4, 5, 7, 8]
    assert lefts(track) == pytest.approx([10, 10, 10, 12, 14, 16, 18, 18, 18])
    assert track.boxes[:, 1].tolist() == pytest.approx([20, 20, 20, 21, 22, 23, 24, 24, 24])
    for i, x in enumerate(lefts(track)):
        expected = face_at(x, track.boxes[i, 1]).landmarks
        assert np.allclose(track.landmarks[i], expected, atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.integers(0, 11), st.floats(10, 20), min_size=1))
def test_whatever_is_missed_a_track_is_whole(places: dict[int, float]) -> None:
    track = track_face(Script({i: [face_at(x)] for i, x in places.items()}), greys(12))
    indices = sorted(places)
    expected = np.interp(range(12), indices, [places[i] for i in indices])
    assert track.gaps == [i for i in range(12) if i not in places]
    assert np.allclose(lefts(track), expected, atol=1e-4)
    assert np.allclose(track.landmarks[:, 0, 0], expected, atol=1e-4)


def test_missed_frames_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    faces = {i: [face_at(10)] for i in range(30) if i not in (3, 11, 12, 13)}
    with caplog.at_level(logging.WARNING, "actalker_core.faces.track"):
        track_face(Script(faces), greys(30), name="head clip")
    assert [record.name for record in caplog.records] == ["actalker_core.faces.track"]
    assert re.search(r"head clip.*4 of 30 frames.*\b3\b.*\b11\b.*\b13\b", caplog.text)


@pytest.mark.parametrize("frames", [0, 1, 30])
def test_a_clip_without_a_face_is_named(frames: int) -> None:
    with pytest.raises(FaceError, match="head clip"):
        track_face(Script({}), greys(frames), name="head clip")


def test_boxes_are_followed_without_landmarks() -> None:
    faces = {0: [face_at(10, with_landmarks=False)], 2: [face_at(14, with_landmarks=False)]}
    track = track_face(Script(faces), greys(3))
    assert track.landmarks is None
    assert lefts(track) == pytest.approx([10, 12, 14])
    assert all(face.landmarks is None for face in track.faces)


def test_another_face_far_away_does_not_take_over() -> None:
    left, right = face_at(2), face_at(55)
    track = track_face(Script({0: [left], 1: [right], 2: [right], 3: [left, right]}), greys(4))
    assert track.gaps == [1, 2]
    assert np.allclose(lefts(track), 2)


def test_a_face_that_never_comes_back_is_held() -> None:
    faces = {i: [face_at(55)] for i in range(1, 10)}
    track = track_face(Script({0: [face_at(2)], **faces}), greys(10))
    assert track.gaps == list(range(1, 10))
    assert np.allclose(lefts(track), 2)


@pytest.mark.parametrize(("choice", "start"), [("left", 10), ("right", 50), ("0", 10), ("1", 50)])
def test_the_chosen_face_is_followed_among_two(choice: str, start: int) -> None:
    """Both move to the right by more than the half of what parts them, and change order."""
    pairs = [[face_at(10 + 3 * i), face_at(50 + 3 * i)] for i in range(10)]
    faces = {i: pair[:: 1 - 2 * (i % 2)] for i, pair in enumerate(pairs)}
    track = track_face(Script(faces), greys(10), choice)
    assert track.gaps == []
    assert lefts(track) == [start + 3 * i for i in range(10)]


def test_a_face_that_moved_on_while_it_was_missed_is_found_again() -> None:
    """It is alone and moves by a tenth of its side per frame, before, meanwhile and after."""
    faces = {i: [face_at(2 + 2 * i)] for i in range(20) if not 5 <= i <= 12}
    track = track_face(Script(faces), greys(20))
    assert track.gaps == list(range(5, 13))
    assert lefts(track) == pytest.approx([2 + 2 * i for i in range(20)])


def test_the_largest_face_stays_chosen_when_another_outgrows_it() -> None:
    faces = {i: [face_at(5, side=20), face_at(50, 10, 10 + 5 * i)] for i in range(5)}
    track = track_face(Script(faces), greys(5), "largest")
    assert np.allclose(lefts(track), 5)


def test_a_face_touching_the_chosen_one_does_not_take_over() -> None:
    """Cheek to cheek, one is hidden for a moment; faces are taller than wide."""
    left, right = Face((10, 10, 30, 34), 0.9), Face((30, 10, 50, 34), 0.9)
    faces = {i: [right] if i == 2 else [left, right] for i in range(5)}
    track = track_face(Script(faces), greys(5), "left")
    assert track.gaps == [2]
    assert np.allclose(lefts(track), 10)


def test_a_face_lost_in_the_whole_image_is_looked_for_where_it_was() -> None:
    right = face_at(50)
    small_faces = {i: [face_at(5 + i)] for i in range(8)}
    track = track_face(Script({i: [right] for i in range(8)}, small_faces), greys(8), "left")
    assert track.gaps == []
    assert lefts(track) == [5 + i for i in range(8)]


def test_a_small_face_after_a_dark_beginning_is_found() -> None:
    small_faces = {i: [face_at(10)] for i in range(3, 60)}
    track = track_face(Script({}, small_faces), greys(60))
    assert len(track) == 60
    assert 59 not in track.gaps


def test_who_is_chosen_is_settled_by_the_first_frame_with_faces() -> None:
    faces = {2: [face_at(50), face_at(10)], 3: [face_at(10)], 4: [face_at(50)]}
    track = track_face(Script(faces), greys(5), "1")
    assert track.gaps == [0, 1, 3]
    assert np.allclose(lefts(track), 50)


@pytest.mark.parametrize(("choice", "error"), [("2", FaceError), ("tallest", InputError)])
def test_a_clip_refuses_a_choice_that_cannot_be_met(choice: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        track_face(Script({1: [face_at(10), face_at(50)]}), greys(3), choice)


def test_only_a_few_frames_are_read_ahead() -> None:
    done: list[int] = []

    def frames() -> Iterator[Tensor]:
        for i, image in enumerate(greys(30)):
            assert i - len(done) <= track.THREADS + 2
            yield image

    track_face(Script({0: [face_at(10)]}), frames(), on_frame=done.append)
    assert done == list(range(1, 31))


def test_no_thread_changes_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames take their time at random, so that glances end in another order than they begin."""

    class Sleepy(Script):
        def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
            time.sleep(float(np.random.default_rng().uniform(0, 0.004)))
            return super().find(image, depth)

    faces = {i: [face_at(10 + i)] for i in range(30) if i % 7}
    tracks = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(track, "THREADS", threads)
        tracks.append(track_face(Sleepy(faces), greys(30)))
    for next_track in tracks[1:]:
        assert np.array_equal(next_track.boxes, tracks[0].boxes)
        assert np.array_equal(next_track.landmarks, tracks[0].landmarks)
        assert np.array_equal(next_track.confidence, tracks[0].confidence)


def test_whoever_counts_frames_may_cancel() -> None:
    def cancel(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track_face(Script({0: [face_at(10)]}), greys(30), on_frame=cancel)


def test_an_error_of_the_finder_is_raised() -> None:
    class BrokenFinder(Script):
        def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
            if int(image[0, 0, 0]) == 5:
                raise FaceError("broken")
            return super().find(image, depth)

    done: list[int] = []
    with pytest.raises(FaceError, match="broken"):
        track_face(BrokenFinder({0: [face_at(10)]}), greys(30), on_frame=done.append)
    assert done == [1, 2, 3, 4, 5]
