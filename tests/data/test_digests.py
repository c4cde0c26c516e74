"""Faces are recognised by their content."""

import pytest
import torch

from fer_lightning.data.digests import digests, warn_of_known


def test_digests_tell_copies_from_other_images() -> None:
    images = torch.randint(256, (50, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[40] = images[3]
    images[41] = images[3]
    images[41, 47, 47] ^= 1
    values = digests(images)
    assert values[40] == values[3]
    assert len(values.unique()) == 49


@pytest.mark.parametrize(("count", "warns"), [(25, False), (26, True)])
def test_more_than_a_quarter_of_known_faces_is_warned_of(
    count: int, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tested, none = torch.arange(100), torch.arange(0)
    warn_of_known(tested, tested[:count], none)
    assert ("those that the network learns from" in caplog.text) == warns
    caplog.clear()
    warn_of_known(tested, none, tested[:count])
    assert ("those that it may have been chosen on" in caplog.text) == warns
