# SPDX-License-Identifier: MIT
"""Lists and single records find their rows by index, under row-level security. The server of this test may scan a whole
table only where there is no other way, and writes the plan of every statement into its log."""
import re

from controllib.cluster import Cluster

TABLES = "tenants users projects members api_keys roles host_rules connectors hosts host_tenants operators operator_grants events feeds feed_records feed_acks passwords"
# Asked by nobody but a person in front of a screen, and there are few: a host by its name or id, an operator by address.
SEEN = re.compile(r"Seq Scan on (" + "|".join(TABLES.split()) + r")\b")


def test_indices(new_control):
    cluster = Cluster("explain", session_preload_libraries="auto_explain", enable_seqscan="off", **{"auto_explain.log_min_duration": "0"})
    cluster.start()
    try:
        control = new_control("explain", cluster=cluster)
        control.init()
        client = control.serve().client
        client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
        tenant = client.must("POST", "/v1/tenants", {"slug": "acme"})
        path = f"/v1/tenants/{tenant['id']}"
        user = client.must("POST", f"{path}/users", {"login": "ann", "email": "ann@acme.example", "password": "a long enough password 42"})
        client.must("PUT", f"{path}/members/ann", {"role": "owner"})
        project = client.must("POST", f"{path}/projects", {"slug": "vision"})
        client.must("PUT", f"{path}/projects/vision/members/ann", {"role": "owner"})
        key = client.must("POST", f"{path}/keys", {"user": "ann"})
        role = client.must("POST", f"{path}/roles", {"name": "runner", "kind": "project", "actions": ["gpu.reserve"]})
        rule = client.must("POST", f"{path}/host-rules", {"name": "gpu*", "serves": [{"project": project["id"]}]})
        connector = client.must("POST", f"{path}/connectors", {"name": "s3", "kind": "s3"})
        mark = (cluster.folder / "log").stat().st_size
        lists = ["users", "users?login=ann", "users?email=ann@acme.example", "users?kind=person", f"users/{user['id']}/memberships", "members",
                 "projects", "projects/vision/members", "roles", "keys", "keys?user=ann", "host-rules", "connectors", "hosts", "events"]  # fmt: skip
        single = [f"users/{user['id']}", "users/ann", f"members/{user['id']}", f"projects/{project['id']}", "projects/vision",
                  f"projects/vision/members/{user['id']}", f"roles/{role['name']}", f"keys/{key['id']}", f"host-rules/{rule['id']}",
                  f"connectors/{connector['id']}"]  # fmt: skip
        for token in (client.token, key["secret"]):
            for part in ["", *("/" + p for p in lists + single)]:
                client.must("GET", path + part, token=token)
        for part in ("tenants", "hosts", "operators", "events", "enrolment-tokens"):
            client.must("GET", f"/v1/{part}")
        log = (cluster.folder / "log").read_text()[mark:]
        assert "Index Scan using users_tenant_id_id_key" in log or "Index Scan using users_pkey" in log, log[:2000]
        assert log.count("Query Text:") > 100
        bad = [plan.split("Query Text:")[1][:600] for plan in re.split(r"(?=duration: )", log) if SEEN.search(plan) and "Query Text:" in plan]
        assert not bad, "\n\n".join(sorted(set(bad))[:5])
    finally:
        for server in control.servers:
            server.stop()
        control.servers.clear()
        cluster.remove()
