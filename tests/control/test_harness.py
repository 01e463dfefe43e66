# SPDX-License-Identifier: MIT
"""The harness itself: what every other test stands on."""


def test_serves_with_and_without_tls(server, plain):
    assert server.client.get("/healthz").status == 200
    assert plain.servers[0].client.get("/healthz").status == 200


def test_operator_tenant_and_user(operator, tenant):
    assert operator.must("GET", "/v1/me")["kind"] == "operator"
    assert tenant.owner.must("GET", "/v1/me")["tenant"] == tenant.id
