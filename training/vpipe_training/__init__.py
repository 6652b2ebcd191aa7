# SPDX-License-Identifier: Apache-2.0
"""Training for the networks of vpipe. Networks come from vpipe's own graphs: see `graph` and `vpipe`."""
