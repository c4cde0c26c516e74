"""Memory of large batches is used again only when nobody has it."""

import gc

import torch

from fer_lightning.transforms.reused_memory import ReusedMemory


def test_memory_that_nobody_has_is_used_again() -> None:
    memory = ReusedMemory()
    first = memory.empty((4, 8))
    place = first.data_ptr()
    del first
    assert memory.empty((2, 3)).data_ptr() == place
    assert memory.empty((8, 4)).data_ptr() == place


def test_what_somebody_still_has_is_left_alone() -> None:
    memory = ReusedMemory()
    weight = torch.ones(8, requires_grad=True)
    batch = memory.empty((4, 8)).fill_(3)
    view, loss = batch[2, 1:], (batch * weight).sum()  # which both keep the batch's memory
    del batch
    gc.collect()
    memory.empty((4, 8)).fill_(7)
    loss.backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [12.0] * 8
    assert view.tolist() == [3.0] * 7


def test_a_larger_batch_gets_memory_of_its_own() -> None:
    memory = ReusedMemory()
    small = memory.empty((4, 8))
    del small
    large = memory.empty((5, 8)).fill_(1)
    assert large.sum() == 40
    kept = [memory.empty((3,)).fill_(number) for number in range(5)]
    assert [piece.tolist() for piece in kept] == [[number] * 3 for number in range(5)]
    del kept
    assert len(memory._free) == 2


def test_it_is_float32_whatever_the_default() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert ReusedMemory().empty((2, 2)).dtype == torch.float32
    finally:
        torch.set_default_dtype(before)
