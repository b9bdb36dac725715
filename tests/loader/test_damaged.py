"""Damaged objects, archives and libraries: a sentence or a result, never a Python exception."""

from __future__ import annotations

import random

import pytest

from loader.compartment import Patcher, PatchTarget, dump_program_headers, dump_relocations
from loader.link.archive import write_archive
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import UserError
from tests.loader.builder import ObjectBuilder
from tests.loader.fake_memory import user_root
from tests.loader.test_dynamic import FILES, LEAF, MIDDLE, World
from tests.loader.test_link import globals_object, start, tls_object

INTERESTING = (0, 1, 7, 100, 4096, 0xFFF1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


def damaged(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        position = rng.randrange(len(out))
        match rng.randrange(4):
            case 0:
                out[position] = rng.randrange(256)
            case 1:
                room = min(8, len(out) - position)
                out[position : position + room] = rng.choice(INTERESTING).to_bytes(8, "little")[:room]
            case 2:
                out[rng.choice((32, 40, 54, 56, 58, 60, 62)) % len(out)] = rng.randrange(256)
            case _:
                del out[max(position, 1) :]
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_linker(seed: int) -> None:
    rng = random.Random(seed)
    comdat = ObjectBuilder().section(".rodata.t", bytes(8), 2, 8).symbol("t", ".rodata.t", 0, 8)
    objects = [
        globals_object().build(),
        tls_object().build(),
        comdat.comdat("t", ".rodata.t").build(),
        MIDDLE,
    ]
    objects.append(write_archive([("member.o", objects[0])]))
    main = LinkInput("main.o", start().build())
    linked = 0
    for _ in range(150):
        data = damaged(rng.choice(objects), rng)
        options = rng.choice([{}, {"shared": True}, {"pie": True}, {"gc_sections": True}])
        inputs = [main, LinkInput("bad", data, whole_archive=rng.random() < 0.5)]
        try:
            link(LinkOptions(static=rng.random() < 0.5, allow_multiple_definition=True, **options), inputs)  # type: ignore[arg-type]
            linked += 1
        except UserError as error:
            assert error.message
    assert linked > 20, "some damage does not matter"


@pytest.mark.parametrize("seed", range(2))
def test_dynamic_linker_and_patching(seed: int) -> None:
    rng = random.Random(seed)
    loaded = 0
    for _ in range(40):
        name = rng.choice(["/purecap-lib/libleaf.so", "/purecap-lib/libmiddle.so"])
        original = LEAF if name.endswith("leaf.so") else MIDDLE
        world = World({**FILES, name: damaged(original, rng)})
        try:
            world.linker.constructors(world.linker.open("libmiddle.so", world.linker.base, None, True))
        except UserError as error:
            assert error.status in (125, 126, 127)
            continue
        loaded += 1
        targets = [PatchTarget(o.image, o.path, o.bias) for o in world.linker.base.objects]
        assert dump_program_headers(targets, user_root()) and dump_relocations(targets, world.memory)
        assert Patcher(world.memory, user_root()).patch(targets).lines()
    assert loaded, "some damage does not matter"
