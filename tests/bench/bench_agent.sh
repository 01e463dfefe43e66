#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The agent as a whole: start to ready, memory, how soon a change is in force, wake-ups when idle.
# See agent.py beside this file.
#   tests/bench/bench_agent.sh [PEOPLE]...
cd "$(dirname "$0")/../.." || exit
exec "${PYTHON:-/usr/bin/python3}" tests/bench/agent.py "$@"
