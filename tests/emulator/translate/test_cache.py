"""Translations on disk: used when right, ignored when anything is wrong with them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.cache import TranslationCache
from emulator.engine.translate.draft import Draft
from emulator.linux.kernel import Options
from emulator.linux.session import Request, Session
from tests.emulator.translate.twins import Twin, difference, random_words, run, twins

IMAGES = Path(__file__).resolve().parents[3] / "images"


def cached_session(folder: Path, output: Path) -> Session:
    with output.open("wb") as file:
        nothing = os.open(os.devnull, os.O_RDONLY)
        session = Session(
            Request(
                str(IMAGES / "iwasm"), [f"--wamr-lib={IMAGES / 'libiwasm.so'}", str(IMAGES / "hello.wasm")]
            ),
            Options(translations=folder),
            streams=(nothing, file.fileno(), file.fileno()),
        )
        session.kernel.run()
        os.close(nothing)
    assert session.translations is not None
    session.translations.save()
    return session


def counters(session: Session) -> tuple[int, int]:
    """(translated stretches, those of them from the disk)."""
    (one,) = session.kernel.statistics.engines
    return one.blocks, one.cached  # type: ignore[attr-defined]


def test_the_second_run_translates_nothing_and_is_the_same(tmp_path: Path) -> None:
    first = cached_session(tmp_path / "cache", tmp_path / "out1")
    second = cached_session(tmp_path / "cache", tmp_path / "out2")
    assert (tmp_path / "out1").read_bytes() == (tmp_path / "out2").read_bytes()
    assert first.kernel.instructions == second.kernel.instructions
    assert counters(first)[1] == 0
    blocks, cached = counters(second)
    assert blocks == cached > 100


@pytest.mark.parametrize("damage", ["byte", "cut", "longer", "empty", "other"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    session = cached_session(folder, tmp_path / "out1")
    assert session.translations is not None
    path = session.translations.path
    data = bytearray(path.read_bytes())
    if damage == "byte":
        data[len(data) // 2] ^= 1
    damaged = {
        "byte": bytes(data), "cut": bytes(data[:-5]), "longer": bytes(data) + b"x", "empty": b"",
        "other": b"not translations at all" * 10,
    }[damage]  # fmt: skip
    path.write_bytes(damaged)
    again = cached_session(folder, tmp_path / "out2")
    assert counters(again)[1] == 0
    assert (tmp_path / "out1").read_bytes() == (tmp_path / "out2").read_bytes()
    assert counters(cached_session(folder, tmp_path / "out3"))[1] > 100
    assert not list(folder.glob("*.new"))


def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    session = cached_session(tmp_path / "cache", tmp_path / "out1")
    assert session.translations is not None
    session.translations.path.chmod(0o666)
    assert counters(cached_session(tmp_path / "cache", tmp_path / "out2"))[1] == 0


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cached_session(tmp_path / "cache", tmp_path / "out")


def with_cache(twin: Twin, cache: TranslationCache) -> None:
    twin.engine.cache = cache  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(20))
def test_cached_random_programs(tmp_path: Path, seed: int) -> None:
    """Translations of one run, and of a run of other code at the same addresses, serve a second one."""
    chance = random.Random(seed)
    c64 = chance.random() < 0.75
    words, others = random_words(chance, 12), random_words(chance, 12)
    state = chance.getrandbits(32)
    for number, program in enumerate((others, words, words)):
        cache = TranslationCache(tmp_path, b"the same program")
        pair = twins(program, c64, random.Random(state))
        with_cache(pair[1], cache)
        run(pair, 2000)
        assert not difference(pair), f"seed {seed}: {difference(pair)}"
        counters = pair[1].engine.counters  # type: ignore[union-attr]
        if number == 2:
            assert counters.cached == counters.blocks
        cache.save()


def test_drafts_survive_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[tuple[bytes, Draft]] = []
    finish = BlockCode.finish

    def keep(block: BlockCode) -> Draft:
        draft = finish(block)
        data = draft.to_bytes()
        assert Draft.from_bytes(data) == draft
        drafts.append((data, draft))
        return draft

    monkeypatch.setattr(BlockCode, "finish", keep)
    for seed in range(20):
        chance = random.Random(seed)
        run(twins(random_words(chance, 30), True, chance), 1500)
    assert len(drafts) > 100
