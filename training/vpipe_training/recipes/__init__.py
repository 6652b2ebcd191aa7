# SPDX-License-Identifier: Apache-2.0
"""The recipes by the names of their networks."""
from .ddrnet import DDRNet
from .dwtanet import DWTANet
from .face_detector import SSH, RetinaFace
from .mlsd import MLSD

RECIPES = {recipe.network: recipe for recipe in (MLSD, RetinaFace, SSH, DDRNet, DWTANet)}
