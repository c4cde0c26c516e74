"""Several processes measure each face of val and test once."""

import pytest
import torch

from fer_lightning.data.batches import evaluation_batches


@pytest.mark.parametrize(("count", "batch_size", "processes"), [(17, 8, 2), (17, 1, 2), (3589, 128, 8), (5, 64, 5)])
def test_each_face_is_in_one_batch_and_processes_have_as_many(count: int, batch_size: int, processes: int) -> None:
    of_all = [evaluation_batches(count, batch_size, processes, process) for process in range(processes)]
    assert len({len(batches) for batches in of_all}) == 1
    so_far: list[int] = []
    for batches in zip(*of_all, strict=True):
        sizes = [len(batch) for batch in batches]
        assert 1 <= min(sizes) <= max(sizes) <= min(min(sizes) + 1, max(2, batch_size))
        so_far += torch.cat(batches).tolist()
        assert sorted(so_far) == list(range(len(so_far)))  # so a limit on batches measures the first faces
    assert len(so_far) == count


def test_the_batches_of_one_process_are_full() -> None:
    assert [len(batch) for batch in evaluation_batches(17, 8, 1, 0)] == [8, 8, 1]
