# SPDX-License-Identifier: MIT
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib", "python"))

from fake_agent import FakeAgent  # noqa: E402


@pytest.fixture
def agent():
    fake = FakeAgent()
    yield fake
    fake.stop()


@pytest.fixture
def client(agent):
    import tenantd

    with tenantd.Client(agent.path, timeout=0.4) as made:
        yield made
