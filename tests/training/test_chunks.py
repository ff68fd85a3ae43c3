"""Chunks: a batch's rows, each in one chunk of one process, with the same key wherever it is."""

from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.lots import keys
from dewpoint.data.tokens import Slices
from dewpoint.training import devices
from dewpoint.training.chunks import CPU_TOKENS, Room, batch, chunks, room
from ragged import SPECIAL

LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=20)


def cut(lengths, tokens, world=1, first=0):
    """The chunks of every process."""
    counts = np.array(lengths)
    texts = [Slices(np.arange(2000, 2000 + counts.sum()), np.cumsum(counts) - counts, counts)]
    made, before = [], (devices.RANK, devices.WORLD)
    try:
        for rank in range(world):
            devices.RANK, devices.WORLD = rank, world
            made.append(chunks(texts, SPECIAL, tokens, 5, 9, first))
    finally:
        devices.RANK, devices.WORLD = before
    return made


def rows(made):
    """(row, key, tokens) of all chunks."""
    return {
        (int(row), int(key), tuple(ids[mask == 1].tolist()))
        for parts in made
        for part in parts
        for row, key, ids, mask in zip(part.rows, part.keys, part.ids, part.mask, strict=True)
    }


@settings(max_examples=100, deadline=None)
@given(LENGTHS, st.integers(1, 120), st.integers(1, 5), st.integers(0, 50))
def test_every_row_is_in_one_chunk_of_one_process_and_always_the_same(lengths, tokens, world, first):
    made = cut(lengths, tokens, world, first)
    numbers = [int(row) for parts in made for part in parts for row in part.rows]
    assert sorted(numbers) == list(range(first, first + len(lengths)))
    assert rows(made) == rows(cut(lengths, 10**6, 1, first))
    for part in (part for parts in made for part in parts):
        assert len(part.rows) == 1 or part.ids.numel() <= tokens
        assert part.ids.shape[1] == int(part.mask.sum(1).max())
    sizes = [sum(len(part.rows) for part in parts) for parts in made]
    assert max(sizes) - min(sizes) <= 1


def test_keys_tell_seeds_steps_and_rows_apart():
    found = {int(key) for seed in range(3) for step in range(50) for key in keys(seed, step, np.arange(40))}
    assert len(found) == 3 * 50 * 40


def test_a_batch_is_held_together_when_it_fits():
    (parts,) = cut([10, 10, 10], 24)
    assert not batch(3, parts, 35).once and batch(3, parts, 36).once and batch(3, parts[:1], 1).once


def test_room_is_what_is_asked_or_what_suits_device_and_model(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    tiny, base = (SimpleNamespace(num_hidden_layers=layers, hidden_size=64 * layers) for layers in (2, 12))
    assert room(77, cpu, base) == room(77, gpu, base) == Room(77, 77)
    assert room(0, cpu, base).chunk == room(0, cpu, tiny).chunk == CPU_TOKENS
    assert CPU_TOKENS < room(0, cpu, base).held < room(0, cpu, tiny).held
    found = []
    for gib in (2, 24, 80):
        properties = type("Properties", (), {"total_memory": gib * 2**30})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, p=properties: p)
        found.append(room(0, gpu, base).held)
        assert room(0, gpu, base).chunk == found[-1]
    assert found[0] == CPU_TOKENS < found[1] < found[2]
