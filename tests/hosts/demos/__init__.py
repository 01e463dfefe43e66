# SPDX-License-Identifier: MIT
"""What make demo and make demo-host show."""
