# SPDX-License-Identifier: MIT
"""A PostgreSQL, a tenant-control and a client for the tests, each of the test's own."""
