# SPDX-License-Identifier: Apache-2.0
"""The scenes of the sample clips: a furnished room, people, cameras and sound."""
